# shellcheck shell=sh
# The iptables loader. Each family and each table is a transaction of its own to the
# kernel, so a load that fails in the middle has changed something: whoever calls
# puts the old rules back, which is one more load of this kind.

# xt_load LIMIT FILE: makes what runs of ours in iptables that of a container text.
xt_load() {
	messages
	WISH=$(cat "$2" 2>"$MESSAGES") && xt_whole >"$MESSAGES" || return 1
	xt_put "$1" ''
}

# xt_unload LIMIT: nothing of ours is left in iptables.
xt_unload() {
	WISH='# fwpush iptables'
	xt_put "$1" ''
}

# xt_test LIMIT FILE: whether iptables-restore would take it, as far as it tells: a
# jump to a chain that is not there passes this in the nf_tables variant.
xt_test() {
	messages
	WISH=$(cat "$2" 2>"$MESSAGES") && xt_whole >"$MESSAGES" || return 1
	xt_put "$1" --test
}

# xt_whole: the wish is a container, and a whole one. What is loaded is put together
# anew from its lines, so that iptables-restore itself would not miss any.
xt_whole() {
	printf '%s\n' "$WISH" | awk '
	function bad() {
		print "line " NR " of the rules for iptables is none of theirs: " $0
		failed = 1
		exit
	}
	NR == 1 { if ($0 != "# fwpush iptables") bad(); next }
	/^#: / { if (table) bad(); section = substr($0, 4); next }
	section == "jumps" { next }
	section == "ipset" { if (($1 != "create" && $1 != "add") || $2 !~ /^fwp[46]-/) bad(); next }
	!table && section ~ /^ip6?tables (filter|nat)$/ && $0 == "*" substr(section, index(section, " ") + 1) { table = 1; next }
	table && /^(:|-A )FWPUSH-/ { next }
	table && $0 == "COMMIT" { table = 0; next }
	{ bad() }
	END {
		if (!failed && table) print "the rules for iptables end in the middle of a table"
		exit failed || table
	}'
}

# busy STATUS: the load that ended so did not get the lock of iptables (the legacy
# variant has one for the whole host). Who holds it keeps the rules as they are.
busy() { [ "$1" -eq 4 ] && grep -q 'xtables lock' "$MESSAGES"; }

# xt_put LIMIT TEST: sets first, then the tables, filter before nat, then the sets
# that nothing refers to any more. Own chains are emptied and filled again in the
# transaction that puts the jump first, so no packet meets half of them.
xt_put() {
	xt_limit=$1 xt_dry=$2
	messages
	SETS='' FEED=''
	xt_save || {
		printf '%s\n' "$XTERR" >"$MESSAGES"
		return 1
	}
	# Where there is no ipset, the words for one fail below if there are any.
	! command -v ipset >/dev/null || xt_sets || SETS=''
	case $WISH in *"#: ipset"*) FEED=$(xt_told | xt_fill) ;; esac
	if [ -n "$FEED" ] && [ -z "$xt_dry" ]; then
		feed "$xt_limit" ipset restore || return
	fi
	for pair in 'iptables filter' 'ip6tables filter' 'iptables nat' 'ip6tables nat'; do
		family=${pair% *}
		program=$IPT
		[ "$family" = iptables ] || { ipv6 && program=$IP6T; } || continue
		FEED=$(xt_told | xt_transaction "$family" "${pair#* }")
		[ -n "$FEED" ] || continue
		# shellcheck disable=SC2086 # --test, or no word
		feed "$xt_limit" "$program-restore" --noflush -w 10 $xt_dry || return
	done
	[ -n "$xt_dry" ] || [ -z "$SETS" ] || xt_sweep
	return 0
}

