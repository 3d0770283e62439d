# shellcheck shell=sh
# What stays on the host as R/tx/T/revert.sh while a transaction is pending, and
# what every timer runs. It needs no network and no controller.

# old_rules: puts back what ran before. Only nft's own failure counts: a
# listing that differs afterwards is reported, it is no reason to go on.
# 1: nothing of ours could be loaded, and the table of ours is gone.
old_rules() {
	tries=0
	# What the check took tells how long a load may take on this host.
	LIMIT=60
	{ read -r LIMIT <"$D/limit"; } 2>/dev/null
	while [ "$tries" -lt 5 ]; do
		if run_nft "$LIMIT" -f "$D/old.nft"; then
			listing
			if [ "$L" != "$(cat "$D/old.canon")" ]; then
				printf '' >"$D/differs"
				note 'the old rules are back; their listing differs from before'
			fi
			return 0
		fi
		note "old rules refused: $(head -c 300 "$D/err")"
		tries=$((tries + 1))
		sleep 1
	done
	if [ -r "$B/boot.nft" ] && run_nft "$LIMIT" -f "$B/boot.nft"; then
		printf '' >"$D/differs"
		note 'the old rules could not be loaded; the last confirmed ones are'
		return 0
	fi
	printf '' >"$D/open"
	printf 'add table inet fwpush\ndelete table inet fwpush\n' >"$D/none.nft"
	run_nft "$LIMIT" -f "$D/none.nft" || note "own table not removed: $(head -c 300 "$D/err")"
	return 1
}

# tell_all TEXT: syslog and every terminal, in the background: neither may hold
# up a revert.
tell_all() {
	(
		logger -t fwpush -p auth.warning "$1"
		wall "fwpush: $1"
	) </dev/null >/dev/null 2>&1 8>&- &
}

# record OUTCOME: one line of history.
record() {
	[ -d "$B" ] || return 0
	run='' who=''
	{ read -r run <"$D/run"; read -r who <"$D/who"; } 2>/dev/null
	printf '%s %s %s %s %s\n' "$(date +%s)" "$T" "$1" "${run:--}" "$who" >>"$B/history"
}

# unqueue JOB: asks up to five times, because at(1) and atrm(1) give up when any
# other job ends while they read the queue, and that of the watchdog may do so now.
unqueue() {
	for _ in 1 2 3 4 5; do
		case $(at -c "$1" 2>/dev/null) in
		*"$T"*) ! atrm "$1" 2>/dev/null || return 0 ;;
		esac
	done
}

