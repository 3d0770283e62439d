# shellcheck shell=sh
# What every program on the host begins with: a known environment, the state of
# the one transaction, and who owns it.
#
# The state is one file, R/S.TX.STATE.DEADLINE.PID.START, and nothing else.
# Every step is one rename(2) of that file from a name that never comes back,
# so two that race for it have exactly one winner, with no lock to lose.
# DEADLINE is in seconds of /proc/uptime; PID and START (proc(5), field 22) are
# the process that made the step and owns what comes next.

set -u
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
TZ=UTC0
export PATH LC_ALL TZ
cd / || exit 70
trap '' HUP PIPE

R=/run/fwpush
B=/var/lib/fwpush
UNITDIR=/etc/systemd/system
INITDIR=/etc/init.d
LEVELS=/etc/runlevels
FELLBACK=/run/fwpush.boot # a boot could not load the boot file
PROTO=1
T=none
D=$R/tx/none

up() {
	read -r U _ </proc/uptime
	U=${U%%.*}
}

# start_of PID: START, or 1 if there is no such process or only its zombie.
start_of() {
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086 # split into fields; the name before ")" may hold anything
	set -- ${stat##*) }
	# A name with a line feed in it leaves less than a whole line: none of ours.
	[ $# -ge 20 ] && [ "$1" != Z ] && [ "$1" != X ] || return 1
	START=${20}
}

alive() { start_of "$1" && [ "$START" = "$2" ]; }

# myself: P and Q, this shell's own process and start time.
myself() {
	read -r stat </proc/self/stat
	P=${stat%% *}
	start_of "$P"
	Q=$START
}

# look: the state file, taken apart. 1 if there is none.
look() {
	tries=0
	while [ -d "$R" ] && [ "$tries" -lt 50 ]; do
		for f in "$R"/S.*; do
			if [ -e "$f" ]; then
				NAME=${f##*/}
				take_apart
				return
			fi
		done
		tries=$((tries + 1)) # renamed between the listing and the test: look again
	done
	NAME='' TX=none ST=none DL=0 OP=0 OQ=0
	return 1
}

take_apart() {
	IFS=.
	# shellcheck disable=SC2086 # the name is split at its dots on purpose
	set -- $NAME
	unset IFS
	TX=$2 ST=$3 DL=$4 OP=$5 OQ=$6
}

# turn STATE DEADLINE: one step, made by renaming the file that look found.
turn() {
	next=S.$T.$1.$2.$P.$Q
	[ "$next" != "$NAME" ] || { [ -e "$R/$NAME" ]; return; }
	mv -f "$R/$NAME" "$R/$next" 2>/dev/null || return 1
	NAME=$next TX=$T ST=$1 DL=$2 OP=$P OQ=$Q
}

note() {
	up
	printf '%s %s\n' "$U" "$*" >>"$D/log"
} 2>/dev/null

# brood PID: ends what a process has started and still runs, but for what has left
# its session: a timer may be among that, and may be who runs this.
brood() {
	session_of "$1" || return 0
	# shellcheck disable=SC2046 # words
	set -- "$SID" $(cat "/proc/$1/task/$1/children")
	sid=$1
	shift
	for child; do
		session_of "$child" && [ "$SID" = "$sid" ] && [ "$child" != "$P" ] || continue
		kill -STOP "$child"
		(brood "$child")
		kill -9 "$child"
	done
} 2>/dev/null

# session_of PID: SID, the session of a process (proc(5), field 6).
session_of() {
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	[ $# -ge 20 ] || return 1
	SID=$4
}

# slay PID START: ends that very process, with what it has under way, and waits
# until it is gone.
slay() {
	[ "$1" != "$P" ] || return 0
	beats=0
	if alive "$1" "$2"; then
		kill -STOP "$1" 2>/dev/null
		brood "$1"
	fi
	while alive "$1" "$2"; do
		kill -9 "$1" 2>/dev/null
		beats=$((beats + 1))
		[ "$beats" -lt 200 ] || sleep 1
		[ "$beats" -lt 215 ] || return 1
	done
}

# fence PID START: ends the owner of an earlier step and every nft it may have
# left behind, so that a load which hung cannot win over one that came later.
fence() {
	slay "$1" "$2"
	end_loads
}

# end_loads: ends every load that is written down.
end_loads() {
	[ -r "$D/loader" ] || return 0
	while read -r pid start; do slay "$pid" "$start"; done <"$D/loader"
}

# guard SECONDS SIGNAL PID START [all]: sends the signal when the time is over, again each
# second (a trap that comes between two commands does not end the read after it),
# and ends by itself when the process does. With all, what that has started ends before
# it. G is the guard's process; calm ends it, and its sleep with it: with KILL, since a
# process between fork and exec would lose a TERM to the handler of its parent.
guard() {
	(
		inherited=${!-}
		trap '[ "${!-}" = "$inherited" ] || kill -9 "$!"; exit 0' TERM
		left=$1
		while alive "$3" "$4"; do
			nap=$left
			[ "$nap" -lt 5 ] || nap=5
			left=$((left - nap))
			[ "$nap" -gt 0 ] || {
				[ -z "${5-}" ] || { kill -STOP "$3" && brood "$3"; }
				kill "-$2" "$3"
				nap=1
			}
			sleep "$nap" &
			wait "$!"
			inherited=$!
		done
	) </dev/null >/dev/null 2>&1 8>&- &
	G=$!
}

calm() {
	kill "$G" 2>/dev/null
	wait "$G" 2>/dev/null
}

# messages: MESSAGES, the file for what a program complains of.
messages() {
	MESSAGES=$D/err
	{ printf '' >"$MESSAGES"; } 2>/dev/null || MESSAGES=/dev/null
}

# run_tool LIMIT PROGRAM ARGS...: what loads rules, under a time limit, its messages
# in D/err.
run_tool() {
	limit=$1
	shift
	messages
	fenced "$@" </dev/null >"$HEARD" 2>"$MESSAGES" 8>&- &
	bounded "$!" "$limit"
}
HEARD=/dev/null

# tool_says LIMIT PROGRAM ARGS...: the same, and SAID is what it prints. It goes through a
# file: what hangs would keep a pipe open.
tool_says() {
	SAID='' HEARD=$D/said
	run_tool "$@"
	rc=$?
	HEARD=/dev/null
	[ "$rc" -ne 0 ] || SAID=$(cat "$D/said") || rc=$?
	rm -f "$D/said"
	return "$rc"
}

# NOTABLE, for nft: no table of ours, whether there was one or not.
NOTABLE='add table inet fwpush; delete table inet fwpush'
run_nft() {
	nft_limit=$1
	shift
	run_tool "$nft_limit" nft "$@"
}

# feed LIMIT PROGRAM ARGS...: the same for a program that is to read FEED. It goes
# through a pipe and no file: a revert has to do without a disk.
feed() {
	limit=$1
	shift
	messages
	printf '%s\n' "$FEED" 2>/dev/null | fenced "$@" >/dev/null 2>"$MESSAGES" 8>&- &
	bounded "$!" "$limit"
}

# fenced PROGRAM ARGS...: writes down its own process and looks at the state once
# more before it becomes the program: whoever turned the state in between either
# sees that line and ends it, or was seen and nothing is loaded. Where nothing can
# be written down only new rules (STRICT) are not loaded; old ones are, in any case.
STRICT=''
fenced() {
	read -r stat </proc/self/stat
	start_of "${stat%% *}"
	printf '%s %s\n' "${stat%% *}" "$START" >>"$D/loader" || [ -z "$STRICT" ] || exit 98
	[ -e "$R/$NAME" ] || exit 99
	exec "$@"
}

# bounded PID LIMIT: waits for a child, ends it when the time is over; its status.
bounded() {
	loader=$1
	LOADSTART=0
	if start_of "$loader"; then LOADSTART=$START; fi
	guard "$2" KILL "$loader" "$LOADSTART" all
	wait "$loader"
	rc=$?
	calm
	return "$rc"
}

# listing: L, what runs of ours without what changes by itself. NL is the part that
# nft tells, XL the one of iptables; NFT and XT say which of them are looked at. What
# one of them cannot tell is no reason not to hear the other.
NFT=yes XT=no
LF='
'
listing() {
	NFTERR='' XTERR='' NL='' XL='' failed=0
	[ "$NFT" = no ] || list_nft || failed=1
	[ "$XT" = no ] || list_xt || failed=1
	L=$NL${XL:+${NL:+$LF}$XL}
	return "$failed"
}

# list_nft: counters are left out by -s, elements of dynamic and timeout sets here.
# NFTERR says why nft could not tell; a table that is not there is no error.
list_nft() {
	if ! NL=$(nft -s list table inet fwpush 2>&1 </dev/null); then
		case $NL in
		*'No such file or directory'*) ;;
		*) NFTERR=${NL:-nft gave no message} ;;
		esac
		NL=''
		[ -z "$NFTERR" ]
		return
	fi
	case $NL in
	*dynamic* | *timeout*) NL=$(printf '%s\n' "$NL" | steady) ;;
	esac
}

# steady: drops the elements of sets and maps that change by themselves.
steady() {
	awk '
	/^\t(set|map) .*[{]$/ { inset = 1; moving = 0; n = 0 }
	!inset { print; next }
	{ line[++n] = $0 }
	/^\t\tflags .*(dynamic|timeout)/ || /^\t\ttimeout / { moving = 1 }
	/^\t[}]$/ {
		skip = 0
		for (i = 1; i <= n; i++) {
			if (moving && line[i] ~ /^\t\telements = /) skip = 1
			if (!skip) print line[i]
			if (skip && line[i] ~ /[}]$/) skip = 0
		}
		inset = 0
	}'
}

