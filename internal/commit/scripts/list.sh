# shellcheck shell=sh
# What runs of ours in iptables, told in one way whatever the variant and version:
# the container that docs/protocol.md describes, without counters, in a fixed order,
# and with the place of each jump into our chains. It reads and changes nothing.

# ipv6: the kernel has IPv6. Where it was turned off at boot, ip6tables has nothing
# to filter and cannot even be asked.
ipv6() { [ -e /proc/net/if_inet6 ]; }

# xt_save: V4 and V6, what is loaded of both families; XTERR says why that cannot be
# told.
xt_save() {
	XTERR='' V4='' V6=''
	V4=$(iptables-save 2>&1 </dev/null) || XTERR="iptables-save: ${V4:-no message}"
	if [ -z "$XTERR" ] && ipv6 && command -v ip6tables-save >/dev/null; then
		V6=$(ip6tables-save 2>&1 </dev/null) || XTERR="ip6tables-save: ${V6:-no message}"
	fi
	# The nf_tables variant says so of a table that nft itself has filled.
	case $V4$V6 in
	*"Table \`filter' is incompatible"* | *"Table \`nat' is incompatible"*)
		XTERR='the table filter or nat holds rules that only nft can read'
		;;
	esac
	[ -z "$XTERR" ]
}

# xt_sets: SETS, the sets of ours and their elements, sorted. Others may be large,
# and are passed over before a shell has to hold them.
xt_sets() {
	SETS=$({ ipset save 2>&1 </dev/null || echo '#: failed'; } |
		awk '$2 ~ /^fwp[46]-/ || $1 != "create" && $1 != "add"' | LC_ALL=C sort)
	case $SETS in *'#: failed'*)
		XTERR="ipset save: $SETS"
		return 1
		;;
	esac
}

# list_xt: XL, the listing; nothing where nothing of ours is.
list_xt() {
	xt_save || return 1
	SETS=''
	case $V4$V6 in *'--match-set fwp'[46]-*) xt_sets || return 1 ;; esac
	case $V4$V6 in
	*FWPUSH-*) ;;
	*) return 0 ;;
	esac
	XL=$(printf '#: save iptables\n%s\n#: save ip6tables\n%s\n#: save ipset\n%s\n' "$V4" "$V6" "$SETS" | xt_print)
}

# xt_print: the listing of what xt_save and xt_sets have told. Sets are those that
# our rules refer to: one that could not be destroyed yet is no part of the rules.
xt_print() {
	awk '
	function header(  i, text) {
		text = "create " $2
		for (i = 3; i <= NF; i++) {
			if ($i == "hashsize" || $i == "bucketsize" || $i == "initval" || $i == "maxelem" && $(i + 1) == 65536) i++
			else text = text " " $i
		}
		return text
	}
	function place(name,  i) { # chains in the order of their names
		i = ++chains[key]
		while (i > 1 && chain[key, i - 1] > name) { chain[key, i] = chain[key, i - 1]; i-- }
		chain[key, i] = name
	}
	function say(key,  i, j) {
		if (!chains[key]) return
		split(key, word, " ")
		print "#: " key
		print "*" word[2]
		for (i = 1; i <= chains[key]; i++) print ":" chain[key, i] " - [0:0]"
		for (i = 1; i <= chains[key]; i++)
			for (j = 1; j <= rules[key, chain[key, i]]; j++) print rule[key, chain[key, i], j]
		print "COMMIT"
	}
	/^#: save / { family = $3; next }
	family == "ipset" {
		if (!($2 in used)) next
		if ($1 == "create") create[++creates] = header()
		if ($1 == "add") add[++adds] = $0
		next
	}
	/^[*]/ { key = family " " substr($1, 2) }
	/^:FWPUSH-/ { place(substr($1, 2)); there = 1 }
	/^-A / {
		n = ++count[key, $2]
		if ($2 ~ /^FWPUSH-/) {
			rule[key, $2, ++rules[key, $2]] = $0
			rest = $0
			while (match(rest, /--match-set fwp[46]-[^ ]+/)) {
				used[substr(rest, RSTART + 12, RLENGTH - 12)]
				rest = substr(rest, RSTART + RLENGTH)
			}
		} else if ($0 ~ / -[jg] FWPUSH-[^ ]+$/) {
			jump[key, ++jumps[key]] = n " " $0
			there = 1
		}
	}
	END {
		if (!there) exit
		print "# fwpush iptables"
		if (creates) print "#: ipset"
		for (i = 1; i <= creates; i++) print create[i]
		for (i = 1; i <= adds; i++) print add[i]
		n = split("iptables filter,ip6tables filter,iptables nat,ip6tables nat", order, ",")
		for (i = 1; i <= n; i++) say(order[i])
		print "#: jumps"
		for (i = 1; i <= n; i++)
			for (j = 1; j <= jumps[order[i]]; j++) print order[i] " " jump[order[i], j]
	}'
}
