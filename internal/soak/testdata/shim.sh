#!/bin/sh
# Stands in for a program of a host and does to it what /dev/shm/soak.NAME says:
#   MODE ARG
#   PATTERN    of the arguments that are meant
# Each time it does that it leaves a mark in /dev/shm/soak.NAME.hit.
n=${0##*/}
s=/dev/shm/soak.$n
r=/usr/sbin/$n.real
[ -x "$r" ] || r=/usr/bin/$n
{ read -r mode arg && read -r pattern; } 2>/dev/null <"$s" || exec "$r" "$@"
# shellcheck disable=SC2254 # a pattern
case "$*" in
$pattern) ;;
*) exec "$r" "$@" ;;
esac
case $mode$* in
evil*old.nft | evil*/boot.nft | evil*/boot.prev) exec "$r" "$@" ;; # not of rules that ran
esac
[ "$mode" != once ] || /usr/bin/mkdir "$s.once" 2>/dev/null || exec "$r" "$@"
echo >>"$s.hit"
case $mode in
fail | once)
	echo "$n: Input/output error" >&2
	case $n in cmp | grep) exit 2 ;; esac # 1 would be an answer
	exit 1
	;;
dies) kill -9 $$ ;;
undone) # the work is done, and nobody hears of it
	"$r" "$@"
	kill -9 $$
	;;
hangs)
	kill -STOP $$
	exec "$r" "$@"
	;;
slow)
	/usr/bin/sleep "$arg"
	exec "$r" "$@"
	;;
shift) exec "$r" -d "@$(($("$r" +%s) + arg))" "$@" ;; # of date
evil) # of nft: what is loaded locks everybody out
	"$r" "$@" || exit
	exec "$r" -f /dev/shm/soak.evil
	;;
esac
