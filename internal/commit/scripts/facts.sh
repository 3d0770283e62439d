# shellcheck shell=sh
# What a host says about itself. Reads only: it creates no file, takes no lock
# and queues no job.
#
# Answers are lines "MARK key value"; a line "MARK section NAME" is followed by
# raw text up to the next line that begins with MARK, a random word that the
# controller chose and that text on the host cannot hold by accident.

say() { printf '%s %s\n' "$MARK" "$*"; }

section() {
	say section "$1"
	[ -z "$2" ] || printf '%s\n' "$2"
}

# slurp FILE: TEXT, the file's content without its last newline; 1 if it is
# not there.
slurp() {
	TEXT=''
	[ -r "$1" ] && TEXT=$(cat "$1")
}

# unit_state: UNIT, whether the host would load our rules at boot: ok, differs,
# disabled, absent, or none where there is no systemd to do it.
unit_state() {
	UNIT=none
	[ -d /run/systemd/system ] || return 0
	UNIT=absent
	slurp "$UNITDIR/fwpush.service" || return 0
	UNIT=differs
	[ "$TEXT" = "$UNITTEXT" ] || return 0
	UNIT=disabled
	for f in "$UNITDIR"/*.wants/fwpush.service; do
		[ ! -L "$f" ] || UNIT=ok
	done
}

# holder: the transaction that stands in the state file.
holder() {
	up
	run='' who='' window=0 from=''
	{
		read -r run <"$R/tx/$TX/run"
		read -r who <"$R/tx/$TX/who"
		read -r window <"$R/tx/$TX/window"
		read -r from _ <"$R/tx/$TX/seen" # of Begin's connection: where it came from
	} 2>/dev/null
	left=$((DL - U))
	[ "$DL" -gt 0 ] || left=$window # not armed yet: it cannot end later than this
	[ "$left" -gt 0 ] || left=0
	opened=no
	[ ! -e "$R/tx/$TX/open" ] || opened=yes
	say "$1" "$TX $ST $left ${run:--} $opened ${from:--} ${who:-unknown}"
}

facts() {
	say proto "$PROTO"
	say uid "$(id -u)"
	{ read -r host </proc/sys/kernel/hostname; } 2>/dev/null
	{ read -r bootid </proc/sys/kernel/random/boot_id; } 2>/dev/null
	say host "${host-}"
	say bootid "${bootid-}"
	say connection "$CONNECTION"
	up
	say uptime "$U"
	say clock "$(date +%s)"
	say tools "$(for t in nft at systemd-run setsid unshare; do ! command -v "$t" >/dev/null || printf '%s ' "$t"; done)"
	systemd=no
	[ ! -d /run/systemd/system ] || systemd=yes
	say systemd "$systemd"
	NFTVERSION=$(nft --version 2>&1 </dev/null) || NFTVERSION=none
	say nft "$NFTVERSION"
	unit_state
	say unit "$UNIT"
	OWNER='' last=''
	{ read -r OWNER <"$B/owner"; read -r last <"$B/last_revert"; } 2>/dev/null
	[ -z "$OWNER" ] || say owner "$OWNER"
	[ -z "$last" ] || say lastrevert "$last"
	if look; then
		case $ST in confirmed | reverted) ;; *) holder pending ;; esac
	fi
	newest
	say generation "$GEN"
	if listing; then section running "$L"; else section nfterror "$NFTERR"; fi
	stored
	section chains "$(nft list chains 2>&1 </dev/null)"
}

# stored: the confirmed rules. What equals something already said is not said
# again, so that an unchanged host answers with two texts and not four.
stored() {
	slurp "$B/boot.nft" && section boot "$TEXT"
	BOOTTEXT=$TEXT
	[ "$GEN" -gt 0 ] || return 0
	slurp "$B/gen/$GEN/meta" && section meta "$TEXT"
	slurp "$B/gen/$GEN/rules"
	if [ -n "$BOOTTEXT" ] && [ "$TEXT" = "$BOOTTEXT" ]; then say rules same; else section rules "$TEXT"; fi
	slurp "$B/gen/$GEN/canon"
	CANON=$TEXT
	slurp "$B/gen/$GEN/nft"
	if [ "$TEXT" != "$NFTVERSION" ]; then
		# Another nft prints the same rules in other words: let it say the
		# confirmed ones in a network namespace of its own.
		if CANON=$(unshare -n sh -c 'nft -f "$1" && nft -s list table inet fwpush' sh "$B/gen/$GEN/rules" 2>/dev/null </dev/null); then
			say canonby unshare
		else
			say canon unknown
			return 0
		fi
	fi
	if [ "$CANON" = "$L" ]; then say canon same; else section canon "$CANON"; fi
}
