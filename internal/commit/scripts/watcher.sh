# shellcheck shell=sh
# What a process that counts as a timer does, whatever it is for: it leaves the login
# session, says who it is, sleeps, and is taken away again. D/timers has those of T.

GROUP=fwpush # the cgroup for them

# leave_group: out of the cgroup of the login session, which logind may end with
# everything in it (KillUserProcesses=yes), and out of that of atd, which systemd
# ends with it unless its unit says KillMode=process, as Debian's does.
leave_group() {
	[ -d /run/systemd/system ] || return 0
	while IFS=: read -r _ _ group; do
		case $group in */session-*.scope* | */user.slice/* | *.service*) ;; *) continue ;; esac
		for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
			[ -w "$tree/cgroup.procs" ] || continue
			mkdir -p "$tree/$GROUP"
			echo 0 >"$tree/$GROUP/cgroup.procs"
		done
		return
	done </proc/self/cgroup
} 2>/dev/null

# announce KIND: says who and where this is through the fifo. A fifo opened for reading
# and writing never blocks.
announce() {
	[ "$1" = systemd ] || leave_group # there the service is what keeps it alive
	printf '%s %s %s %s\n' "$T" "$1" "$P" "$Q" 1<>"$D/proof"
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
		unit) # not our own, under whichever process it has now
			case $(cat /proc/self/cgroup) in *"$b"*) ;; *) systemctl stop "$b" 2>/dev/null ;; esac
			;;
		esac
	done <"$D/timers"
	while read -r kind a b; do
		[ "$kind" = process ] && [ "$a" != "$P" ] || continue
		beats=0 # it ends within a few milliseconds
		while alive "$a" "$b" && [ "$beats" -lt 1000 ]; do beats=$((beats + 1)); done
	done <"$D/timers"
	for g in "/sys/fs/cgroup/$GROUP" /sys/fs/cgroup/*/"$GROUP"; do
		[ -d "$g" ] || continue
		# A watchdog that runs this goes back to where the others are, too.
		while read -r member; do
			[ "$member" != "$P" ] || echo 0 >"${g%/*}/cgroup.procs"
		done <"$g/cgroup.procs"
		rmdir "$g" || { sleep 1; rmdir "$g"; }
	done 2>/dev/null
	return 0
}
