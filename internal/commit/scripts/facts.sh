# shellcheck shell=sh
# What a host says about itself. Reads only: it creates no file, takes no lock
# and queues no job.
#
# Answers are lines "MARK key value"; a line "MARK section NAME" is followed by
# raw text up to the next line that begins with MARK, a random word that the
# controller chose and that text on the host cannot hold by accident.

HOMES=no # not looked at; see homemade.sh

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
	# Not by read, which asks byte by byte: the kernel has but one answer for a number.
	tracked=$(cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null) && say tracked "$tracked"
	tracked=$(cat /proc/sys/net/netfilter/nf_conntrack_max 2>/dev/null) && say trackable "$tracked"
	say tools "$(for t in nft at systemd-run setsid unshare iptables-restore iptables-save ip6tables-restore ip6tables-save ipset; do
		! command -v "$t" >/dev/null || printf '%s ' "$t"
	done)"
	systemd=no
	[ ! -d /run/systemd/system ] || systemd=yes
	say systemd "$systemd"
	NFT=no NFTVERSION=none CHAINS='' dumb=''
	if command -v nft >/dev/null; then
		NFT=yes
		NFTVERSION=$(nft --version 2>&1 </dev/null) || NFTVERSION=none
		CHAINS=$(nft list chains 2>&1 </dev/null) || dumb=yes
	fi
	say nft "$NFTVERSION"
	unit_state
	say unit "$UNIT"
	[ "$INIT" != openrc ] || say init openrc
	{ read -r booted <"$FELLBACK"; } 2>/dev/null && say booted "$booted"
	OWNER='' last='' drill=''
	{ read -r OWNER <"$B/owner"; read -r last <"$B/last_revert"; read -r drill <"$B/last_drill"; } 2>/dev/null
	[ -z "$OWNER" ] || say owner "$OWNER"
	[ -z "$last" ] || say lastrevert "$last"
	[ -z "$drill" ] || say lastdrill "$drill"
	if look; then
		case $ST in confirmed | reverted) ;; *) holder pending ;; esac
	fi
	newest
	boot_file
	say generation "$GEN"
	EXCLUSIVE=no
	[ ! -e "$B/exclusive" ] || EXCLUSIVE=yes
	[ "$EXCLUSIVE" = no ] || { say exclusive yes && loader; }
	CONFIRMED=none
	if [ "$GEN" -gt 0 ]; then
		CONFIRMED=nftables
		! is_iptables "$B/gen/$GEN/rules" || CONFIRMED=iptables
	elif [ "$WANT" = auto ]; then
		probe
	fi
	# A kernel without nf_tables: the program is there, and no table of ours can be.
	case "$dumb $WANT $CONFIRMED" in
	'yes nftables '* | *' nftables') ;;
	yes*) NFT=no ;;
	esac
	xt_facts
	listing
	[ -z "$NFTERR" ] || section nfterror "$NFTERR"
	[ -z "$XTERR" ] || section xterror "$XTERR"
	section running "$L"
	others
	[ "$HOMES" = no ] || home_facts
	stored
	section chains "$CHAINS"
}

# probe: whether nft loads what our rules are made of, asked on a host that was
# never confirmed: in a network namespace of its own, or, where there can be none,
# by a check.
PROBE='table inet fwpush_probe {
	set s {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.0/24 }
	}
	chain c {
		type filter hook input priority -10; policy drop;
		ct state established,related accept
		ip saddr @s tcp dport 22 accept
		icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 accept
		limit rate 5/second burst 10 packets log prefix "fwpush-probe: "
		counter reject with icmpx type admin-prohibited
	}
}'
probe() {
	if [ "$NFT" = no ]; then
		say probe 'failed nft was not found'
	elif said=$(printf '%s\n' "$PROBE" | unshare -n nft -f /dev/stdin 2>&1) ||
		{ ! unshare -n true 2>/dev/null && said=$(printf '%s\n' "$PROBE" | nft -c -f /dev/stdin 2>&1); }; then
		say probe ok
		PROBED=ok
	else
		say probe "failed $(printf '%s\n' "$said" | head -n 1)"
	fi
}
PROBED=''

# legacy_tables: there are any. The kernel tells, and no program that would make one
# by asking for it.
legacy_tables() {
	for f in /proc/net/ip_tables_names /proc/net/ip6_tables_names; do
		! { read -r name <"$f"; } 2>/dev/null || return 0
	done
	return 1
}

# xt_facts: XT, whether iptables has to be looked at: what it is, if so. A host of
# the other backend is spared that, since nft and the kernel tell of chains of ours.
xt_facts() {
	XT=no XTVERSION=none V4='' V6='' OTHERS4='' OTHERS6=''
	command -v iptables-save >/dev/null || return 0
	case "$WANT $CONFIRMED" in
	iptables* | *iptables) XT=yes ;;
	'auto none') [ "$PROBED" = ok ] || XT=yes ;;
	esac
	case $CHAINS in *FWPUSH-*) XT=yes ;; esac
	[ "$NFT" = yes ] && ! legacy_tables || XT=yes
	[ "$XT" = yes ] || return 0
	xt_now
	XTVERSION=$(iptables --version 2>&1 </dev/null) || XTVERSION=none
	say iptables "$XTVERSION"
	v6=no
	! ipv6 || v6=yes
	say ipv6 "$v6"
	engines
	[ -z "$ENGINES" ] || say engines "$ENGINES"
	[ -z "$STRAY" ] || say stray "$STRAY"
	! command -v ipset >/dev/null || ! set_probe || say ipset ok
	[ "$EXCLUSIVE" = yes ] || loader
}