# newest: GEN, the number of the newest confirmed generation, 0 if none. What has no
# rules is the rest of one that somebody took away.
newest() {
	GEN=0
	for g in "$B"/gen/[0-9]*; do
		[ -e "$g/rules" ] || continue
		g=${g##*/}
		case $g in *[!0-9]*) continue ;; esac
		[ "$g" -le "$GEN" ] || GEN=$g
	done
}

# boot_file: BOOTFILE, the name in B of the rules that a boot loads, '' if there are
# none. boot.ipt comes first, so that a change of backend is one rename or one
# removal, whatever dies in between.
boot_file() {
	BOOTFILE=''
	for f in boot.nft boot.ipt; do
		[ ! -e "$B/$f" ] || BOOTFILE=$f
	done
}

# is_iptables FILE: its text is for the iptables loader.
is_iptables() {
	first=''
	{ read -r first <"$1"; } 2>/dev/null
	[ "$first" = '# fwpush iptables' ]
}

# sides: NFT and XT as transaction T has them: what it has kept the old rules of, and
# for iptables the variants that it has begun with.
sides() {
	NFT=no XT=no
	[ ! -e "$D/old.nft" ] || NFT=yes
	[ -e "$D/old.ipt" ] || return 0
	XT=yes
	if { read -r v4 v6 <"$D/variants"; } 2>/dev/null; then xt_use "$v4" "$v6"; else xt_now; fi
}
