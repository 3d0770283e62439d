# shellcheck shell=sh
# What stays on the host as R/tx/T/revert.sh while a transaction is pending, and
# what every timer runs. It needs no network and no controller.

# adopted VERB LIMIT: does that with the home-made rules that this transaction takes
# away, if it takes any. D/revert.sh knows how; a shell of its own has fewer names that
# could be mistaken.
adopted() {
	[ -d "$D/adopt" ] || return 0
	messages
	/bin/sh "$D/revert.sh" "$1" "$T" "$NAME" "$2" </dev/null >/dev/null 2>&1 8>&-
}

# load_old: what ran before, on both sides that the transaction has touched. What
# has rules comes first, so that the door is not open in between.
load_old() {
	adopted back "$LIMIT" || return
	sides
	lines=0
	[ "$XT" = no ] || while [ "$lines" -lt 2 ] && read -r _; do lines=$((lines + 1)); done <"$D/old.ipt"
	if [ "$lines" -gt 1 ]; then xt_load "$LIMIT" "$D/old.ipt" || return; fi
	[ "$NFT" = no ] || run_nft "$LIMIT" -f "$D/old.nft" || return
	if [ "$lines" -eq 1 ]; then xt_unload "$LIMIT" || return; fi
	[ "$XT" = no ] || xt_alone "$LIMIT"
}

# load_confirmed FILE: the rules of a boot file, and none of ours on the other side.
load_confirmed() {
	if is_iptables "$1"; then
		xt_load "$LIMIT" "$1" && xt_alone "$LIMIT" && { [ "$NFT" = no ] || run_nft "$LIMIT" "$NOTABLE"; }
	else
		run_nft "$LIMIT" -f "$1" && { [ "$XT" = no ] || xt_clear; }
	fi
}

# xt_clear: nothing of ours in any variant of iptables, be it that one does not work.
xt_clear() {
	xt_unload "$LIMIT"
	cleared=$?
	! busy "$cleared" || return "$cleared"
	xt_alone "$LIMIT" && return "$cleared"
}

# no_rules: nothing of ours on either side; the last resort.
no_rules() {
	OPEN='table inet fwpush was removed, the host is OPEN'
	[ "$XT" = no ] || OPEN='chains FWPUSH-* were removed, the host is OPEN'
	{ [ "$NFT" = no ] || run_nft "$LIMIT" "$NOTABLE"; } && { [ "$XT" = no ] || unlocked xt_clear; } && return
	note "own rules not removed: $(head -c 300 "$D/err")"
	OPEN='table inet fwpush could not be removed either, the new rules stay in force'
	[ "$XT" = no ] || OPEN='chains FWPUSH-* could not be removed either, the new rules stay in force'
}

# unlocked LOAD ARGS...: a load, again and again while another program holds the lock
# of iptables: what runs stays until then, and nothing could take it away either.
unlocked() {
	said=''
	while :; do
		"$@"
		rc=$?
		busy "$rc" || return "$rc"
		[ -n "$said" ] || note 'another program holds the lock of iptables; waiting for it'
		said=yes
		sleep 1
	done
}

# old_rules: puts back what ran before. Only a loader's own failure counts: a
# listing that differs afterwards is reported, it is no reason to go on.
# 1: nothing of ours could be loaded, and the rules of ours are gone.
old_rules() {
	tries=0
	rm -f "$D/homeless" 2>/dev/null
	load_limit
	while [ "$tries" -lt 5 ]; do
		unlocked load_old
		rc=$?
		case $rc in
		0)
			listing
			if [ "$L" != "$(cat "$D/old.canon")" ] || { [ -d "$D/adopt" ] && adopted differs 0; }; then
				printf '' >"$D/differs"
				note 'the old rules are back; their listing differs from before'
			fi
			return 0
			;;
		99) return 99 ;; # somebody else has taken over
		137) # too slow is not refused: give it more time, less often
			note "the old rules needed more than $LIMIT s to load"
			LIMIT=$((LIMIT * 2)) tries=$((tries + 1))
			;;
		*) note "old rules refused: $(head -c 300 "$D/err")" ;;
		esac
		tries=$((tries + 1))
		sleep 1
	done
	boot_file
	confirmed=$B/$BOOTFILE
	[ ! -e "$D/bootbad" ] || confirmed=$B/boot.prev
	if [ -f "$confirmed" ] && unlocked load_confirmed "$confirmed"; then
		printf '' >"$D/differs"
		[ ! -d "$D/adopt" ] || ! adopted differs 0 || printf '' >"$D/homeless"
		note 'the old rules could not be loaded; the last confirmed ones are'
		return 0
	fi
	printf '' >"$D/open"
	no_rules
	return 1
}

# load_limit: LIMIT, how many seconds a load may take on this host; what the check
# took tells.
load_limit() {
	LIMIT=30
	{ read -r LIMIT <"$D/limit"; } 2>/dev/null
}

# tell_all TEXT: syslog and every terminal, in the background: neither may hold
# up a revert.
tell_all() {
	(
		logger -t fwpush -p auth.warning "$1"
		wall "fwpush: $1"
	) </dev/null >/dev/null 2>&1 8>&- &
}

