# shellcheck shell=sh
# What a host confirmed before and still keeps. Reads only: it creates no file, takes
# no lock and queues no job.

# past WHICH: tells which generations are kept, and of one of them the rules, the policy
# and how it came about. WHICH is a number, a run, `before` for the one before the newest,
# or `previous` for the newest one that has other rules than the newest.
past() {
	say proto "$PROTO"
	say uid "$(id -u)"
	newest
	boot_file
	say newest "$GEN"
	kept='' found=0 n=$GEN
	while [ "$n" -gt 0 ] && [ $((GEN - n)) -lt 100 ]; do
		if [ -r "$B/gen/$n/rules" ]; then
			kept="$n $kept"
			[ "$found" -gt 0 ] || ! is_past "$1" || found=$n
		fi
		n=$((n - 1))
	done
	say kept "$kept"
	say generation "$found"
	[ "$found" -gt 0 ] || return 0
	slurp "$B/gen/$found/meta" && section meta "$TEXT"
	slurp "$B/gen/$found/rules" && section rules "$TEXT"
	[ ! -r "$B/gen/$found/policy.json" ] || section policy "$(head -c 600000 "$B/gen/$found/policy.json")"
}

# is_past WHICH: generation n is the one that is asked for.
is_past() {
	case $1 in
	before) [ "$n" -lt "$GEN" ] ;;
	previous) [ "$n" -lt "$GEN" ] && ! cmp -s "$B/gen/$n/rules" "$B/gen/$GEN/rules" ;;
	*-*) grep -qx "run $1" "$B/gen/$n/meta" ;;
	*) [ "$n" = "$1" ] ;;
	esac
}