# disarm: takes away the timers of T, but for the one that runs this. A job is
# only removed if its text names T, a process only if it is still the same one.
disarm() {
	[ -r "$D/timers" ] || return 0
	while read -r kind a b; do
		case $kind in
		at) unqueue "$a" ;;
		process) [ "$a" = "$P" ] || ! alive "$a" "$b" || kill "$a" 2>/dev/null ;;
		unit) [ "$a" = "$P" ] || systemctl stop "$b" 2>/dev/null ;;
		esac
	done <"$D/timers"
	for g in /sys/fs/cgroup/fwpush /sys/fs/cgroup/*/fwpush; do
		[ ! -d "$g" ] || rmdir "$g" 2>/dev/null # while a watchdog is in there it stays
	done
	return 0
}

# unstage: what was prepared on disk for a commit that will not be.
unstage() {
	rm -rf "$B/gen/.$T" "$B/boot.$T"
	if [ -e "$D/unit.new" ] && [ ! -e "$B/boot.nft" ]; then
		systemctl disable fwpush.service
		rm -f "$UNITDIR/fwpush.service"
		systemctl daemon-reload
		rm -f "$D/unit.new"
	fi >/dev/null 2>&1
	# B was made for this commit: leave nothing of it but the history
	rmdir "$B/gen" "$B" 2>/dev/null
	return 0
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

# owner_done: 0 once the owner of a decided state is gone; a live one that loads
# nothing is given 15 seconds, then it hangs and is ended.
owner_done() {
	pid=$OP start=$OQ waited=0
	while [ "$pid" != "$P" ] && alive "$pid" "$start" && { [ "$waited" -lt 15 ] || loading; }; do
		sleep 1
		waited=$((waited + 1))
		look && [ "$OP" = "$pid" ] && [ "$OQ" = "$start" ] || return 1
	done
	fence "$pid" "$start"
}

# revert now|due: 0 when nothing is left to do, 1 when it is not time yet, 2
# when the old rules could not be loaded and somebody must try again.
revert() {
	while look && [ "$TX" = "$T" ]; do
		case $ST in
		staged | armed)
			[ "$1" = now ] || due || return 1
			turn reverted 0 || continue
			unstage
			record 'reverted (never applied)'
			disarm
			return 0
			;;
		applied)
			[ "$1" = now ] || due || return 1
			pid=$OP start=$OQ
			# A rename that fails although nobody else moved the state (a file
			# system gone read-only) must not keep the old rules away.
			was=$NAME
			turn reverting "$DL" || { look && [ "$NAME" = "$was" ] || continue; }
			fence "$pid" "$start"
			finish_revert
			return
			;;
		reverting)
			owner_done || continue
			turn reverting "$DL" || continue
			finish_revert
			return
			;;
		confirming)
			owner_done || continue
			turn confirming "$DL" || continue
			persist && return 0
			;;
		*) return 0 ;;
		esac
	done
	return 0
}

finish_revert() {
	if ! old_rules; then
		tell_all "the old firewall rules could not be put back; table inet fwpush was removed, the host is OPEN (transaction $T)"
		return 2
	fi
	rm -f "$D/open"
	# Before anything is tidied away: B goes with its last file.
	if [ -e "$D/differs" ]; then record 'reverted differs'; else record reverted; fi
	[ ! -d "$B" ] || printf '%s %s %s\n' "$(date +%s)" "$T" "${run:--}" >"$B/last_revert"
	unstage
	turn reverted 0
	tell_all "unconfirmed firewall rules were taken back (transaction $T)"
	disarm
	return 0
}

# persist: makes the decision `confirming` last. Every step may have been done
# by somebody who died, so each looks first. On failure the boot file of before
# is put back and the transaction reverts: 1.
persist() {
	if make_lasting 2>"$D/err"; then
		turn confirmed 0 || return 0
		if [ -e "$D/remove" ]; then record removed; else record confirmed; fi
		disarm
		if [ -e "$D/remove" ]; then
			forget
		elif [ -e "$D/unit.start" ]; then
			# A unit that is not active is not reloaded with nftables.service.
			systemctl start --no-block fwpush.service 2>/dev/null
		fi
		return 0
	fi
	note "cannot persist: $(head -c 300 "$D/err")"
	if [ -e "$D/first" ]; then
		rm -f "$B/boot.nft" "$B/owner"
	elif [ -e "$D/remove" ] && [ -e "$B/boot.nft" ]; then
		: # it is still the one of before
	elif [ -e "$D/remove" ] || [ ! -e "$B/boot.$T" ]; then
		mv -f "$B/boot.prev" "$B/boot.nft"
	fi 2>/dev/null
	turn reverting "$DL" && finish_revert
	return 1
}

make_lasting() {
	if [ -e "$D/remove" ]; then
		[ ! -e "$B/boot.nft" ] || mv -f "$B/boot.nft" "$B/boot.prev" || return 1
		flush_disk "$B"
		return
	fi
	if [ -e "$B/boot.$T" ]; then
		if [ -e "$B/boot.nft" ]; then ln -f "$B/boot.nft" "$B/boot.prev" || return 1; fi
		mv -f "$B/boot.$T" "$B/boot.nft" || return 1
	fi
	if [ -d "$B/gen/.$T" ]; then
		newest
		if [ -e "$B/gen/.$T/owner" ]; then mv -f "$B/gen/.$T/owner" "$B/owner" || return 1; fi
		mv -f "$B/gen/.$T" "$B/gen/$((GEN + 1))" || return 1
		for g in "$B"/gen/[0-9]*; do
			[ "${g##*/}" -gt $((GEN - 4)) ] || rm -rf "$g"
		done
	fi
	newest
	flush_disk "$B" "$B/gen" "$B/owner" "$B/boot.nft" "$B/gen/$GEN" "$B/gen/$GEN"/*
}

# flush_disk PATHS: down to the disk; 1 if it did not get there. A sync that takes
# no names (some busybox) does all disks and cannot fail.
flush_disk() {
	said=$(sync "$@" 2>&1) && return 0
	case $said in
	*sage* | *rgument*) sync ;;
	*)
		printf '%s\n' "$said" >&2
		return 1
		;;
	esac
}

# forget: an unmanaged host keeps one thing of ours, its history.
forget() {
	if [ -e "$UNITDIR/fwpush.service" ]; then
		systemctl disable --now fwpush.service
		rm -f "$UNITDIR/fwpush.service"
		systemctl daemon-reload
	fi >/dev/null 2>&1
	rm -rf "$B/gen" "$B/owner" "$B/boot.prev" "$B/last_revert"
	flush_disk "$B" 2>/dev/null
	# R goes last, and only if nobody claimed the host meanwhile.
	gone=/run/fwpush.$P.$Q
	mv -f "$R/$NAME" "$gone.state" 2>/dev/null || return 0
	mv -f "$R" "$gone" && rm -rf "$gone" "$gone.state"
}

# watch: what every timer does: sleep until the deadline that stands in the
# state's name, look again, and revert if it is still so.
watch() {
	{ echo -900 >/proc/self/oom_score_adj; } 2>/dev/null
	while look && [ "$TX" = "$T" ]; do
		case $ST in
		staged | armed | applied)
			up
			left=$((DL - U))
			;;
		confirming | reverting) left=0 ;;
		*) return 0 ;;
		esac
		if [ "$left" -le 0 ]; then
			revert due
			case $? in
			0) return 0 ;;
			2)
				again
				left=60
				;;
			*) left=1 ;;
			esac
		fi
		doze "$left"
	done
}

# doze SECONDS: a sleep that a TERM ends together with this process, whenever
# it comes.
doze() {
	inherited=${!-}
	trap '[ "${!-}" = "$inherited" ] || kill -9 "$!"; exit 0' TERM
	sleep "$1" &
	wait "$!"
	trap - TERM
}

# again: a revert that failed queues a successor that needs no process.
again() {
	printf '[ -r %s ] && exec /bin/sh %s watch %s\n' "$D/revert.sh" "$D/revert.sh" "$T" |
		env -i PATH="$PATH" LC_ALL=C TZ=UTC0 SHELL=/bin/sh at -M now + 1 minute 2>&1 |
		sed -n 's/^job \([0-9][0-9]*\) at .*/at \1/p' >>"$D/timers"
} 2>/dev/null