# loader: which one there is, where a boot needs it.
loader() { [ ! -r "$B/load.sh" ] || say loader "$(sha256sum <"$B/load.sh" | cut -c 1-64)"; }

# home_facts: what is home-made, of a host that is, or shall be, in mode exclusive. Of
# what is too much to read the beginning is told, and how much there is of it.
home_facts() {
	TELLS=$NFT
	case "$dumb $NFT" in yes*) TELLS=no ;; *no) TELLS=none ;; esac
	homemade
	[ -n "$HOMEMADE" ] || return 0
	section home "$(printf '%s\n' "$HOMEMADE" | grep '^refuse ' | head -n 20
		printf '%s\n' "$HOMEMADE" | grep -v '^refuse ' | head -n 400 | cut -c 1-400)"
	# What filters or translates what the host forwards, if it forwards anything.
	case $HOMEMADE in *' -t filter -P FORWARD '* | *' -t filter -A FORWARD '* | *' hook forward '*)
		case $(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null) in
		*1*) say homeforwards yes ;;
		esac
		;;
	esac
	say homelines "$(printf '%s\n' "$HOMEMADE" | grep -vc '^refuse ')"
	say homesum "$(printf '%s\n' "$HOMEMADE" | sha256sum | cut -c 1-64)"
}

# set_probe: sets can be made, and rules can refer to them.
set_probe() {
	unshare -n sh -c '
		ipset create fwp4-probe hash:net family inet && ipset create fwp6-probe hash:net family inet6 &&
		printf "*filter\n-A OUTPUT -m set --match-set fwp4-probe dst -j ACCEPT\nCOMMIT\n" | iptables-restore -w 10 &&
		{ [ ! -e /proc/net/if_inet6 ] ||
			printf "*filter\n-A OUTPUT -m set --match-set fwp6-probe dst -j ACCEPT\nCOMMIT\n" | ip6tables-restore -w 10; }
	' >/dev/null 2>&1 </dev/null
}

# engines: ENGINES, the variant of iptables that is not used if it filters too, and
# STRAY if it does so by chains of ours. A host that has rules in both is not filtered
# by what either of them shows.
engines() {
	ENGINES='' STRAY=''
	for family in iptables ip6tables; do
		beside "$family" || continue
		others_beside
		case $used in
		nft) told="$family is the nf_tables variant, and legacy tables hold rules ($CALLED)" ;;
		*) told="$family is the legacy variant, and tables of the nf_tables variant hold rules ($CALLED)" ;;
		esac
		! stray || STRAY=$told
		! printf '%s\n' "$BESIDE" |
			grep -Eq '^-A (INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) |^:[^ ]+ (DROP|-) ' || ENGINES=$told
	done
}

# stored: the confirmed rules. What equals something already said is not said
# again, so that an unchanged host answers with two texts and not four.
stored() {
	slurp "$B/${BOOTFILE:-boot.nft}" && section boot "$TEXT"
	BOOTTEXT=$TEXT
	[ "$GEN" -gt 0 ] || return 0
	slurp "$B/gen/$GEN/meta" && section meta "$TEXT"
	slurp "$B/gen/$GEN/rules"
	if [ -n "$BOOTTEXT" ] && [ "$TEXT" = "$BOOTTEXT" ]; then say rules same; else section rules "$TEXT"; fi
	if [ "$POLICY" != none ] && [ -r "$B/gen/$GEN/policy.json" ]; then
		# One line, which must not be longer than the other side reads. What is cut is
		# told to be too large there.
		if [ "$(sha256sum <"$B/gen/$GEN/policy.json" | cut -c 1-64)" = "$POLICY" ]; then say policy same; else section policy "$(head -c 600000 "$B/gen/$GEN/policy.json")"; fi
	fi
	slurp "$B/gen/$GEN/canon"
	CANON=$TEXT
	slurp "$B/gen/$GEN/nft"
	version=$NFTVERSION
	[ "$CONFIRMED" = nftables ] || version=$XTVERSION
	if [ "$TEXT" != "$version" ]; then
		# Another nft prints the same rules in other words: let it say the
		# confirmed ones in a network namespace of its own.
		if CANON=$(relisted "$B/gen/$GEN/rules" 2>/dev/null </dev/null); then
			say canonby unshare
		else
			say canon unknown
			return 0
		fi
	fi
	if [ "$CANON" = "$L" ]; then say canon same; else section canon "$CANON"; fi
}

# relisted FILE: the listing that FILE has today.
relisted() {
	case $CONFIRMED in
	nftables) unshare -n sh -c 'nft -f "$1" && nft -s list table inet fwpush' sh "$1" ;;
	*) unshare -n sh "$B/load.sh" list "$1" ;;
	esac
}
