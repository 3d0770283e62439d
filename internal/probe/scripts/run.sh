# Runs the text of a probe and says how it ended. Words: $1 begins our own line of
# stdout, $2 is how many seconds the text may take, $3 is root or any for who must run
# it. T is the text as printf %b reads it. What the text writes goes to stderr, 64 KiB
# of it at most: the beginning and the end.
#
# The text has a session of its own, and so a process group to be ended by: whatever
# it starts goes with it, be it that time is up, also for a controller that is gone, or
# that it has ended and left something behind. Only what makes itself another session
# stays.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { printf '\n%s %s\n' "$MARK" "$*"; }
MARK=$1

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

{
	# The text is read from stdin as a whole before any of it runs; its own stdin is empty.
	# shellcheck disable=SC2016
	printf %b "$T" | setsid env -i PATH="$PATH" LC_ALL=C sh -c 'eval "$(cat)" </dev/null' 2>&1 3>&- &
	job=$!
	# shellcheck disable=SC2016
	setsid sh -c 'sleep "$1"; kill -9 "$2" "-$2"' sh "$2" "$job" >/dev/null 3>&- &
	dog=$!
	wait "$job"
	status=$?
	kill -9 "-$job"
	# By its own number too: it may not have come to its session yet.
	kill -9 "$dog" "-$dog"
	say ended "$status" >&3
} 3>&1 2>/dev/null | {
	head -c 65024
	exec tail -c 512
} >&2
exit 0
