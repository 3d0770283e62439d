package render

import "strings"

// Backend is the language of a ruleset: which tool of the host loads it.
type Backend string

const (
	BackendNftables Backend = "nftables"
	BackendIptables Backend = "iptables"
)

// iptablesHead is the first line of every text for iptables, and of every listing
// of what runs there.
const iptablesHead = "# fwpush iptables\n"

// BackendOf is the backend that a text of ours is for, "" for no text.
func BackendOf(text string) Backend {
	switch {
	case text == "":
		return ""
	case strings.HasPrefix(text, iptablesHead):
		return BackendIptables
	}
	return BackendNftables
}

// SplitListing takes apart what a host lists as running: what nft told, and what
// iptables told. Either may be empty; both are there only between two backends.
func SplitListing(listing string) (nft, iptables string) {
	if strings.HasPrefix(listing, iptablesHead) {
		return "", listing
	}
	if i := strings.Index(listing, "\n"+iptablesHead); i >= 0 {
		return listing[:i+1], listing[i+1:]
	}
	return listing, ""
}
