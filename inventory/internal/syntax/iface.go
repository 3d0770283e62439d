package syntax

import (
	"fmt"
	"strings"
)

// maxIface is the longest name of an interface in bytes (IFNAMSIZ - 1).
const maxIface = 15

// Iface checks the name of an interface as the kernel does (dev_valid_name in
// net/core/dev.c), and refuses what rulesets read as a pattern.
func Iface(s string) *Error {
	bad := func(hint string) *Error { return wrong("invalid interface name "+Quote(s), hint) }
	switch {
	case s == "":
		return bad("")
	case len(s) > maxIface:
		return bad(fmt.Sprintf("a name has at most %d characters", maxIface))
	case strings.ContainsAny(s, "*+"):
		return bad("patterns are not known; name each interface")
	case s == "." || s == "..":
		return bad("")
	case s == "lo":
		return bad("packets of the host to itself are always accepted")
	}
	if !only(s, func(c byte) bool { return letter(c|0x20) || digit(c) || strings.IndexByte("_.-@", c) >= 0 }) || s[0] == '-' {
		return bad("letters, digits, _ . - and @")
	}
	return nil
}

// Label checks a word of labels or of what they are matched with.
func Label(s string) *Error {
	if s == "" || len(s) > maxLabel || !only(s, func(c byte) bool { return letter(c|0x20) || digit(c) || strings.IndexByte("_.-/", c) >= 0 }) {
		return wrong("invalid label "+Quote(s), "letters, digits, _ . - and /, at most 63 of them")
	}
	return nil
}

// DNSName checks a name that is looked up.
func DNSName(s string) *Error {
	if _, e := Machine(s); e == nil {
		return wrong(Quote(s)+" is an address", "write it in addresses")
	}
	if reason := dnsName(strings.TrimSuffix(s, ".")); reason != "" {
		return wrong("invalid DNS name "+Quote(s), reason)
	}
	return nil
}
