package space

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// few is how many ranges of addresses are written out.
const few = 4

// AddrsText says addresses in few words: "any IPv4", "10.0.0.0/8 and 12 more".
func AddrsText(a Addrs) string {
	switch {
	case a.Empty():
		return "nobody"
	case a.Equal(Everyone(false)):
		return "any IPv4"
	case a.Equal(Everyone(true)):
		return "any IPv6"
	case a.Equal(Everyone(false).Union(Everyone(true))):
		return "any"
	}
	whole := Everyone(a[0].From.Is6())
	if rest := whole.Minus(a); whole.Covers(a) && len(rest) <= len(a) && a.Has(whole[0].From) && a.Has(whole[0].To) {
		return "any but " + listed(rest)
	}
	return listed(a)
}

func listed(a Addrs) string {
	words := Ranges(a)
	if len(words) > few {
		return strings.Join(words[:few], ", ") + fmt.Sprintf(" and %d more", len(words)-few)
	}
	return strings.Join(words, ", ")
}

// Ranges are addresses as prefixes and ranges, all of them.
func Ranges(a Addrs) []string {
	words := make([]string, len(a))
	for i, r := range a {
		words[i] = inventory.AddrRange(r).String()
	}
	return words
}

// Words are interfaces in words, "" for any. That of the host itself is not told apart:
// nobody asks about it.
func (n Names) Words() string {
	list := slices.DeleteFunc(slices.Clone(n.List), func(s string) bool { return n.Except && s == "lo" })
	switch {
	case len(list) == 0:
		return ""
	case n.Except:
		return "any but " + strings.Join(list, ", ")
	}
	return strings.Join(list, ", ")
}

// Interfaces are those of packets, in parts such as "in by eth0".
func (b Box) Interfaces() []string {
	var parts []string
	if words := b.In.Words(); words != "" {
		parts = append(parts, "in by "+words)
	}
	if words := b.Out.Words(); words != "" {
		parts = append(parts, "out by "+words)
	}
	return parts
}
