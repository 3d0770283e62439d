# shellcheck shell=sh
# The last part of R/tx/T/revert.sh.
#   watch T         sleep until the deadline, then revert
#   now T           revert now
#   retry T         revert now if the deadline is over, once
#   keep, rehearse, take, back, differs: of a host in mode exclusive, see adopt.sh
#   announce T KIND say who and where this is through the fifo, then watch
# It is run by at, by systemd and by setsid; see arm.sh.

verb=${1-}
case ${2-} in
'' | *[!0-9a-f]*) exit 64 ;;
esac
T=$2
D=$R/tx/$T
BY=timer
myself
case $verb in
watch) watch ;;
retry) retry ;;
now) revert now ;;
keep | rehearse | take | back | differs)
	adoption "$verb" "$3" "$4"
	exit
	;;
announce)
	announce "${3-}"
	watch
	;;
esac
exit 0
