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

# strange: a state directory that this program did not make, or that somebody
# else can write to, is not used.
strange() {
	for dir in "$R" "$B"; do
		[ -e "$dir" ] || [ -L "$dir" ] || continue
		# shellcheck disable=SC3067 # dash, busybox, bash and ksh all have -O
		if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -O "$dir" ]; then
			refuse "state $dir is not a directory of root's own; look at it and remove it"
		fi
	done
	# A removal takes the state file away, and then R. One that died in between left
	# an R that nobody holds.
	[ ! -d "$R" ] || look || {
		sleep 1
		[ ! -d "$R" ] || look || { mv -f "$R" "/run/fwpush.$P.$Q" && rm -rf "/run/fwpush.$P.$Q"; } 2>/dev/null
	}
	for dir in /run/fwpush.[0-9]*; do # of those who died while they made or removed R
		IFS=.
		# shellcheck disable=SC2086
		set -- $dir
		unset IFS
		[ $# -lt 3 ] || alive "$2" "$3" || rm -rf "$dir"
	done
}
