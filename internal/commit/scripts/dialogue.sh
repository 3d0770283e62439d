# shellcheck shell=sh
# Words from the controller. The script came on the same stdin, and dash and
# busybox read it in blocks: the controller sends nothing before it is asked.

# ask SECONDS: one line into WORD. 1 at the end of input or of the time.
ask() {
	trap 'WORD=' ALRM
	guard "$1" ALRM "$P" "$Q"
	WORD=''
	IFS= read -r WORD || WORD=''
	calm
	[ -n "$WORD" ]
}

# is_hex TEXT LENGTH, is_number TEXT
is_hex() {
	case $1 in *[!0-9a-f]*) return 1 ;; esac
	[ "${#1}" -eq "$2" ]
}

is_number() {
	case $1 in '' | *[!0-9]* | ??????????*) return 1 ;; esac
}

refuse() {
	say refused "$*"
	exit 0
}

# receive FILE LENGTH: exactly that many bytes of stdin, onto the disk.
receive() {
	[ "$2" -gt 0 ] || return 0
	# A controller that stops in the middle holds nobody up: this shell ends, and
	# the next one finds its owner dead. (dd cannot be the one to end: it has to
	# run in the foreground, since bash dies of a stdin that is duplicated while
	# the script is read from it.)
	guard $((120 + $2 / 10000)) KILL "$P" "$Q"
	dd bs="$2" count=1 iflag=fullblock conv=fsync of="$1" 2>/dev/null
	rc=$?
	calm
	return "$rc"
}

# adopt: R without a state file. A removal takes the state file away and then R;
# one that died in between left an R that nobody holds. It gets a state file again,
# of a transaction that is over, by one of those who find it so: that mkdir has one
# winner, who looks once more.
adopt() {
	sleep 1
	[ -d "$R" ] && ! look || return 0
	if mkdir "$R/adopt" 2>/dev/null; then
		look || printf '' >"$R/S.00000000000000000000000000000000.reverted.0.1.1"
		rmdir "$R/adopt"
		return
	fi
	sleep 1
	[ ! -d "$R" ] || look || refuse "state $R holds no state file; look at it and remove it"
}

# strange: what is no directory, leads elsewhere or belongs to somebody else is not used
# for state.
strange() {
	for dir in "$R" "$B"; do
		[ -e "$dir" ] || [ -L "$dir" ] || continue
		# shellcheck disable=SC3067 # dash, busybox, bash and ksh all have -O
		if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -O "$dir" ]; then
			refuse "state $dir is not a directory of root's own; look at it and remove it"
		fi
	done
	[ ! -d "$R" ] || look || adopt
	sweep
}

# sweep: the directories of those who died while they made or removed R, or while they
# examined the host.
sweep() {
	for dir in /run/fwpush.[0-9]*; do
		IFS=.
		# shellcheck disable=SC2086
		set -- $dir
		unset IFS
		[ $# -lt 3 ] || alive "$2" "$3" || rm -rf "$dir"
	done
}

# age: SINCE, when the server process of this connection was started, in clock
# ticks since boot; 0 if there is no process that looks like one. A channel
# multiplexed onto an older connection gives the older one away. What listens is
# not meant: of OpenSSH only a session names itself "sshd: ...". Dropbear forks
# for each connection, and since 2022.82 that executes itself anew by a
# descriptor, whose number is its name on many kernels.
age() {
	SINCE=0 above=0 dropbears=0
	pid=$PPID
	while [ "$pid" -gt 1 ]; do
		{ read -r stat <"/proc/$pid/stat"; } 2>/dev/null || return 0
		name=${stat#*(}
		name=${name%)*}
		# shellcheck disable=SC2086
		set -- ${stat##*) }
		[ $# -ge 20 ] || return 0
		parent=$2 start=${20} line=''
		case $name in
		sshd* | [0-9]*) { IFS= read -r line <"/proc/$pid/cmdline"; } 2>/dev/null ;; # without its NULs
		dropbear*) line=dropbear ;;
		esac
		case $line in
		sshd*'[listener]'*) return 0 ;;
		sshd*:\ *) SINCE=$start ;;
		sshd* | */sshd*) return 0 ;;
		dropbear* | */dropbear*)
			dropbears=$((dropbears + 1)) above=$SINCE SINCE=$start
			;;
		esac
		pid=$parent
	done
	[ "$dropbears" -lt 2 ] || SINCE=$above # the topmost listens
}

# tell_age: says if none of the connections to this host could prove that it is new.
tell_age() {
	age
	[ "$SINCE" -gt 0 ] || say unaged
}