# xt_alone LIMIT: nothing of ours is left in a variant that is not used. It follows a
# load, and takes away the sets that only those chains have referred to.
xt_alone() {
	strays=''
	messages
	for family in iptables ip6tables; do
		[ "$family" = iptables ] || ipv6 || continue
		xt_same "$family" || {
			printf '%s is another variant than when it was used\n' "$family" >"$MESSAGES"
			return 1
		}
		beside "$family" || {
			case $LOST in *" $family"*) ;; *) continue ;; esac
			printf 'the programs of the variant of %s that was used are gone\n' "$family" >"$MESSAGES"
			return 1
		}
		! stray || { strays=yes && xt_chase "$1"; } || return
	done
	[ -z "$strays" ] || [ -z "$SETS" ] || xt_sweep
	return 0
}

# xt_same FAMILY: what was used a moment ago is still the variant that it was: a plain
# name may be the other one by now.
xt_same() {
	case $1 in
	iptables) called "$1" "$XT4" && [ "$CALLED" = "$IPT" ] ;;
	*) called "$1" "$XT6" && [ "$CALLED" = "$IP6T" ] ;;
	esac
}

# xt_chase LIMIT: takes away the chains of ours in BESIDE, and what leads there.
xt_chase() {
	if [ "$CALLED" = nft ]; then
		FEED=$(printf '%s\n' "$BESIDE" | nft_chase)
		feed "$1" nft -f /dev/stdin
		return
	fi
	for table in filter nat; do
		FEED=$(printf '#: save %s\n%s\n#: wish\n' "$family" "$BESIDE" | xt_transaction "$family" "$table")
		[ -z "$FEED" ] || feed "$1" "$CALLED-restore" --noflush -w 10 || return
	done
}

# nft_chase: the words for nft, of its listing with handles.
nft_chase() {
	awk '
	/^table / { table = $2 " " $3 }
	/^\tchain / {
		chain = table " " $2
		if ($2 ~ /^FWPUSH-/) ours[++n] = chain
		own = $2 ~ /^FWPUSH-/
	}
	!own && /(jump|goto) FWPUSH-[^ ]+ # handle [0-9]+$/ { print "delete rule " chain " handle " $NF }
	END {
		for (i = 1; i <= n; i++) print "flush chain " ours[i]
		for (i = 1; i <= n; i++) print "delete chain " ours[i]
	}'
}

# xt_told: what is loaded and what shall be, for the programs below.
xt_told() {
	printf '#: save iptables\n%s\n#: save ip6tables\n%s\n#: save ipset\n%s\n#: wish\n%s\n' "$V4" "$V6" "$SETS" "$WISH"
}

# xt_fill: the words for ipset. A set is called by what is in it and never changes
# under a rule. One that is not what its name says (somebody has edited it, or a
# load died while it was filled) gets its elements back in one swap.
xt_fill() {
	awk '
	function plain(word) { sub(/\/(32|128)$/, "", word); return word }
	function make(name, as) {
		print "create " as rest[name]
		for (i = 1; i <= elements[name]; i++) print "add " as " " element[name, i]
	}
	/^#: / { section = $2 " " $3; next }
	section == "save ipset" && $1 == "create" { there[$2] }
	section == "save ipset" && $1 == "add" { has[$2, substr($0, length("add " $2) + 2)]; holds[$2]++ }
	section == "ipset " && $1 == "create" {
		names[++n] = $2
		rest[$2] = substr($0, length("create " $2) + 1)
	}
	section == "ipset " && $1 == "add" {
		text = plain(substr($0, length("add " $2) + 2))
		if (($2, text) in wanted) next
		wanted[$2, text]
		element[$2, ++elements[$2]] = text
		if (($2, text) in has) kept[$2]++
	}
	END {
		if ("fwp4-heal" in there) print "destroy fwp4-heal"
		if ("fwp6-heal" in there) print "destroy fwp6-heal"
		for (k = 1; k <= n; k++) {
			name = names[k]
			if (!(name in there)) make(name, name)
			else if (kept[name] != elements[name] || holds[name] != elements[name]) {
				heal = substr(name, 1, 5) "heal"
				make(name, heal)
				print "swap " heal " " name
				print "destroy " heal
			}
		}
	}'
}

