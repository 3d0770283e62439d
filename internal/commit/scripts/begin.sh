# shellcheck shell=sh
# Begin: facts, then on the controller's word stage, check, arm, apply. One
# execution; the rules are in force when it says `applied`, and two timers that
# have proved themselves take them back unless somebody confirms.

# settle: finishes what an earlier run left, or says who holds the host.
settle() {
	before=''
	while look; do
		[ "$NAME" != "$before" ] || refuse "state $R cannot be written: is it read-only?"
		before=$NAME
		T=$TX
		D=$R/tx/$T
		case $ST in confirmed | reverted) return 0 ;; esac
		! rebooted || return 0
		if foreign; then
			by_its_own retry || held
			continue
		fi
		case $ST in
		staged | armed)
			# A Begin answers within minutes; one of an hour hangs.
			up
			! alive "$OP" "$OQ" || [ $((U - OQ / 100)) -gt 3600 ] || held
			fence "$OP" "$OQ"
			turn dropping 0 || continue
			finish_drop 'reverted (its owner died before apply)'
			;;
		applied)
			due || held
			say settling
			revert due
			[ $? -ne 2 ] || stuck
			;;
		*)
			say settling
			revert now
			[ $? -ne 2 ] || stuck
			;;
		esac
	done
}

held() {
	holder held
	exit 0
}

# stuck: an earlier revert cannot be finished. The controller may accept that
# by name; then what runs now counts as the old rules.
stuck() {
	say stuck "$T $(tail -n 1 "$D/log" 2>/dev/null)"
	ask 60 || exit 0
	[ "$WORD" = accept ] || exit 0
	printf '' >"$D/givenup"
	record 'given-up (stuck-revert accepted)'
	salvage
	disarm
	turn reverted 0
}

# claim: the host is this transaction's from here on. The rename that makes R,
# or that moves on from the state the facts were told in, has one winner. Who it
# is stands there before, for those who lose.
claim() {
	home=$R
	if [ -z "$BASE" ]; then
		home=/run/fwpush.$P.$Q
		mkdir "$home"
	fi
	# Not with -p: R may be gone since, taken away by a removal, or only its tx.
	[ -d "$home/tx" ] || mkdir "$home/tx" 2>/dev/null
	mkdir "$home/tx/$T" &&
		printf '%s\n' "$RUN" >"$home/tx/$T/run" &&
		printf '%s\n' "$WHO" >"$home/tx/$T/who" &&
		printf '%s\n' "$W" >"$home/tx/$T/window" || {
		# Whoever moved on from the same state clears away what others prepare.
		if [ -n "$BASE" ] && [ ! -e "$R/$BASE" ]; then return 1; fi
		rm -rf "${home:?}/tx/$T"
		[ -n "$BASE" ] || rm -rf "$home"
		refuse "stage cannot write to $home: is the disk full?"
	}
	if [ -n "$BASE" ]; then
		NAME=$BASE
		turn staged 0 && return
		rm -rf "${D:?}"
		return 1
	fi
	NAME=S.$T.staged.0.$P.$Q
	printf '' >"$home/$NAME" || return 1
	mv -f "$home" "$R" 2>/dev/null
	[ -e "$R/$NAME" ] || {
		rm -rf "$home" "${R:?}/${home##*/}"
		return 1
	}
	TX=$T ST=staged DL=0 OP=$P OQ=$Q
}

# drop TEXT: nothing was applied; back to as it was. Whoever turned the state in
# between does the same.
drop() {
	note "$1"
	if turn dropping 0; then
		unstage
		disarm
		rm -rf "$D"
		turn reverted 0
	fi
	say dropped "$1"
	exit 0
}