# record OUTCOME: one line of history. Whoever finishes what another one began may
# come here a second time.
record() {
	[ -d "$B" ] || return 0
	! tail -n 1 "$B/history" 2>/dev/null | grep -q " $T $1 " || return 0
	run='' who=''
	{ read -r run <"$D/run"; read -r who <"$D/who"; } 2>/dev/null
	printf '%s %s %s %s %s\n' "$(date +%s)" "$T" "$1" "${run:--}" "$who" >>"$B/history"
}

# outcome: how T ended, from the state file or, if another run moved on since,
# from history.
outcome() {
	if look && [ "$TX" = "$T" ]; then
		OUTCOME=$ST
		[ ! -e "$D/givenup" ] || OUTCOME=given-up
		return
	fi
	OUTCOME=none
	[ -r "$B/history" ] || return 0
	while read -r _ tx how _; do
		[ "$tx" != "$T" ] || OUTCOME=$how
	done <"$B/history"
}

# unit_away WORD: the boot unit, whichever init it is for; --now ends it if it runs.
unit_away() {
	if [ -e "$UNITDIR/fwpush.service" ]; then
		# shellcheck disable=SC2086 # no word, or one
		systemctl disable $1 fwpush.service
		rm -f "$UNITDIR/fwpush.service"
		systemctl daemon-reload
	fi
	if [ -e "$INITDIR/fwpush" ]; then
		[ -z "$1" ] || rc-service fwpush stop # it changes no rules
		rc-update delete fwpush boot
		rm -f "$INITDIR/fwpush"
	fi
} >/dev/null 2>&1

# unstage: what was prepared on disk for a commit that will not be.
unstage() {
	rm -rf "$B/gen/.$T" "$B/boot.$T" "$B/load.$T" "$B/.probe.$T" "$B/.adopted.$T"
	boot_file
	if [ -e "$D/unit.new" ] && [ -z "$BOOTFILE" ]; then
		unit_away ''
		rm -f "$D/unit.new"
	fi
	# B was made for this commit: leave nothing of it but the history
	rmdir "$B/gen" "$B" 2>/dev/null
	return 0
}

# rebooted: 0 if the transaction, not at its end, was begun before the host was
# booted: its timers and its rules died with that boot, and it is over. (Where
# /run outlives a boot, its deadline means nothing any more either.)
rebooted() {
	tboot='' bootid=''
	{ read -r tboot <"$D/boot"; read -r bootid </proc/sys/kernel/random/boot_id; } 2>/dev/null
	[ -n "$tboot" ] && [ "$tboot" != "$bootid" ] || return 1
	turn reverted 0 || return 1
	record 'reverted (reboot)'
}

due() {
	up
	[ "$U" -ge "$DL" ]
}

# loading: an nft of this transaction is at work; its guard bounds it.
loading() {
	[ -r "$D/loader" ] || return 1
	while read -r nft_pid nft_start; do
		! alive "$nft_pid" "$nft_start" || return 0
	done <"$D/loader"
	return 1
}

# owner_done: 0 once the owner of a decided state is gone; a live one is given 15
# seconds, a minute if it confirms, and the time that a load may take if it loads.
# Then it hangs and is ended: whoever guards its load may be gone. 1 if the state was
# turned meanwhile: its owner may have turned it to an end, which is never left again.
owner_done() {
	pid=$OP start=$OQ waited=0 patience=15 step=$NAME
	[ "$ST" != confirming ] || patience=60 # a disk may take its time to sync
	load_limit
	while [ "$pid" != "$P" ] && alive "$pid" "$start" &&
		{ [ "$waited" -lt "$patience" ] || { loading && [ "$waited" -lt $((LIMIT + 15)) ]; }; }; do
		sleep 1
		waited=$((waited + 1))
		look && [ "$NAME" = "$step" ] || return 1
	done
	fence "$pid" "$start"
}

# foreign: what another version of the protocol has begun.
foreign() {
	tproto=$PROTO
	{ read -r tproto <"$D/proto"; } 2>/dev/null
	[ "$tproto" != "$PROTO" ]
}

# by_its_own VERB: such a transaction is touched only by what its own version has
# left here to take it back. 0 if it is over then. One that left nothing yet has
# changed nothing.
by_its_own() {
	case $ST in staged | armed) ! alive "$OP" "$OQ" || return 1 ;; esac
	if [ -r "$D/revert.sh" ]; then
		/bin/sh "$D/revert.sh" "$1" "$T" </dev/null >/dev/null 2>&1
	else
		case $ST in staged | armed) turn dropping 0 && finish_drop '' ;; esac
	fi
	look && case $ST in confirmed | reverted) ;; *) false ;; esac
}

# unmoved: a step failed, and nobody else has made one: R cannot be written.
unmoved() { look && [ "$NAME" = "$was" ]; }

