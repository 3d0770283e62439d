# shellcheck shell=sh
# The last part of R/tx/T/revert.sh.
#   watch T         sleep until the deadline, then revert
#   now T           revert now
#   retry T         revert now if the deadline is over, once
#   announce T KIND say who and where this is through the fifo, then watch
# It is run by at, by systemd and by setsid; see arm.sh.

# leave_group: out of the cgroup of the login session, which logind may end with
# everything in it (KillUserProcesses=yes), and out of that of atd, which systemd
# ends with it unless its unit says KillMode=process, as Debian's does.
leave_group() {
	[ -d /run/systemd/system ] || return 0
	while IFS=: read -r _ _ group; do
		case $group in */session-*.scope* | */user.slice/* | *.service*) ;; *) continue ;; esac
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
retry) retry ;;
now) revert now ;;
announce)
	[ "${3-}" = systemd ] || leave_group # there the service is what keeps it alive
	# A fifo opened for reading and writing never blocks.
	printf '%s %s %s %s\n' "$T" "${3-}" "$P" "$Q" 1<>"$D/proof"
	watch
	;;
esac
exit 0
