# shellcheck shell=sh
# What mode exclusive does with the home-made rules of a host: takes them away once the
# new ones are in force, and puts them back before those go. It is a part of revert.sh
# where the host is in that mode, so that whoever finishes such a transaction, of
# whatever version, has it at hand: see adopted.

# adoption VERB STATE LIMIT: STATE is the name of the state file that it is done under, and
# LIMIT how many seconds a load may take. What fails says why in D/err.
adoption() {
	NAME=$2
	messages
	case $1 in
	keep) home_keep "$3" ;;
	rehearse) rehearse ;;
	take)
		# shellcheck disable=SC2034 # read by fenced: new rules, and old ones that go
		STRICT=yes
		! home_differs || {
			echo 'the home-made rules were changed at this very moment' >"$MESSAGES"
			return 1
		}
		home_take "$3" && home_gone
		;;
	back) home_back "$3" ;;
	differs) home_differs ;;
	esac
}

# home_keep LIMIT: writes down what is to come back, in D/adopt, and proves that it does,
# in a network namespace of its own. It has to be what was told of it, D/adopt/told.
home_keep() {
	home_chains
	KEEPING=yes
	homemade && printf '%s\n' "$HOMEMADE" | cmp -s - "$D/adopt/told" || {
		echo 'the home-made rules were changed at this very moment, or the disk is full' >"$MESSAGES"
		return 1
	}
	home_native >"$D/adopt/native"
	! grep -q -e '--match-set' "$D"/adopt/ip* 2>/dev/null || ipset save >"$D/adopt/sets" 2>"$MESSAGES" </dev/null || return
	cat /proc/net/dev >"$D/adopt/links"
	unshare -n true 2>/dev/null || {
		echo 'the host allows no network namespace, so nothing proves that its home-made rules can be put back' >"$MESSAGES"
		return 1
	}
	run_tool "$1" unshare -n /bin/sh "$D/revert.sh" rehearse "$T" "$NAME" 60 || {
		rc=$?
		printf 'home-made rules cannot be put back: ' >"$MESSAGES"
		[ "$rc" -ne 137 ] || echo "their rehearsal took more than $1 s" >>"$MESSAGES"
		cat "$D/adopt/why" >>"$MESSAGES"
		return 1
	}
	rm -f "$D/adopt/why" "$D/adopt/links" "$D/adopt/native"
	printf '%s\n' "$T" >"$D/adopt/tx" && cp -R "$D/adopt" "$B/.adopted.$T" 2>"$MESSAGES"
}

# home_seen NAME FAMILY TABLE: while home_keep looks, what is to come back is written
# down: iptables-save of each variant of each family by the name of that, and of tables
# of nft nft.N, which loads one whatever is there, and nft.N.list, how it is listed.
KEEPING=''
home_seen() {
	case $KEEPING$1 in
	yesnft.*)
		printf '%s\n' "$SAVED" >"$D/adopt/$1.list" &&
			printf 'add table %s %s\ndelete table %s %s\n' "$2" "$3" "$2" "$3" >"$D/adopt/$1" &&
			nft list table "$2" "$3" >>"$D/adopt/$1" 2>"$MESSAGES" </dev/null
		;;
	yes*) printf '%s\n' "$SAVED" >"$D/adopt/$1" ;;
	esac
}

# home_out LIMIT TEXT HOW: the home-made rules of that text go, each table at once.
home_out() {
	FEED=$(printf '%s\n#: now\n%s\n' "$KEPT" "$2" | sort_out "$3" "$family-$v") || return
	[ -z "$FEED" ] || feed "$1" "$CALLED-restore" --noflush -w 10
}

# home_native: every rule in the tables of iptables-nft as nft reads it. One that nft itself
# has put there iptables-save may tell as one without conditions, and with no word of it.
home_native() {
	printf '%s\n' "$XTTABLES" | while read -r a b; do
		[ ! -e "$D/adopt/ip${a#ip}tables-nft" ] || nft -s list table "$a" "$b" 2>/dev/null </dev/null
	done | awk '
	/^table / { table = $2 " " $3 }
	/^\tchain / { chain = $2 }
	/^\t\t/ && !/^\t\ttype .* hook / { printf "%s %s %06d%s\n", table, chain, ++n[table, chain], $0 }' | sort
}

# home_take LIMIT: takes away what D/adopt has, or where there is none, at a boot, what
# is home-made then.
home_take() {
	for family in iptables ip6tables; do
		[ "$family" = iptables ] || ipv6 || continue
		for v in nft legacy; do
			if [ -d "$D/adopt" ]; then
				[ -e "$D/adopt/$family-$v" ] || continue
				called "$family" "$v"
				SAVED=$(cat "$D/adopt/$family-$v")
			else
				engine "$family" "$v" || continue
				home_save "$family" "$v" || {
					printf '%s\n' "$WHY" >"$MESSAGES"
					return 1
				}
			fi
			home_out "$1" "$SAVED" take && continue
			rc=$?
			# Of some rules it does not know its own words again: the legacy variant
			# of -m recent, whose mask it fills in when it was not given.
			! busy "$rc" && [ "$rc" -ne 99 ] && SAVED=$("$CALLED-save" 2>/dev/null </dev/null) && home_out "$1" "$SAVED" count || return "$rc"
		done
	done
	[ -n "$OTHERS" ] || return 0
	FEED=$(printf '%s\n' "$OTHERS" | while read -r a b; do printf 'delete table %s %s\n' "$a" "$b"; done)
	feed "$1" nft -f /dev/stdin
}

