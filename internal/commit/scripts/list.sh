# shellcheck shell=sh
# What runs of ours in iptables, told in one way whatever the variant and version:
# the container that docs/protocol.md describes, without counters, in a fixed order,
# and with the place of each jump into our chains. It reads and changes nothing.

# ipv6: the kernel has IPv6. Where it was turned off at boot, ip6tables has nothing
# to filter and cannot even be asked.
ipv6() { [ -e /proc/net/if_inet6 ]; }

# Which variant iptables is, nft or legacy, is the choice of the host and may change at
# any moment (update-alternatives), and each of them sees its own rules alone. So a
# transaction keeps to those that it began with: XT4 and XT6, one for each family, and
# IPT and IP6T, what their programs are called up to -save and -restore.

# variant PROGRAM: VARIANT, which one it is. 1.6 has only one, and does not say so.
variant() {
	VARIANT=legacy
	case $("$1" --version 2>/dev/null </dev/null) in *nf_tables*) VARIANT=nft ;; esac
}

# called FAMILY VARIANT: CALLED, what the programs of it are called; 1 if there are none.
called() {
	for CALLED in "$1-$2" "$1"; do
		if command -v "$CALLED-save" >/dev/null && command -v "$CALLED-restore" >/dev/null; then
			[ "$CALLED" = "$1" ] || return 0
			variant "$1"
			[ "$VARIANT" != "$2" ] || return 0
		fi
	done
	return 1
}

# xt_use VARIANT VARIANT: the ones to use from here on, or the one there is where one
# has gone; LOST has the families of which it has.
xt_use() {
	XT4=$1 XT6=$2 LOST=''
	called iptables "$XT4" || {
		variant iptables
		LOST=' iptables' XT4=$VARIANT
		called iptables "$XT4" || CALLED=iptables
	}
	IPT=$CALLED
	called ip6tables "$XT6" || {
		variant ip6tables
		LOST="$LOST ip6tables" XT6=$VARIANT
		called ip6tables "$XT6" || CALLED=ip6tables
	}
	IP6T=$CALLED
}

# xt_now: the variants that the host has chosen.
xt_now() {
	variant iptables
	v4=$VARIANT
	variant ip6tables
	xt_use "$v4" "$VARIANT"
}

# xt_swap: the other ones; 1 if the host has not both.
xt_swap() {
	if [ "$XT4" = nft ]; then v4=legacy; else v4=nft; fi
	if [ "$XT6" = nft ]; then v6=legacy; else v6=nft; fi
	xt_use "$v4" "$v6"
	[ -z "$LOST" ]
}

# beside FAMILY: BESIDE, what the variant that is not used has loaded, and CALLED, by
# whose words: nft knows of those of the nft variant too. Of legacy tables the kernel
# tells, and no program that would make one by asking for it. 1 if nobody can tell.
beside() {
	BESIDE=''
	case $1 in
	iptables) used=$XT4 inet=ip names=/proc/net/ip_tables_names ;;
	*) used=$XT6 inet=ip6 names=/proc/net/ip6_tables_names ;;
	esac
	if [ "$used" = nft ]; then
		{ read -r name <"$names"; } 2>/dev/null || return 0
		called "$1" legacy || return
	elif ! called "$1" nft; then
		CALLED=nft
		command -v nft >/dev/null && BESIDE=$(nft -a list ruleset "$inet" 2>/dev/null </dev/null)
		return
	fi
	BESIDE=$("$CALLED-save" 2>/dev/null </dev/null)
}

# stray: chains of ours are in BESIDE.
stray() { printf '%s\n' "$BESIDE" | grep -Eq '^(:|[[:space:]]chain )FWPUSH-'; }

# xt_silent PROGRAM: XTERR, why it tells nothing.
xt_silent() {
	XTERR=$("$1" 2>&1 >/dev/null </dev/null)
	XTERR="$1: ${XTERR:-no message}"
}

# xt_save: V4 and V6, what is loaded of both families; XTERR says why that cannot be
# told.
xt_save() {
	XTERR='' V4='' V6=''
	# Not with its messages: a warning (of legacy tables that are there) would come in the
	# middle of a line, where the first block of the output ends.
	V4=$("$IPT-save" 2>/dev/null </dev/null) || xt_silent "$IPT-save"
	if [ -z "$XTERR" ] && ipv6 && command -v "$IP6T-save" >/dev/null; then
		V6=$("$IP6T-save" 2>/dev/null </dev/null) || xt_silent "$IP6T-save"
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
