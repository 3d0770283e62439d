# shellcheck shell=sh
# The last part of /var/lib/fwpush/load.sh, which the boot unit runs where the
# confirmed rules are for iptables:
#   start       load the boot file, unless a transaction is under way whose rules run
#   reload      load the boot file in any case
#   check FILE V4 V6  load FILE, into the network namespace that this runs in, by the
#               variants of iptables that a transaction has begun with, and print what
#               runs then
#   list FILE   the same by those of now
# It needs nothing of a transaction: no state is looked at before a load. A boot finds
# no rules, so the variant of iptables is the one that the host has chosen by then.

# shellcheck disable=SC2317 # called by what is joined before
fenced() { exec "$@"; }

D=$(mktemp -d /run/fwpush-load.XXXXXX) || D=$(mktemp -d) || exit 74
trap 'rm -rf "$D"' EXIT
trap 'exit 74' INT TERM

# finish STATUS: with what the last program complained of.
finish() {
	[ "$1" -eq 0 ] || cat "$D/err" >&2
	exit "$1"
}

# finish_alone: the confirmed rules are loaded, and the rules that are home-made go where
# the host is in mode exclusive: whatever the boot has loaded before ours. Beside the
# rules before the confirmed ones they stay: these may be of before that mode.
finish_alone() {
	[ -e "$B/exclusive" ] || finish 0
	messages
	home_chains
	nft_tables
	for beat in 1 2 3 4 5 6; do # as xt_try
		home_take 120
		rc=$?
		busy "$rc" || break
	done
	[ "$rc" -eq 0 ] || finish "$rc"
	home_gone
	finish $?
}

# running: chains of ours are loaded, by either variant.
running() {
	for family in iptables ip6tables; do
		! beside "$family" || ! stray || return 0
	done
	xt_save && case $V4$V6 in *:FWPUSH-*) ;; *) false ;; esac
}

# under_way: there is a state file.
under_way() {
	set -- "$R"/S.*
	[ -e "$1" ]
}

# xt_try FILE: another program that holds the lock of iptables gets a minute: a boot
# must not wait for ever for one that hangs.
xt_try() {
	for beat in 1 2 3 4 5 6; do
		xt_load 120 "$1"
		rc=$?
		[ "$beat" -lt 6 ] && busy "$rc" || return "$rc"
	done
}

# alone: nothing of ours is left in the other variant. The rules are loaded whether it
# is or not.
alone() { xt_alone 120 || cat "$D/err" >&2; }

# holds TEXT FILE: a file that is empty, or cut off before its rules, is no error to what
# loads it.
holds() { grep -qs -e "$1" "$2" || { echo "$2 holds no rules" >"$D/err" && return 1; }; }

# load_iptables FILE: by the other variant where the kernel does not know that of now.
load_iptables() {
	xt_now
	holds '^:FWPUSH-' "$1" || return
	xt_try "$1" || { xt_swap && xt_try "$1"; } || return
	alone
	if nft list table inet fwpush >/dev/null 2>&1; then nft delete table inet fwpush; fi
}

# load_text FILE: the rules of FILE, of whichever backend, and none of ours in the
# other one.
load_text() {
	if is_iptables "$1"; then
		load_iptables "$1"
	else
		holds 'hook input' "$1" && nft -f "$1" 2>"$D/err" || return
		! running || { xt_unload 120 && alone; }
	fi
}

# load_boot: not by load_text for iptables: a boot file that lost its first line, or
# all, is none for nft.
load_boot() {
	if [ -e "$B/boot.ipt" ]; then load_iptables "$B/boot.ipt"; else load_text "$B/boot.nft"; fi
}

# fell_back: tells that the boot file does not load, where a boot is written down, and
# those who look at the host (FELLBACK).
fell_back() {
	cat "$D/err" >&2
	boot_file
	echo "fwpush: $B/$BOOTFILE does not load; loading boot.prev, the rules before it" >&2
	echo previous >"$FELLBACK"
}

xt_now
case ${1-} in
start | reload)
	[ "$1" = reload ] || ! under_way || { ! nft list table inet fwpush >/dev/null 2>&1 && ! running; } || finish 0
	if load_boot; then
		rm -f "$FELLBACK"
		finish_alone
	fi
	fell_back
	load_text "$B/boot.prev"
	finish $?
	;;
previous)
	load_text "$B/boot.prev"
	finish $?
	;;
check)
	xt_use "$3" "$4"
	XL=''
	xt_load 120 "$2" && list_xt && printf '%s\n' "$XL"
	finish $?
	;;
list)
	xt_load 120 "$2" && list_xt && printf '%s\n' "$XL"
	finish $?
	;;
esac
exit 64
