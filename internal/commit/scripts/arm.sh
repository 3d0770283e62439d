# shellcheck shell=sh
# Timers. Each must prove itself in this very Begin before it counts: exit
# status and listings prove nothing (at(1) accepts jobs for a dead daemon).

SCRIPT=revert.sh # in D, what timers run

timer_env() { env -i PATH="$PATH" LC_ALL=C TZ=UTC0 SHELL=/bin/sh "$@"; }

# proved KIND: reads announcements from the fifo until the time is over, past
# those of another kind that comes too late. A watcher that announced itself
# runs, outside of this session.
proved() {
	trap 'WORD=' ALRM
	guard 5 ALRM "$P" "$Q"
	WORD=''
	while IFS= read -r WORD <&8; do
		# shellcheck disable=SC2086 # four words, split on purpose
		set -- "$1" $WORD
		[ "${2-}" != "$T" ] || [ "${3-}" != "$1" ] || break
		WORD=''
	done
	calm
	[ -n "$WORD" ] && alive "$4" "$5" && detached "$4" || return 1
	printf 'process %s %s\n' "$4" "$5" >>"$D/timers" || return 1
	WATCHER=$4
}

# detached PID: its own session leader or none of this session, and not in a
# cgroup that logind ends with the login.
detached() {
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086
	set -- "$1" ${stat##*) }
	[ $# -ge 5 ] || return 1
	session=$5
	{ read -r stat </proc/self/stat; } 2>/dev/null
	# shellcheck disable=SC2086
	set -- "$1" ${stat##*) }
	[ "$session" != "$5" ] || return 1
	case $(cat "/proc/$1/cgroup" 2>/dev/null) in
	*/session-*.scope* | */user.slice/*) return 1 ;;
	esac
}

# arm_at: an at job that runs now is canary and watchdog in one, in atd's own
# process tree; a second one is queued for the deadline.
arm_at() {
	command -v at >/dev/null || {
		WHY="$WHY at is not installed (apt install at);"
		return 1
	}
	printf '[ -r %s ] && exec /bin/sh %s announce %s at\n' "$D/$SCRIPT" "$D/$SCRIPT" "$T" |
		timer_env at -M now >"$D/at" 2>&1 8>&- || {
		WHY="$WHY at refused: $(grep -v '^warning: commands will' "$D/at" | head -n 1);"
		return 1
	}
	canary=$(job_number)
	case $(cat "$D/at") in *'No atd running'*) false ;; *) proved at ;; esac || {
		[ -z "$canary" ] || atrm "$canary" 2>/dev/null
		WHY="$WHY atd does not run jobs (systemctl start atd; chage -l root);"
		return 1
	}
	up
	minutes=$(((DL - U + 59) / 60 + 1))
	printf '[ -r %s ] && exec /bin/sh %s watch %s\n' "$D/$SCRIPT" "$D/$SCRIPT" "$T" |
		timer_env at -M now + "$minutes" minutes >"$D/at" 2>&1 8>&-
	job=$(job_number)
	[ -n "$job" ] || {
		WHY="$WHY at queued nothing: $(head -n 1 "$D/at");"
		return 1
	}
	# What is not written down nobody takes away, and no confirm counts.
	printf 'at %s\n' "$job" >>"$D/timers" || {
		atrm "$job" 2>/dev/null
		WHY="$WHY the job of at could not be written down (is /run full?);"
		return 1
	}
	in_time || {
		WHY="$WHY at queued its job for the wrong time: $(tail -n 1 "$D/at") (is the clock stepping?);"
		return 1
	}
	TIMERS="$TIMERS at watchdog"
	COUNT=$((COUNT + 2))
}

job_number() { sed -n 's/^job \([0-9][0-9]*\) at .*/\1/p' "$D/at"; }

# in_time: the queued time read back: not before the deadline, and less than
# two minutes after it. at answers "job 7 at Mon Nov 23 07:20:00 2026".
in_time() {
	at_time=$(sed -n 's/^job .* \([0-9][0-9]:[0-9][0-9]:[0-9][0-9]\) .*/\1/p' "$D/at")
	now=$(date -u +%H:%M:%S)
	up
	[ -n "$at_time" ] || return 1
	ahead=$((($(seconds "$at_time") - $(seconds "$now") + 86400) % 86400))
	[ "$ahead" -ge $((DL - U)) ] && [ "$ahead" -le $((DL - U + 120)) ]
}

# seconds HH:MM:SS: since midnight. The leading 1 keeps 08 from being octal.
seconds() {
	IFS=:
	# shellcheck disable=SC2086
	set -- $1
	unset IFS
	echo $(((1$1 - 100) * 3600 + (1$2 - 100) * 60 + 1$3 - 100))
}

# arm_systemd: a transient service that sleeps. Not a timer unit: each
# daemon-reload starts the countdown of OnActiveSec= again.
arm_systemd() {
	[ -d /run/systemd/system ] && command -v systemd-run >/dev/null || {
		WHY="$WHY there is no systemd;"
		return 1
	}
	unit=fwpush-$T-$DL.service
	systemd-run -q --collect --unit="$unit" -p IgnoreOnIsolate=yes \
		-p Restart=on-failure -p RestartSec=100ms -p OOMScoreAdjust=-900 \
		/bin/sh "$D/$SCRIPT" announce "$T" systemd >"$D/systemd-run" 2>&1 8>&- || {
		WHY="$WHY systemd-run: $(head -n 1 "$D/systemd-run");"
		return 1
	}
	proved systemd || {
		systemctl stop "$unit" 2>/dev/null
		WHY="$WHY systemd did not run the unit;"
		return 1
	}
	# The service restarts its process when it dies: it is the unit that is
	# taken away, so the line of the process becomes one of the unit.
	sed "s/^process $WATCHER .*/unit $WATCHER $unit/" "$D/timers" >"$D/timers.new" && mv -f "$D/timers.new" "$D/timers"
	TIMERS="$TIMERS systemd"
	COUNT=$((COUNT + 1))
}

arm_watchdog() {
	command -v setsid >/dev/null || {
		WHY="$WHY setsid is not installed (apt install util-linux);"
		return 1
	}
	setsid /bin/sh "$D/$SCRIPT" announce "$T" watchdog </dev/null >/dev/null 2>&1 8>&- &
	proved watchdog || {
		WHY="$WHY the watchdog did not leave this session;"
		return 1
	}
	TIMERS="$TIMERS watchdog"
	COUNT=$((COUNT + 1))
}

# arm: two proved timers, or as many as the transaction needs at least, their names
# in TIMERS; 1 otherwise, and UNARMED says what was tried and why it failed. A host
# whose file says so needs one (timers = 1): a second one is armed all the same if it
# can be.
arm() {
	need=2
	{ read -r need <"$D/need"; } 2>/dev/null
	TIMERS='' COUNT=0 WHY='' WATCHER=0
	UNARMED="no timer can prove itself: $D/proof could not be made (is /run full?)"
	[ -p "$D/proof" ] || mkfifo "$D/proof" 2>/dev/null || return 1
	exec 8<>"$D/proof"
	if ! arm_at; then
		TIMERS='' COUNT=0
		arm_systemd
		arm_watchdog
	fi
	exec 8>&-
	[ "$COUNT" -lt "$need" ] || return 0
	UNARMED="$COUNT of $need timers could be proved${TIMERS:+ (${TIMERS# })}:${WHY%;}"
	return 1
}