# write_down: the small files of a transaction; 1 as soon as one fails.
write_down() {
	printf '%s\n' "$NONCE" >"$D/nonce" &&
		printf '%s\n' "$NEED" >"$D/need" &&
		printf '%s\n' "$CONNECTION" >"$D/seen" &&
		printf '%s\n' "$bootid" >"$D/boot" &&
		printf '%s\n' "$PROTO" >"$D/proto" &&
		printf '%s\n' "$L" >"$D/old.canon" &&
		printf '%s\n' "$STAMP" >"$B/gen/.$T/owner" &&
		printf 'tx %s\nrun %s\nwhen %s\nby %s\n' "$T" "$RUN" "$(date +%s)" "$WHO" >"$B/gen/.$T/meta" || return 1
	# What this transaction touches is put back: the side of the candidate, and that
	# of rules that run.
	version=$NFTVERSION
	[ "$MODE" != iptables ] || version=$XTVERSION
	printf '%s\n' "$version" >"$B/gen/.$T/nft" || return 1
	if [ -n "$NL" ] || [ "$MODE" = nftables ] || { [ "$MODE" = remove ] && [ "$NFT" = yes ]; }; then
		printf 'add table inet fwpush\ndelete table inet fwpush\n%s\n' "$NL" >"$D/old.nft" || return 1
	fi
	if [ -n "$XL" ] || [ "$MODE" = iptables ]; then
		[ "$XT" = yes ] || xt_now
		printf '%s %s\n' "$XT4" "$XT6" >"$D/variants" &&
			printf '%s\n' "${XL:-# fwpush iptables}" >"$D/old.ipt" || return 1
	fi
	sides
	NEWBOOT=boot.nft
	[ "$MODE" != iptables ] || NEWBOOT=boot.ipt
	printf '%s\n%s\n' "$NEWBOOT" "${BOOTFILE:-none}" >"$D/names" || return 1
	# Whether the host is in mode exclusive, and whether it shall be.
	shall=$EXCLUSIVE
	case $ADOPT in
	exclusive) shall=yes ;;
	coexist) shall=no ;;
	esac
	printf '%s %s\n' "$EXCLUSIVE" "$shall" >"$D/exclusive" || return 1
	[ -n "$BOOTFILE" ] || printf '' >"$D/first" || return 1
	[ -z "$DRILL" ] || printf '' >"$D/drill" || return 1
	[ -e "$B/owner" ] || printf '' >"$D/noowner" || return 1
	[ -e "$B/load.sh" ] || printf '' >"$D/noloader" || return 1
	[ "$MODE" = remove ] || return 0
	printf '' >"$D/remove"
}

