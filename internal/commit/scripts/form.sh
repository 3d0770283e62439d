# shellcheck shell=sh
# How the candidate is listed where nobody else has a hand in it. Between its load and
# the listing that a confirm compares with, and drift is told by, there are milliseconds,
# and whatever somebody else puts into our table in them must not be taken for ours.

# nft_form: FORM of a candidate for nft. It is loaded in a network namespace of its own.
# What it says of interfaces of the host that are not there by name (iif "eth0"), or of
# what others have made, keeps it from being loaded. A number of one does not; the host
# lists it as a name. 1 where there is no FORM.
nft_form() {
	# shellcheck disable=SC2016 # for the shell in the namespace
	tool_says "$quarter" unshare -n sh -c 'nft -f "$1" && l=$(nft -s list table inet fwpush 2>&1) && printf "%s\n" "$l"' sh "$B/boot.$T" || return
	FORM=$(printf '%s\n' "$SAID" | steady)
	if printf '%s\n' "$FORM" | grep -Eq 'iface_index|[io]if($|[[:space:]][^"])'; then
		FORM=''
	fi
	[ -n "$FORM" ]
}

# as_loaded: what is listed is what was loaded, and what somebody has put there in between
# is not taken for ours. Chains and sets that were kept may be listed in another order.
as_loaded() {
	[ "$MODE" = remove ] || [ -n "$FORM" ] || return 0
	[ "$L" = "$FORM" ] || [ "$(printf '%s\n' "$L" | in_order)" = "$(printf '%s\n' "$FORM" | in_order)" ]
}

# in_order: a listing with each line below the head of its block.
in_order() {
	awk '
	/^\t[^\t}]/ { head = $0 }
	{ printf "%s\t%07d%s\n", head, ++line[head], $0 }
	/^\t}/ { head = "" }' | sort
}
