# shellcheck shell=sh
# What is loaded of others: read, and told only where there is anything. A host that
# has nothing but ours, or nothing, pays no process for it.

# others: a section of the listings of iptables-save and nft -j, each under a line
# "#: WHAT". Ours are left out: nft is asked for the tables of others only. What is
# larger than a megabyte is not told, but that it is.
others() {
	rest='' tables=''
	case $CHAINS in
	*'table inet fwpush {'*)
		rest=${CHAINS#*'table inet fwpush {'}
		rest=${CHAINS%%'table inet fwpush {'*}${rest#*'
}'}
		;;
	*) rest=$CHAINS ;;
	esac
	case $rest in
	*' hook '*) tables=$(printf '%s\n' "$rest" | others_tables) ;;
	esac
	[ -n "$tables$V4$V6$OTHERS4$OTHERS6" ] || return 0
	section foreign "$(others_listings | others_bounded)"
}

# others_beside: BESIDE is kept as what the other variant has loaded, if its own program
# told it.
others_beside() {
	other=nft
	[ "$used" != nft ] || other=legacy
	case ${BESIDE-} in
	'#'* | '*'*) if [ "$family" = iptables ]; then OTHER4=$other OTHERS4=$BESIDE; else OTHER6=$other OTHERS6=$BESIDE; fi ;;
	esac
}

# others_tables: "nft FAMILY NAME" of tables with base chains, "xt FAMILY NAME" where
# iptables makes those.
others_tables() {
	awk '
	/^table / { table = $2 " " $3 }
	$1 == "chain" { chain = $2 }
	/ hook / {
		kind = table ~ /^ip6? (filter|nat|mangle|raw|security)$/ && chain ~ /^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)$/ ? "xt" : "nft"
		if (!seen[table]++) print kind, table
	}'
}

# It runs in a shell of its own, and changes nothing that a transaction goes by.
others_listings() {
	[ -z "$XTERR" ] || V4='' V6='' # what it says is told as an error
	# A host of nftables has not been asked for its iptables yet.
	if [ "$XT" = no ]; then
		XT4=nft XT6=nft
		case $tables in *'xt ip '*) ! called iptables nft || V4=$("$CALLED-save" 2>/dev/null </dev/null) || V4='' ;; esac
		case $tables in *'xt ip6 '*) ! called ip6tables nft || V6=$("$CALLED-save" 2>/dev/null </dev/null) || V6='' ;; esac
	fi
	[ -z "$V4" ] || printf '#: iptables %s\n%s\n' "$XT4" "$V4"
	[ -z "$V6" ] || printf '#: ip6tables %s\n%s\n' "$XT6" "$V6"
	[ -z "$OTHERS4" ] || printf '#: iptables %s\n%s\n' "$OTHER4" "$OTHERS4"
	[ -z "$OTHERS6" ] || printf '#: ip6tables %s\n%s\n' "$OTHER6" "$OTHERS6"
	[ -n "$tables" ] || return 0
	printf '%s\n' "$tables" | while read -r kind family name; do
		printf '#: nft\n'
		if [ "$kind" = xt ] && others_told "$family" "$name"; then
			# Of a rule of nft with a set or a range of addresses iptables tells the rest, as if
			# that were all (1.8.9).
			nft -j list table "$family" "$name" 2>/dev/null </dev/null | grep -E '"(set|map|vmap)": ?|"range": ?\["'
			continue
		fi
		nft -j list table "$family" "$name" 2>/dev/null </dev/null || printf '#: silent\n'
	done
}

# others_told FAMILY NAME: the table is one that iptables has told of. It has no words for
# one that nft filled under a name of its own, and may not be there at all.
others_told() {
	case "$1 $XT4 $XT6" in
	'ip nft '*) told=$V4 ;;
	'ip '*) told=$OTHERS4 ;;
	'ip6 '*' nft') told=$V6 ;;
	*) told=$OTHERS6 ;;
	esac
	case "
$told
" in *"
*$2
"*) return 0 ;; esac
	return 1
}

# others_bounded: without chains of ours and the jumps to them, in short lines.
others_bounded() {
	head -c 1048577 | awk '
	{ size += length($0) + 1 }
	size > 1048576 { print "#: large"; exit }
	/^:FWPUSH-/ || /^-A FWPUSH-/ || /^-A .* -[jg] FWPUSH-[^ ]+$/ || /^# / { next }
	/^[{]/ { gsub(/[{]"/, "\n{\"") }
	{ print }'
}
