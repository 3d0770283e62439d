# shellcheck shell=sh
# The last part of what doctor has at, systemd and setsid run in its directory D:
#   announce T KIND  say who and where this is through the fifo, then stay until the
#                    doctor has taken it away; where that is gone, take all of it away
#   watch T          nothing: the job that is to be queued for later
# It is what R/tx/T/revert.sh is to a push, and loads and reverts nothing.

verb=${1-}
case ${2-} in
'' | *[!0-9a-f]*) exit 64 ;;
esac
T=$2
D=${0%/*}
# shellcheck disable=SC2034 # of watcher.sh
GROUP=fwpush.$T
myself
[ "$verb" = announce ] && read -r owner begun <"$D/owner" || exit 0
announce "${3-}"
while alive "$owner" "$begun"; do doze 1; done
case $D in
/run/fwpush.[0-9]*)
	disarm
	rm -rf "$D"
	;;
esac
exit 0
