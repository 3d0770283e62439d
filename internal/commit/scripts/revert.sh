# shellcheck shell=sh
# The last part of R/tx/T/revert.sh.
#   watch T         sleep until the deadline, then revert
#   announce T KIND say who and where this is through the fifo, then watch
# It is run by at, by systemd and by setsid; see arm.sh.

# leave_session: out of the login session's cgroup, which logind may end
# together with everything in it (KillUserProcesses=yes).
leave_session() {
	while IFS=: read -r _ _ group; do
		case $group in */session-*.scope* | */user.slice/*) ;; *) continue ;; esac
		for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
			[ -w "$tree/cgroup.procs" ] || continue
			mkdir -p "$tree/fwpush"
			echo 0 >"$tree/fwpush/cgroup.procs"
		done
		return
	done </proc/self/cgroup
} 2>/dev/null

verb=${1-}
case ${2-} in
'' | *[!0-9a-f]*) exit 64 ;;
esac
T=$2
D=$R/tx/$T
myself
case $verb in
watch) watch ;;
announce)
	leave_session
	# A fifo opened for reading and writing never blocks.
	printf '%s %s %s %s\n' "$T" "${3-}" "$P" "$Q" 1<>"$D/proof"
	watch
	;;
esac
exit 0