# stage: everything that the rest needs, written down before anything runs.
stage() {
	mkdir -p "$B/gen/.$T" 2>"$D/err" || drop "stage cannot make $B/gen: is the disk full or read-only? $(head -n 1 "$D/err")"
	for old in "$R"/tx/* "$B"/gen/.[0-9a-f]* "$B"/boot.[0-9a-f]* "$B"/load.[0-9a-f]* "$B"/.[a-z]*.[0-9a-f]* \
		"$B/owner.prev" "$B/load.prev"; do
		case $old in *"$T") ;; *) rm -rf "$old" ;; esac
	done
	write_down || drop "stage cannot write to $R and $B: is the disk full?"
	receive "$B/boot.$T" "$L1" && receive "$D/kept.nft" "$L2" && receive "$D/revert.sh" "$L3" && receive "$B/load.$T" "$L4" &&
		receive "$B/gen/.$T/policy.json" "$L5" ||
		drop 'stage cannot write what was sent: is the disk full?'
	ask 60 && [ "$WORD" = "end $T" ] || drop 'stage the upload was cut short'
	[ "$MODE" = remove ] || cp "$B/boot.$T" "$B/gen/.$T/rules" || drop 'stage cannot write: is the disk full?'
	stage_adopted || drop "stage $(head -c 600 "$D/err" | tr '\n' ' ')"
	# What is written once the rules run has its room from here on: the listing, which is
	# about as long as the text, and what a confirm adds.
	printf "%$((L1 + 16384))s\n" x >"$B/.probe.$T" || drop "stage cannot write to $B: is the disk full?"
	boot_unit || drop "stage boot unit $UNITFILE: $(head -n 1 "$D/err")"
	flush_disk "$B" "$B/gen" "$B/gen/.$T" "$B/gen/.$T"/* 2>/dev/null || drop 'stage cannot get what was sent onto the disk'
}

# stage_adopted: what of others is to be taken away is written down, and proved to come
# back. 1 if not, and D/err says why.
stage_adopted() {
	[ "$ADOPT" = exclusive ] && [ "$MODE" != remove ] && [ -n "$HOMEMADE" ] || return 0
	mkdir "$D/adopt" && printf '%s\n' "$HOMEMADE" >"$D/adopt/told" && adopted keep 30 &&
		flush_disk "$B/.adopted.$T" "$B/.adopted.$T"/* 2>"$D/err"
}

# boot_unit: there before the first confirm, so that a confirmed ruleset is
# never without its way through a reboot. A first push that reverts takes it
# away again.
boot_unit() {
	[ "$MODE" != remove ] && [ -z "$DRILL" ] || return 0
	case $UNIT in none | ok) return 0 ;; esac
	printf '' >"$D/unit.start" || return 1
	[ "$UNIT" != absent ] || printf '' >"$D/unit.new" || return 1
	mode=644
	[ "$INIT" != openrc ] || mode=755
	{
		printf '%s\n' "$UNITWANT" >"$UNITFILE.$T" &&
			chmod "$mode" "$UNITFILE.$T" &&
			mv -f "$UNITFILE.$T" "$UNITFILE" &&
			case $INIT in
			systemd) systemctl daemon-reload && systemctl enable fwpush.service && flush_disk "$UNITDIR" "$UNITFILE" "$UNITDIR"/*.wants ;;
			openrc) rc-update add fwpush boot && flush_disk "$INITDIR" "$UNITFILE" "$LEVELS/boot" ;;
			esac
	} >"$D/err" 2>&1
	rc=$?
	[ "$rc" -eq 0 ] || rm -f "$UNITFILE.$T"
	return "$rc"
}

# check: the host's own nft says whether it would take the new rules and, where
# they were never loaded by us in this form, the old ones. LOAD is the form to
# load; SPENT how long the check took, in seconds; FORM how the new rules are listed
# where nobody else has a hand in them, '' if that cannot be told.
check() {
	up
	began=$U quarter=$((W / 4 + 1)) DEPTH='' FORM=''
	LOAD=$D/kept.nft
	case $MODE in
	nftables)
		if [ "$L2" -eq 0 ] || ! run_nft "$quarter" -c -f "$LOAD"; then
			LOAD=$B/boot.$T
			run_nft "$quarter" -c -f "$LOAD" || refused_by nft $?
		fi
		;;
	iptables)
		LOAD=$B/boot.$T
		xt_check "$LOAD" || refused_by iptables-restore $?
		FORM=$SAID
		;;
	esac
	up
	SPENT=$((U - began)) began=$U
	[ "$L" = "${CANON-}" ] && [ -n "$L" ] || {
		{ [ "$NFT" = no ] || run_nft "$quarter" -c -f "$D/old.nft"; } &&
			{ [ -z "$XL" ] || xt_check "$D/old.ipt"; }
	} || drop "check running rules could not be put back: $(head -c 300 "$D/err" | tr '\n' ' ')"
	up
	# What a load may take at a revert, which has no other way: more than it should.
	LIMIT=$(((U - began > SPENT ? U - began : SPENT) * 5))
	[ "$LIMIT" -gt 30 ] || LIMIT=30
	printf '%s\n' "$LIMIT" >"$D/limit" || drop 'check cannot write: is the disk full?'
	[ "$MODE" != nftables ] || nft_form || DEPTH=blind
}

# refused_by PROGRAM STATUS: the check did not take the new rules.
refused_by() {
	[ "$2" -ne 137 ] || drop "check $1 needs more than $((W / 4)) s, a quarter of the window: try --window $((W * 4 < 3600 ? W * 4 : 3600))s"
	drop "check new rules refused: $(head -c 600 "$D/err" | tr '\n' ' ')"
}

# xt_check FILE: the real load, in a network namespace of its own; SAID is how it is
# listed there. Where the host allows none (a container without CAP_SYS_ADMIN) there is the test of
# iptables-restore, which lets more pass; DEPTH says so.
xt_check() {
	if unshare -n true 2>/dev/null; then
		tool_says "$quarter" unshare -n sh "$B/load.$T" check "$1" "$XT4" "$XT6"
	else
		DEPTH=shallow SAID=''
		xt_test "$quarter" "$1"
	fi
}

# load_new LIMIT: the candidate, then nothing of ours on the other side, and nothing
# home-made where that is taken away. In between a packet has to pass both: both sides of
# ours have the management pair, and what is home-made has let this connection in.
load_new() {
	case $MODE in
	nftables) run_nft "$1" -f "$LOAD" ;;
	iptables) xt_load "$1" "$LOAD" ;;
	esac || return
	[ "$MODE" = nftables ] || [ "$NFT" = no ] || run_nft "$1" "$NOTABLE" || return
	[ "$MODE" = iptables ] || [ "$XT" = no ] || xt_unload "$1" || return
	adopted take "$1"
}

# apply: write-ahead, then the load. Whatever goes wrong from the rename on is
# a revert, never a "nothing happened".
apply() {
	up
	turn staged $((U + W)) || drop 'arm lost the host to another run'
	arm || drop "arm $UNARMED"
	turn armed "$DL" || drop 'arm lost the host to another run'
	say armed "$((DL - U)) $TIMERS"
	turn applied "$DL" || drop 'arm the deadline passed while arming'
	say applying
	STRICT=yes limit=$((SPENT * 5))
	[ "$limit" -gt 20 ] || limit=20
	load_new "$limit"
	rc=$?
	STRICT=''
	why="load failed (status $rc): $(head -c 600 "$D/err" | tr '\n' ' ')"
	# A child forked now is younger than the new rules.
	born=$(read -r stat </proc/self/stat && start_of "${stat%% *}" && echo "$START")
	if [ "$rc" -ne 0 ] || ! mine; then
		revert now
		taken_back $? "$why"
	fi
	listing || { revert now; taken_back $? "cannot list the new rules: $NFTERR$XTERR"; }
	# The listing is what a confirm compares with: of no rules it would be a proof of none.
	case $MODE in
	nftables) [ -n "$NL" ] ;;
	iptables) [ -n "$XL" ] ;;
	esac || { revert now; taken_back $? 'the new rules are gone as soon as they are loaded: somebody else takes them away'; }
	as_loaded || { revert now; taken_back $? 'what runs is not what was loaded: somebody else changed it at this very moment'; }
	up
	read -r a </proc/sys/kernel/random/uuid
	read -r b </proc/sys/kernel/random/uuid
	printf '%8192s\n' x >"$B/.probe.$T" && # the rest of the room is for the listing
		printf '%s\n' "$born" >"$D/born" &&
		printf '%s\n' "$L" >"$D/canon" &&
		printf '%s\n' "$L" >"$B/gen/.$T/canon" &&
		printf '%s %s\n' "$U" "$(date +%s)" >"$D/clock" &&
		printf '%s\n' "$a$b" >"$D/seal" || {
		revert now
		taken_back $? "cannot write to $B what was applied: is the disk full or read-only?"
	}
	say applied "$((DL - U)) $a$b"
}

# mine: the state is still the one that this Begin made.
mine() { [ -e "$R/$NAME" ]; }

# taken_back STATUS WHY: what to say after a revert of our own. Nothing where somebody
# confirmed over another connection meanwhile: there was nothing to take back, and who
# asks hears it.
taken_back() {
	outcome
	case $OUTCOME in confirming | confirmed | removed) exit 0 ;; esac
	case $1 in
	2) say open "$2" ;;
	*) if [ -e "$D/homeless" ]; then say homeless "$2"; else say reverted "$2"; fi ;;
	esac
	exit 0
}

# outrun: another run was faster. It holds the host, or is done already.
outrun() {
	look && [ "$ST" != confirmed ] && [ "$ST" != reverted ] && held
	refuse 'claim another run changed this host at the same moment; try again'
}

begin() {
	myself
	strange
	settle
	BASE=$NAME
	facts
	tell_age
	look
	[ "$NAME" = "$BASE" ] || outrun # it may show in what was told
	say ask
	ask 60 || exit 0
	# shellcheck disable=SC2086 # words, split on purpose
	set -- $WORD
	case ${1-}$#${12-} in go11 | go12drill) ;; *) exit 0 ;; esac
	T=$2 NONCE=$3 W=$4 MODE=$5 L1=$6 L2=$7 L3=$8 L4=$9 L5=${10} NEED=${11} DRILL=${12-}
	is_hex "$T" 32 && is_hex "$NONCE" 32 && is_number "$W" && is_number "$L1" && is_number "$L2" && is_number "$L3" && is_number "$L4" && is_number "$L5" && is_number "$NEED" && [ "$NEED" -ge 1 ] ||
		refuse 'protocol bad go line'
	D=$R/tx/$T
	ask 60 && RUN=$WORD && ask 60 && STAMP=$WORD && ask 60 && WHO=$WORD || exit 0
	claim || outrun
	stage
	check
	say checked "$DEPTH"
	while ask 60; do
		case $WORD in
		hold) continue ;;
		apply) apply && break ;;
		*) drop 'stop asked by the controller' ;;
		esac
	done
	[ "$ST" = applied ] || drop 'stop the controller did not answer'
	# The controller may still be heard although nobody can get in any more.
	if ask "$W" && [ "$WORD" = revert ]; then
		revert now
		rc=$?
		# Somebody else may have confirmed it meanwhile: a new connection is told how it ended.
		look && [ "$TX" = "$T" ] || exit 0
		case $ST in confirming | confirmed) exit 0 ;; esac
		taken_back "$rc" 'asked by the controller'
	fi
	exit 0
}
