# shellcheck shell=sh
# What makes a decision last: boot file, owner and generation on the disk, or
# nothing of ours any more. Timers run it too, where the confirm died.

# persist: makes the decision `confirming` last. Every step may have been done
# by somebody who died, so each looks first. Until the last step the transaction
# holds the host: what it takes away could be the next one's. On failure the
# decision is turned, for good: D/undo says so to whoever comes in between, and
# only the revert puts anything back.
persist() {
	messages
	if [ ! -e "$D/undo" ] && make_lasting 2>"$MESSAGES"; then
		[ ! -e "$FELLBACK" ] || rm -f "$FELLBACK"
		if [ -e "$D/remove" ]; then
			record removed
			forget
		else
			if [ -d "$D/adopt" ]; then record 'confirmed adopted'; else record confirmed; fi
			# A unit that is not active is not reloaded with nftables.service.
			[ ! -e "$D/unit.start" ] || [ ! -d /run/systemd/system ] || systemctl start --no-block fwpush.service 2>/dev/null
		fi
		disarm
		turn confirmed 0 || return 0
		[ ! -e "$D/remove" ] || forget_state
		return 0
	fi
	note "cannot persist: $(head -c 300 "$D/err")"
	{ printf '' >"$D/undo"; } 2>/dev/null && turn reverting "$DL" && finish_revert
	return 1
}

# put_back: B as it was before the decision, as often as it is tried. Where the
# boot file is not, D/bootbad tells: such a host would boot rules that nobody
# confirmed.
put_back() {
	boot_names
	for g in "$B/gen/.$T" "$B"/gen/[0-9]*; do
		brought "$g" || continue
		# The boot file is ours if it was moved there and is what we brought.
		compared=1
		[ -e "$B/boot.$T" ] || [ ! -e "$B/$NEWBOOT" ] || [ ! -e "$g/rules" ] || {
			cmp -s "$B/$NEWBOOT" "$g/rules"
			compared=$?
		}
		# Where nobody can tell, it may be.
		[ "$compared" -le 1 ] || printf '' >"$D/bootbad"
		if [ "$compared" -eq 0 ]; then
			if [ -e "$D/first" ]; then
				rm -f "$B/$NEWBOOT"
			else
				# Without boot.prev it is back, and was the same.
				{ [ ! -e "$B/boot.prev" ] || mv -f "$B/boot.prev" "$B/$OLDBOOT"; } &&
					{ [ "$OLDBOOT" = "$NEWBOOT" ] || rm -f "$B/$NEWBOOT"; }
			fi && rm -f "$D/bootbad" || printf '' >"$D/bootbad"
		fi
		be_exclusive 1 # first: a boot in that mode has no way without the loader
		if [ -e "$B/load.prev" ]; then
			mv -f "$B/load.prev" "$B/load.sh"
		elif [ -e "$D/noloader" ]; then
			rm -f "$B/load.sh"
		fi
		if [ -e "$B/owner.prev" ]; then
			mv -f "$B/owner.prev" "$B/owner"
		elif [ -e "$D/noowner" ]; then
			rm -f "$B/owner"
		fi
		for a in "$B"/adopted/*; do
			! grep -qsx "$T" "$a/tx" || rm -rf "$a"
		done
		rmdir "$B/adopted"
		[ ! -e "$D/bootbad" ] || continue # by it the next try knows the boot file
		# At once: half of one would be the newest, and nobody's.
		[ "$g" = "$B/gen/.$T" ] || { rm -rf "$B/gen/.$T" && mv -f "$g" "$B/gen/.$T"; }
		rm -rf "$g" "$B/gen/.$T"
	done
	if [ -e "$D/remove" ] && [ ! -e "$D/first" ] && [ ! -e "$B/$OLDBOOT" ] && [ -e "$B/boot.prev" ]; then
		mv -f "$B/boot.prev" "$B/$OLDBOOT" && rm -f "$D/bootbad" || printf '' >"$D/bootbad"
	fi
	flush_disk "$B" "$B/gen" "$B/$OLDBOOT"
}

# brought DIR: T has brought that generation. By no program, since what is not ours stays.
brought() {
	while read -r key tx; do
		[ "$key $tx" != "tx $T" ] || return 0
	done <"$1/meta"
	return 1
}

# be_exclusive WHICH: a boot takes home-made rules away from now on, or does not: as it
# was before the transaction (1) or as it shall be (2).
be_exclusive() {
	was=no shall=no
	{ read -r was shall <"$D/exclusive"; } 2>/dev/null
	[ "$1" = 2 ] || shall=$was
	if [ "$shall" = yes ]; then printf '' >"$B/exclusive"; else rm -f "$B/exclusive"; fi
}

# keep_adopted: what was taken away stays here for good, below a number.
keep_adopted() {
	[ -d "$B/.adopted.$T" ] || return 0
	adoptions
	{ [ -d "$B/adopted" ] || mkdir "$B/adopted"; } && mv -f "$B/.adopted.$T" "$B/adopted/$((LAST + 1))"
}

# salvage: what could not be put back is kept for somebody to do it by hand.
salvage() {
	[ -d "$D/adopt" ] && ! grep -qsx "$T" "$B"/adopted/*/tx || return 0
	[ -d "$B/.adopted.$T" ] || cp -R "$D/adopt" "$B/.adopted.$T" && keep_adopted
} 2>/dev/null