# xt_transaction FAMILY TABLE: the text for iptables-restore, nothing where there is
# nothing to do. Chains of ours that are wanted no more go. A jump exists, once and
# as rule 1, for each chain that stands in for a built-in one; the text of a listing
# says itself where jumps were. They are taken away by what they say and not by
# number: somebody else may insert a rule at the same moment. -D of a rule that is
# not there would fail the whole text.
xt_transaction() {
	awk -v family="$1" -v table="$2" '
	BEGIN {
		split("INPUT OUTPUT FORWARD PREROUTING POSTROUTING", builtin, " ")
		split("IN OUT FWD PRE POST", stem, " ")
	}
	/^#: / {
		section = substr($0, 4)
		here = 0
		if (section == "wish") wish = 1
		if (wish && section == "jumps") exact = 1
		next
	}
	!wish && /^[*]/ { here = section == "save " family && $1 == "*" table; next }
	!wish && here && /^:FWPUSH-/ { had[++hads] = substr($1, 2); next }
	!wish && here && /^-A / {
		rules[$2]++
		if ($2 !~ /^FWPUSH-/ && $0 ~ / -[jg] FWPUSH-[^ ]+$/) {
			now[$2, ++nows[$2]] = $0
			is[$2] = is[$2] rules[$2] " " $0 "\n"
			chains[$2]
		}
		next
	}
	wish && section == family " " table {
		if (/^:FWPUSH-/) { declared[substr($1, 2)]; order[++orders] = substr($1, 2) }
		if (/^-A FWPUSH-/) text[++texts] = $0
		next
	}
	wish && section == "jumps" && $1 == family && $2 == table { want($3, substr($0, index($0, " -A ") + 1)) }
	function want(place, rule,  word) {
		split(rule, word, " ")
		at[word[2], ++wants[word[2]]] = place
		to[word[2], wants[word[2]]] = rule
		shall[word[2]] = shall[word[2]] place " " rule "\n"
		chains[word[2]]
	}
	END {
		if (!hads && !orders) {
			for (c in chains) found = 1
			if (!found) exit
		}
		for (i = 1; !exact && (i in builtin); i++)
			if ("FWPUSH-" stem[i] in declared) want(1, "-A " builtin[i] " -j FWPUSH-" stem[i])
		print "*" table
		for (i = 1; i <= orders; i++) print ":" order[i] " - [0:0]"
		for (i = 1; i <= hads; i++) if (!(had[i] in declared)) print ":" had[i] " - [0:0]"
		for (c in chains) {
			if (is[c] == shall[c]) continue
			for (i = 1; i <= nows[c]; i++) {
				sub(/^-A/, "-D", now[c, i])
				print now[c, i]
			}
			left = rules[c] - nows[c]
			for (i = 1; i <= wants[c]; i++) {
				place = at[c, i] + 0
				if (place > left + 1) place = left + 1
				print "-I " c " " place substr(to[c, i], length("-A " c) + 1)
				left++
			}
		}
		for (i = 1; i <= texts; i++) print text[i]
		for (i = 1; i <= hads; i++) if (!(had[i] in declared)) print "-X " had[i]
		print "COMMIT"
	}'
}

# xt_sweep: sets of ours that are wanted no more. The kernel keeps one that a rule
# refers to, and may need a moment to let go of one after the rule went. One that
# stays is in no listing, and the next load tries again.
xt_sweep() {
	for name in $(xt_told | awk '
		/^#: / { section = $2 " " $3; next }
		section == "save ipset" && $1 == "create" { there[$2] }
		section == "ipset " && $1 == "create" { wanted[$2] }
		END { for (name in there) if (!(name in wanted)) print name }'); do
		for beat in 1 2 3; do
			! ipset destroy "$name" </dev/null 2>/dev/null || break
			[ "$beat" = 3 ] || sleep 1
		done
	done
}
