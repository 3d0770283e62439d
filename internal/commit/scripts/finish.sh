# shellcheck shell=sh
# What a second connection may do with transaction T: ask about it, confirm it,
# extend it, or take it back.

# over: T is decided; says so and ends, after finishing what is left to finish.
over() {
	look && [ "$TX" = "$T" ] || ST=none
	foreign || case $ST in confirming | reverting | dropping) revert now ;; esac
	outcome
	say_over
}

# say_over: the outcome, and what of it is not as the word says.
say_over() {
	mark=''
	[ ! -e "$D/homeless" ] || mark=' home'
	[ ! -e "$D/bootbad" ] || mark=' boot'
	[ ! -e "$D/open" ] || mark=' open'
	say over "$OUTCOME$mark"
	exit 0
}

# pending: whether T is still to be decided. One past its deadline, whose timers
# are dead, is reverted by whoever comes first.
pending() {
	look && [ "$TX" = "$T" ] || return 1
	if foreign; then
		case $ST in staged | armed | applied) return 0 ;; esac
		return 1
	fi
	case $ST in
	staged | armed)
		if ! alive "$OP" "$OQ"; then
			fence "$OP" "$OQ"
			revert now
			return 1
		fi
		;;
	applied) ! due || { revert due; return 1; } ;;
	*) return 1 ;;
	esac
}

# fresh: nothing but a connection made after the new rules were in force proves
# that somebody can get in.
fresh() {
	# shellcheck disable=SC2086 # client, port, server, port
	set -- $CONNECTION
	[ $# -eq 4 ] || refuse 'fresh no SSH_CONNECTION: sshd did not say where this comes from'
	case $1 in
	127.* | ::1 | ::ffff:127.* | "$3") refuse 'fresh a confirm must come over the network' ;;
	esac
	while read -r known; do
		[ "$known" != "$CONNECTION" ] || refuse 'fresh this connection is not new'
	done <"$D/seen"
	born=0
	{ read -r born <"$D/born"; } 2>/dev/null
	age
	[ "$SINCE" -gt 0 ] || refuse 'fresh no process of OpenSSH or dropbear serves this connection: how old it is cannot be told'
	[ "$SINCE" -ge "$born" ] || refuse 'fresh this connection is older than the rules'
	read -r u0 clock0 <"$D/clock"
	up
	drift=$(($(date +%s) - clock0 - (U - u0)))
	[ "${drift#-}" -le 30 ] || refuse "fresh the host's clock was stepped by $drift s since apply"
}

# secrets: what Begin drew and told; asked for by stdin, never in an argument.
secrets() {
	say ask
	ask 60 || exit 0
	# shellcheck disable=SC2086
	set -- $WORD
	nonce='' seal=''
	{ read -r nonce <"$D/nonce"; read -r seal <"$D/seal"; } 2>/dev/null
	[ -n "$nonce" ] && [ "${1-}" = "$nonce" ] || refuse 'fresh wrong nonce'
	[ -n "$seal" ] && [ "${2-}" = "$seal" ] || refuse 'fresh wrong seal'
}

left() {
	up
	LEFT=$((DL - U))
	[ "$LEFT" -gt 0 ] || LEFT=0
}

# timers_alive: how many of the timers still stand.
timers_alive() {
	ALIVE=0
	[ -r "$D/timers" ] || return 0
	while read -r kind a b; do
		case $kind in
		at) atq 2>/dev/null | grep -q "^$a	" ;;
		process) alive "$a" "$b" ;;
		unit) systemctl is-active -q "$b" ;;
		esac && ALIVE=$((ALIVE + 1))
	done <"$D/timers"
}

commit() {
	sides
	listing || refuse "commit cannot list the running rules: $NFTERR$XTERR"
	[ "$L" = "$(cat "$D/canon")" ] || refuse 'commit the running rules are not the ones that were applied: somebody else changed them'
	rm -f "$B/.probe.$T" || refuse "commit cannot write to $B"
	pending && [ "$ST" = applied ] || over
	turn confirming "$DL" || over
	persist
	outcome
	if [ "$OUTCOME" = confirmed ] && [ ! -e "$D/remove" ]; then
		newest
		boot_file
		[ -s "$B/$BOOTFILE" ] && cmp -s "$B/$BOOTFILE" "$B/gen/$GEN/rules" || refuse 'persist the boot file does not read back'
	fi
	say_over
}

# outlived: T was decided while new timers were armed for it. Whoever decided may
# have taken the timers away before: once that is through, these go too.
outlived() {
	if look && [ "$TX" = "$T" ]; then
		case $ST in confirming | reverting | dropping) revert now ;; esac
	fi
	if look && [ "$TX" = "$T" ]; then
		case $ST in confirmed | reverted) disarm ;; esac
	fi
	over
}

# extend SECONDS: new timers first, proved like the first ones; the rename that
# moves the deadline is one more step of the state, and the old timers, which
# read the name again when they wake, are never missing in between.
extend() {
	is_number "$1" && [ "$1" -ge 2 ] && [ "$1" -le 3600 ] || refuse 'extend bad number of seconds'
	pending && [ "$ST" = applied ] || over
	read -r u0 _ <"$D/clock"
	up
	[ $((U + $1 - u0)) -le 3600 ] || refuse 'extend a transaction lasts 60 minutes at most'
	was=$DL
	DL=$((U + $1))
	# A timer that sleeps until the old deadline would miss an earlier one.
	[ "$DL" -gt "$was" ] || {
		DL=$was
		left
		say extended "$LEFT (as it was)"
		return
	}
	arm || {
		# A watchdog that finds T decided ends instead of proving itself.
		look && [ "$TX" = "$T" ] && [ "$ST" = applied ] || outlived
		refuse "extend $UNARMED"
	}
	turn applied "$DL" || outlived
	left
	say extended "$LEFT $TIMERS (was $((was - U)))"
}

confirm() {
	pending || over
	[ "$ST" = applied ] || refuse "fresh the rules are not applied yet ($ST)"
	[ ! -e "$D/drill" ] || refuse 'fresh this is a drill, which nobody confirms: it reverts at its deadline'
	secrets
	fresh
	left
	timers_alive
	say fresh "$LEFT $ALIVE"
	while ask 120; do
		case $WORD in
		commit) commit ;;
		revert) revert now; over ;;
		extend\ *) extend "${WORD#extend }" ;;
		*) refuse 'protocol unknown word' ;;
		esac
	done
	exit 0
}

# tell: the state and, since this connection may no longer confirm once it has
# heard them, the secrets.
tell() {
	pending || over
	nonce='' seal=''
	if [ "$ST" = applied ] && [ -r "$D/seal" ]; then
		printf '%s\n' "$CONNECTION" >>"$D/seen"
		{ read -r nonce <"$D/nonce"; read -r seal <"$D/seal"; } 2>/dev/null
	fi
	left
	say state "$ST $LEFT ${nonce:--} ${seal:--}"
	exit 0
}

finish() {
	myself
	strange
	is_hex "$T" 32 || refuse 'protocol bad transaction id'
	D=$R/tx/$T
	if look && [ "$TX" = "$T" ]; then
		case $ST in confirmed | reverted) ;; *) ! rebooted || over ;; esac
		if foreign && [ "$1" != tell ]; then
			[ "$1" = revert ] || refuse 'protocol the transaction is of another version of fwpush'
			by_its_own now
			over
		fi
	fi
	case $1 in
	confirm) confirm ;;
	tell) tell ;;
	revert)
		! pending || revert now
		over
		;;
	esac
	exit 0
}