# home_gone: nothing home-made is there any more.
home_gone() {
	home_chains
	homemade
	messages
	[ -z "$HOMEMADE" ] || {
		printf 'home-made rules are still there: %s\n' "$(printf '%s\n' "$HOMEMADE" | head -n 1)" >"$MESSAGES"
		return 1
	}
}

# home_back LIMIT: what D/adopt has, as it was and where it was. What of it cannot be put
# back keeps nothing else of it away; but for a lock, which is waited for in order.
home_back() {
	failed=0
	for file in "$D"/adopt/ip*; do
		[ -e "$file" ] || continue
		name=${file##*/}
		called "${name%-*}" "${name#*-}" && SAVED=$("$CALLED-save" -c 2>/dev/null </dev/null) || {
			note "$name is gone: its home-made rules cannot be put back"
			failed=1
			continue
		}
		FEED=$({
			printf '%s\n#: old\n' "$KEPT"
			cat "$file"
			printf '#: now\n%s\n' "$SAVED"
		} | sort_out put "$name") || {
			failed=1
			continue
		}
		[ -z "$FEED" ] || feed "$1" "$CALLED-restore" --noflush -c -w 10 || home_failed $? || return
	done
	for file in "$D"/adopt/nft.*[0-9]; do
		[ -e "$file" ] || continue
		name=${file##*/}
		read -r _ _ a b <"$file"
		home_list "$a" "$b" && [ "$SAVED" = "$(cat "$file.list")" ] || run_nft "$1" -f "$file" || home_failed $? || return
	done
	return "$failed"
}

# home_failed STATUS: FAILED, or that status where nothing more is to be tried.
home_failed() {
	! busy "$1" && [ "$1" -ne 99 ] || return "$1"
	failed=$1
	note "home-made rules refused ($name): $(head -c 300 "$MESSAGES" 2>/dev/null)"
	return 0
}

# home_differs: what is home-made is not what D/adopt says.
home_differs() {
	home_chains
	homemade
	[ "$HOMEMADE" != "$(cat "$D/adopt/told")" ]
}

# rehearse: everything that D/adopt has is loaded, taken away and put back, in the
# network namespace that this runs in, and is what it was. D/adopt/why says why not.
rehearse() {
	rehearsal 2>&1 || exit 1
} >"$D/adopt/why"
rehearsal() {
	# A table of nft may be about interfaces, which have to be there by their names.
	while read -r i _; do
		case $i in
		lo:) ;;
		*:) grep -qs "\"${i%:}\"" "$D"/adopt/nft.* && { ip link add "${i%:}" type dummy || ip link add "${i%:}" type bridge; } ;;
		esac
	done <"$D/adopt/links" >/dev/null 2>&1
	[ ! -e "$D/adopt/sets" ] || ipset restore <"$D/adopt/sets" || return
	for file in "$D"/adopt/ip*; do
		[ -e "$file" ] || continue
		name=${file##*/}
		called "${name%-*}" "${name#*-}" && "$CALLED-restore" -c -w 10 <"$file" || return
	done
	for file in "$D"/adopt/nft.*[0-9]; do
		[ -e "$file" ] || continue
		name=${file##*/}
		# Elements that packets have made may not load as they are listed.
		nft -f "$file" || {
			{ head -n 2 "$file"; cat "$file.list"; } >"$D/adopt/new" && nft -f "$D/adopt/new" && mv -f "$D/adopt/new" "$file"
		} || return
	done
	rehearsed || return
	home_native | cmp -s - "$D/adopt/native" || {
		echo 'among the rules of iptables-nft there are some that only nft can read:'
		home_native | diff "$D/adopt/native" - | grep '^[<>]' | head -n 4
		return 1
	}
	home_take 60 && home_gone && home_back 60 || {
		cat "$MESSAGES"
		return 1
	}
	rehearsed
}

# rehearsed: what is loaded is what D/adopt has.
rehearsed() {
	! home_differs || {
		echo 'they are not listed as they were:'
		printf '%s\n' "$HOMEMADE" | diff "$D/adopt/told" - | grep '^[<>]' | head -n 4
		return 1
	}
	for file in "$D"/adopt/ip*; do
		[ -e "$file" ] || continue
		name=${file##*/}
		called "${name%-*}" "${name#*-}" || return
		[ "$(uncounted <"$file")" = "$("$CALLED-save" 2>/dev/null | uncounted)" ] || {
			echo "$name does not say the same afterwards"
			return 1
		}
	done
}

# uncounted: iptables-save without what is not about rules, its tables in a fixed order.
uncounted() {
	sed -e '/^#/d' -e 's/^\[[0-9:]*\] //' -e 's/ \[[0-9]*:[0-9]*\]$//' | awk '
	/^[*]/ { table = $0 }
	{ text[table] = text[table] $0 "\n" }
	END { printf "%s%s%s%s%s", text["*raw"], text["*mangle"], text["*nat"], text["*filter"], text["*security"] }'
}