# revert now|due: 0 when nothing is left to do, 1 when it is not time yet, 2
# when the old rules could not be loaded and somebody must try again.
revert() {
	while look && [ "$TX" = "$T" ]; do
		was=$NAME
		case $ST in
		staged | armed)
			[ "$1" = now ] || due || return 1
			turn dropping 0 || { ! unmoved || return 1; continue; }
			finish_drop 'reverted (never applied)'
			return 0
			;;
		dropping)
			owner_done || continue
			turn dropping 0 || { ! unmoved || return 1; continue; }
			finish_drop 'reverted (never applied)'
			return 0
			;;
		applied)
			[ "$1" = now ] || due || return 1
			pid=$OP start=$OQ
			# A rename that fails although nobody else moved the state (a file
			# system gone read-only) must not keep the old rules away.
			turn reverting "$DL" || turn reverting "$DL" || unmoved || continue
			fence "$pid" "$start"
			finish_revert
			return
			;;
		reverting)
			owner_done || continue
			turn reverting "$DL" || unmoved || continue
			end_loads # of an owner that died: one may have begun before this step
			finish_revert
			return
			;;
		confirming)
			owner_done || continue
			turn confirming "$DL" || { ! unmoved || return 1; continue; }
			! persist || return 0
			! unmoved || return 1 # nothing can be written at all
			;;
		*) return 0 ;;
		esac
	done
	return 0
}

# finish_drop OUTCOME: the end of a transaction whose rules never ran. Until the
# last step it holds the host: what it takes away could be the next one's.
finish_drop() {
	unstage
	[ -z "$1" ] || record "$1"
	disarm
	turn reverted 0
}

# BY is who takes back: a timer, or somebody who asked for it or found it due.
BY=asked

# BACK: the transaction that this process has taken back, all but for its state, which could
# not be turned: the timers stay, and whichever is the next to look tries again.
BACK=''

finish_revert() {
	if [ "$BACK" = "$T" ]; then
		[ "$ST" = reverting ] || return 1
		disarm
		turn reverted 0
		return
	fi
	[ ! -e "$D/undo" ] || put_back 2>/dev/null
	old_rules
	case $? in
	0) rm -f "$D/open" "$D/givenup" ;;
	99) return 0 ;;
	*)
		tell_all "the old firewall rules could not be put back; $OPEN (transaction $T)"
		return 2
		;;
	esac
	up # at once: a drill is about when it was over
	word=reverted kept=last_revert said='unconfirmed firewall rules were taken back' proof=''
	if [ -e "$D/drill" ]; then
		word=drilled kept=last_drill said='a drill: marked firewall rules were taken back as planned'
		proof=" $((U - DL)) $BY"
		[ ! -e "$D/differs" ] || proof=" $((U - DL)) differs"
	fi
	[ ! -e "$D/homeless" ] || { salvage && said="$said, but not all of the home-made ones are back: $B/adopted has them"; }
	# Before anything is tidied away: B goes with its last file.
	if [ -e "$D/differs" ]; then record "$word differs"; else record "$word"; fi
	run=''
	{ read -r run <"$D/run"; } 2>/dev/null
	[ ! -d "$B" ] || {
		printf '%s %s %s%s\n' "$(date +%s)" "$T" "${run:--}" "$proof" >"$B/.$kept.$T" && mv -f "$B/.$kept.$T" "$B/$kept"
	} 2>/dev/null || rm -f "$B/.$kept.$T"
	unstage
	tell_all "$said (transaction $T)"
	BACK=$T
	[ "$ST" = reverting ] || return 1
	disarm
	turn reverted 0
}

# watch: what every timer does: sleep until the deadline that stands in the
# state's name, look again, and revert if it is still so. A revert that fails is
# tried again each minute, here and by a job that needs no process.
watch() {
	{ echo -900 >/proc/self/oom_score_adj; } 2>/dev/null
	queued=''
	while look && [ "$TX" = "$T" ]; do
		case $ST in confirmed | reverted) return 0 ;; esac
		! rebooted || return 0
		up
		left=$((DL - U))
		# A decision whose owner is at work is left to it until the deadline.
		case $ST in confirming | reverting | dropping) alive "$OP" "$OQ" || left=0 ;; esac
		if [ "$left" -le 0 ]; then
			revert due
			case $? in
			0) return 0 ;;
			2)
				[ -n "$queued" ] || again
				queued=yes left=60
				;;
			*) left=1 ;;
			esac
		fi
		# Not in one piece: a machine that was suspended wakes late.
		[ "$left" -le 30 ] || left=30
		doze "$left"
	done
}

# retry: one try, and the job for the next one if it fails.
retry() {
	look && [ "$TX" = "$T" ] || return 0
	revert due
	[ $? -ne 2 ] || again
}

# again: the job that tries a failed revert once more.
again() {
	printf '[ -r %s ] && exec /bin/sh %s retry %s\n' "$D/revert.sh" "$D/revert.sh" "$T" |
		env -i PATH="$PATH" LC_ALL=C TZ=UTC0 SHELL=/bin/sh at -M now + 1 minute 2>&1 |
		sed -n 's/^job \([0-9][0-9]*\) at .*/at \1/p' >>"$D/timers"
} 2>/dev/null
