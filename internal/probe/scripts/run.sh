# Runs the text of a probe and says how it ended. Words: $1 begins our own line of
# stdout, $2 is how many seconds the text may take, $3 is root or any for who must run
# it. T is the text as printf %b reads it. What the text writes goes to stderr, 64 KiB
# of it at most: the beginning and the end.
#
# The text has a session of its own, and so a process group to be ended by: whatever
# it starts goes with it, be it that time is up, also for a controller that is gone, or
# that it has ended and left something behind. Only what makes itself another session
# stays. Of ours nothing does, a second after the time is up.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
MARK=$1
say() { printf '\n%s %s\n' "$MARK" "$*"; }

# end PID: by its own number too, since it may not have come to its session yet.
end() { kill -9 "$1" "-$1" 2>/dev/null; }

# watch SECONDS PID: ends it by then. $! is who watches.
watch() {
	# shellcheck disable=SC2016
	setsid sh -c 'sleep "$1"; kill -9 "$2" "-$2"' sh "$1" "$2" >/dev/null 2>&1 3>&- &
}

if [ "$3" = root ] && [ "$(id -u)" != 0 ]; then
	say noroot
	exit 0
fi
for tool in setsid env head tail cat sleep; do
	command -v "$tool" >/dev/null || {
		say missing "$tool"
		exit 0
	}
done

exec 3>&1 # past the pipe
{
	# The text is read from stdin as a whole before any of it runs, and finds that empty.
	# shellcheck disable=SC2016
	printf %b "$T" | setsid env -i PATH="$PATH" LC_ALL=C sh -c 'eval "$(cat)"' 2>&1 3>&- &
	text=$!
	watch "$2" "$text"
	wait "$text"
	status=$?
	end "$text"
	end "$!"
	say ended "$status" >&3
} 2>/dev/null | {
	# A command in the background has an empty stdin unless it is given one by number.
	exec 4<&0
	setsid sh -c 'head -c 65024; exec tail -c 512' <&4 4<&- &
	reader=$!
	exec 4<&-
	watch "$(($2 + 1))" "$reader"
	wait "$reader"
	end "$!"
} >&2 3>&-
exit 0
