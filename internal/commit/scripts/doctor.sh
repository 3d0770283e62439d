# shellcheck shell=sh
# Doctor: the facts, and then what could make a push fail, tried out. It works while a
# transaction is pending, since it takes no lock and makes no step of the state. All
# that it makes is in one directory of its own, which goes, with jobs, units and
# processes, before its last word; where the connection or this shell dies, within
# seconds. What nobody was left to take away, the next program on the host does (sweep).

# tell: say, to somebody who may have gone.
tell() { say "$@" 2>/dev/null || leave; }

# leave: not by a trap of EXIT or TERM. Shells run those in children too that are ended
# before they have traps of their own.
leave() {
	tidy
	exit 0
}

# instant: I, hundredths of a second since the boot.
instant() {
	read -r I _ </proc/uptime
	I=${I%.*}${I#*.}
}

# home: D with what was sent in it. Until here nothing was written.
home() {
	if ! why=$(mkdir "$D" 2>&1); then
		tell home "failed $why"
		return 1
	fi
	{
		printf '%s %s\n' "$P" "$Q" >"$D/owner" &&
			receive "$D/candidate" "$L1" && receive "$D/canary.sh" "$L2" && receive "$D/load.sh" "$L3"
	} 2>/dev/null || {
		tell home 'failed what was sent could not be written'
		return 1
	}
	ask 60 && [ "$WORD" = "end $T" ] || leave
	tell home ok
}

tidy() {
	disarm
	rm -rf "$D"
}

# attempt LIMIT PROGRAM ARGS...: under a time limit, its messages in D/err.
attempt() {
	limit=$1
	shift
	"$@" </dev/null >/dev/null 2>"$D/err" 8>&- &
	bounded "$!" "$limit"
}

# loads KEY FILE: whether the host would load it, as the check of a push asks: by nft -c,
# or, for iptables, by the load in a network namespace of its own.
loads() {
	if ! is_iptables "$2"; then
		attempt 30 nft -c -f "$2"
	elif unshare -n true 2>/dev/null; then
		[ "$XT" = yes ] || xt_now
		attempt 60 unshare -n sh "$D/load.sh" check "$2" "$XT4" "$XT6"
	else
		tell "$1" unasked
		return
	fi
	case $? in
	0) tell "$1" ok ;;
	137) tell "$1" slow ;;
	*) tell "$1" "refused $(head -c 600 "$D/err" | tr '\n' ' ')" ;;
	esac
}

# rules: whether the new ones would load, and the old ones again after a revert, unless
# they are what was confirmed and loaded before.
rules() {
	[ "$L1" -eq 0 ] || loads candidate "$D/candidate"
	[ "$L" != "${CANON-}" ] || return 0
	if [ -n "$NL" ]; then
		printf 'add table inet fwpush\ndelete table inet fwpush\n%s\n' "$NL" >"$D/old.nft" && loads backnft "$D/old.nft"
	fi
	if [ -n "$XL" ] && [ "$L3" -gt 0 ]; then
		printf '%s\n' "$XL" >"$D/old.ipt" && loads backipt "$D/old.ipt"
	fi
}

# timers: each kind by itself, proved as for a push, though not for its deadline.
timers() {
	mkfifo "$D/proof" 2>/dev/null || return 0
	exec 8<>"$D/proof"
	up
	DL=$((U + 60))
	for kind in at systemd watchdog; do
		TIMERS='' COUNT=0 WHY='' WATCHER=0
		instant
		began=$I
		if "arm_$kind"; then how=ok; else how=failed; fi
		instant
		tell "timer$kind" "$how $((I - began))$WHY"
	done
	exec 8>&-
}

# space KEY PATH: how much room there is: blocks and their size in bytes, inodes left
# and in all, and whether it can be written at all. busybox says of root that it can, so
# something is taken away there that does not exist.
space() {
	writable=rw
	[ -w "$2" ] || writable=ro
	case $(rmdir "$2/$T" 2>&1) in *'Read-only file system'*) writable=ro ;; esac
	tell "$1" "$writable $2 $(stat -f -c '%f %S %d %c' "$2" 2>/dev/null)"
}

# needs: tools that a push cannot do without, as far as they are missing. Of dd it has to
# be one that does not stop at a short read.
needs() {
	lacks=''
	for t in awk cat chmod cmp cp cut date dd env grep head id ln mkdir mkfifo mv rm rmdir sed sha256sum sleep sort stat sync tail tr; do
		command -v "$t" >/dev/null || lacks="$lacks $t"
	done
	case $lacks in
	*' dd'*) ;;
	*) printf x | dd bs=1 count=1 iflag=fullblock conv=fsync of=/dev/null 2>/dev/null ||
		[ "$(printf x | dd bs=1 count=1 iflag=fullblock 2>/dev/null)" = x ] || lacks="$lacks dd:iflag=fullblock" ;;
	esac
	tell lacks "${lacks# }"
}

# network: what the host has of addresses and interfaces, and whether it forwards.
network() {
	names=''
	for i in /sys/class/net/*; do [ ! -d "$i" ] || names="$names ${i##*/}"; done
	tell ifaces "${names# }"
	on=$(cat /proc/sys/net/ipv4/ip_forward 2>/dev/null) && tell forward4 "$on"
	on=$(cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null) && tell forward6 "$on"
	! ipv6 || tell inet6 yes
	if addrs=$(ip -o addr show scope global 2>/dev/null); then section addrs "$(printf '%s\n' "$addrs" | head -n 500)"; fi
	leased=''
	for f in /proc/[0-9]*/comm; do
		{ read -r name <"$f"; } 2>/dev/null || continue
		case $name in dhclient | dhcpcd | udhcpc) leased=$name ;; esac
	done
	tell leased "$leased"
}

# listeners: where sshd listens, and how many logins at a time it begins with.
listeners() {
	if ports=$(ss -Hltnp 2>/dev/null); then
		section listen "$(printf '%s\n' "$ports" | grep '"sshd"' | head -n 100)"
	fi
	limits=$(sshd -T 2>/dev/null | grep -E '^(maxstartups|maxsessions|persourcemaxstartups|persourcepenalties) ') && section sshd "$limits"
}

# boots: what else is started that loads rules of its own, and by what.
boots() {
	init=''
	{ read -r init </proc/1/comm; } 2>/dev/null
	[ ! -d /run/openrc ] || init=openrc
	tell init "$init"
	on=''
	for u in nftables netfilter-persistent iptables ip6tables ferm shorewall firewalld ufw; do
		for f in "$UNITDIR"/*.wants/"$u.service" /etc/runlevels/*/"$u"; do [ ! -L "$f" ] || on="$on $u"; done
	done
	tell loaders "${on# }"
}

doctor() {
	myself
	facts
	tell_age
	say ask
	ask 60 || exit 0
	# shellcheck disable=SC2086 # words, split on purpose
	set -- $WORD
	[ "$1" = examine ] && [ $# -eq 4 ] || exit 0
	L1=$2 L2=$3 L3=$4
	is_number "$L1" && is_number "$L2" && is_number "$L3" || exit 0
	T=$MARK D=/run/fwpush.$P.$Q
	# shellcheck disable=SC2034 # of watcher.sh and arm.sh
	GROUP=fwpush.$T SCRIPT=canary.sh
	sweep
	if home; then
		rules
		timers
	fi
	tidy
	needs
	network
	listeners
	boots
	space run /run
	for dir in "$B" /var/lib /var /; do
		[ -d "$dir" ] && break
	done
	space lib "$dir"
	case $UNIT in none | ok) ;; *) space units "${UNITFILE%/*}" ;; esac
	say ask
	exit 0
}