# adoptions: FIRST and LAST, the numbers of those that are kept; 0 if there are none.
adoptions() {
	FIRST=0 LAST=0
	for a in "$B"/adopted/[0-9]*; do
		[ -d "$a" ] || continue
		a=${a##*/}
		[ "$LAST" -ge "$a" ] || LAST=$a
		[ "$FIRST" -gt 0 ] && [ "$FIRST" -lt "$a" ] || FIRST=$a
	done
}

# tidy_adopted: the first one is what the host had before us, and the last one may be
# asked for soon.
tidy_adopted() {
	adoptions
	for a in "$B"/adopted/[0-9]*; do
		case ${a##*/} in "$FIRST" | "$LAST") ;; *) rm -rf "$a" ;; esac
	done
}

# boot_names: NEWBOOT and OLDBOOT, the names in B of the boot file of the candidate
# and of the one before. There was none: that of the candidate.
boot_names() {
	NEWBOOT=boot.nft OLDBOOT=none
	{
		read -r NEWBOOT
		read -r OLDBOOT
	} 2>/dev/null <"$D/names"
	[ "$OLDBOOT" != none ] || OLDBOOT=$NEWBOOT
}

make_lasting() {
	boot_names
	if [ -e "$D/remove" ]; then
		# Beside boot.ipt it is of a change of backend that a power cut ended.
		[ "$OLDBOOT" = boot.nft ] || rm -f "$B/boot.nft" || return 1
		[ ! -e "$B/$OLDBOOT" ] || mv -f "$B/$OLDBOOT" "$B/boot.prev" || return 1
		rm -f "$B/load.$T"
		flush_disk "$B"
		return
	fi
	if [ -s "$B/load.$T" ]; then
		[ ! -e "$B/load.sh" ] || keep load.sh load.prev || return 1
		mv -f "$B/load.$T" "$B/load.sh" || return 1
	fi
	if [ -e "$B/boot.$T" ]; then
		[ ! -e "$B/$OLDBOOT" ] || keep "$OLDBOOT" boot.prev || return 1
		mv -f "$B/boot.$T" "$B/$NEWBOOT" || return 1
	fi
	case $NEWBOOT in
	boot.nft) rm -f "$B/boot.ipt" ;;
	*) rm -f "$B/boot.nft" ;;
	esac || return 1
	if [ -d "$B/gen/.$T" ]; then
		if [ -e "$B/gen/.$T/owner" ]; then
			[ ! -e "$B/owner" ] || keep owner owner.prev || return 1
			mv -f "$B/gen/.$T/owner" "$B/owner" || return 1
		fi
		newest
		[ ! -e "$B/gen/$((GEN + 1))" ] || rm -rf "$B/gen/$((GEN + 1))"
		mv -f "$B/gen/.$T" "$B/gen/$((GEN + 1))" || return 1
		for g in "$B"/gen/[0-9]*; do
			[ "${g##*/}" -gt $((GEN - 4)) ] || rm -rf "$g"
		done
	fi
	newest
	# Behind the boot file: a boot in between has both filter.
	keep_adopted && be_exclusive 2 || return 1
	set -- "$B" "$B/gen" "$B/owner" "$B/$NEWBOOT" "$B/gen/$GEN" "$B/gen/$GEN"/*
	[ ! -e "$B/load.sh" ] || set -- "$@" "$B/load.sh"
	[ ! -d "$B/adopted" ] || set -- "$@" "$B/adopted"
	flush_disk "$@" || return 1
	boot_file
	grep -qx "tx $T" "$B/gen/$GEN/meta" && [ "$BOOTFILE" = "$NEWBOOT" ] && cmp -s "$B/$NEWBOOT" "$B/gen/$GEN/rules" || {
		echo 'what was to last is not there' >&2
		return 1
	}
	rm -f "$B/owner.prev" "$B/load.prev"
	[ ! -d "$D/adopt" ] || tidy_adopted
	# The loader stays as long as a boot may need it.
	[ "$NEWBOOT" = boot.ipt ] || [ -e "$B/exclusive" ] || [ ! -e "$B/load.sh" ] || is_iptables "$B/boot.prev" || rm -f "$B/load.sh"
}

# keep FILE NAME: another name in B for what FILE is now; a copy where the file
# system knows no links.
keep() {
	ln -f "$B/$1" "$B/$2" 2>/dev/null || { cp "$B/$1" "$B/$2.$T" && mv -f "$B/$2.$T" "$B/$2"; }
}

# flush_disk PATHS: down to the disk; 1 if it did not get there. A sync that takes
# no names (some busybox) does all disks and cannot fail.
flush_disk() {
	said=$(sync "$@" 2>&1) && return 0
	case $said in
	*sage* | *rgument*) sync ;;
	*)
		printf '%s\n' "$said" >&2
		return 1
		;;
	esac
}

# forget: an unmanaged host keeps our history, and what was taken away of its own.
forget() {
	unit_away --now
	# At once: of half a generation nobody knows what it was.
	mv -f "$B/gen" "$B/.gen.$T"
	rm -rf "$B/gen" "$B/.gen.$T" "$B/owner" "$B/owner.prev" "$B/boot.prev" "$B/last_revert" "$B/last_drill" "$B/load.sh" "$B/load.prev" "$B/exclusive"
	flush_disk "$B" 2>/dev/null
}

# forget_state: R goes last, and only if nobody claimed the host meanwhile: the
# rename of the state file tells, and rmdir, which leaves what is not empty. Who
# comes in between finds R without a state file and adopts it.
forget_state() {
	mv -f "$R/$NAME" "/run/fwpush.$P.$Q.state" 2>/dev/null || return 0
	rm -rf "${R:?}/tx/$T" "/run/fwpush.$P.$Q.state"
	rmdir "$R/tx" "$R" 2>/dev/null
}
