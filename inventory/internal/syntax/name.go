package syntax

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxName  = 31  // bytes; nft allows more, but sets carry prefixes and suffixes
	maxText  = 128 // bytes; an nft comment is cut or refused beyond it
	maxLabel = 63  // RFC 1035 section 2.3.4
	maxHost  = 253
)

func letter(c byte) bool { return c >= 'a' && c <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// only reports whether s consists of characters that ok takes.
func only(s string, ok func(c byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// Name checks the name of a set, a service, a role or a net. Names become parts
// of names in rulesets, so the alphabet is what every backend takes.
func Name(kind, s string) *Error {
	if s != "" && len(s) <= maxName && letter(s[0]) &&
		only(s, func(c byte) bool { return letter(c) || digit(c) || c == '_' || c == '-' }) {
		return nil
	}
	return wrong(kind+" name must match [a-z][a-z0-9_-]{0,30}, not "+Quote(s), "")
}

// Host checks the name of a host in the fleet: a DNS name in lower case.
func Host(s string) *Error {
	reason := dnsName(s)
	switch {
	case s == "all":
		reason = `"all" selects every host`
	case reason == "" && strings.ToLower(s) != s:
		return wrong("invalid host name "+Quote(s), "write "+strings.ToLower(s))
	case reason == "" && strings.Contains(s, "_"):
		reason = "a DNS name has no underscore"
	}
	if reason != "" {
		return wrong("invalid host name "+Quote(s), reason)
	}
	return nil
}

// SSHAddress checks where a host is dialled: an address or a DNS name.
func SSHAddress(s string) *Error {
	if strings.ContainsAny(s, ":%/") || only(s, func(c byte) bool { return digit(c) || c == '.' }) {
		_, e := Machine(s)
		return e
	}
	if reason := dnsName(s); reason != "" {
		return wrong("invalid address "+Quote(s), reason)
	}
	return nil
}

// dnsName tells what keeps s from being a DNS name, "" for nothing. A last label
// that is a number is no name: inet_aton(3) would take it for an address.
func dnsName(s string) string {
	if s == "" || len(s) > maxHost {
		return "a DNS name has 1 to 253 characters"
	}
	var last string
	for last = range strings.SplitSeq(s, ".") {
		switch {
		case last == "" || len(last) > maxLabel:
			return "a part between dots has 1 to 63 characters"
		case last[0] == '-' || last[len(last)-1] == '-':
			return "a part between dots neither begins nor ends with -"
		case !only(last, func(c byte) bool { return letter(c|0x20) || digit(c) || c == '-' || c == '_' }):
			return "a DNS name has letters, digits, - and dots"
		}
	}
	if number := strings.TrimPrefix(strings.ToLower(last), "0x"); only(number, func(c byte) bool {
		return digit(c) || number != last && c|0x20 >= 'a' && c|0x20 <= 'f'
	}) {
		return "a DNS name does not end in a number"
	}
	return ""
}

// User checks a login name. It is sent inside the SSH protocol only; what is
// refused is what no system has and what looks like an attempt.
func User(s string) *Error {
	if s == "" || len(s) > 64 || s[0] == '-' || s[0] == '.' ||
		!only(s, func(c byte) bool { return letter(c|0x20) || digit(c) || strings.IndexByte("_.@-", c) >= 0 }) {
		return wrong("invalid user name "+Quote(s), "letters, digits, _ . @ and -, not - or . first")
	}
	return nil
}

// Text checks a comment, an owner or a ticket. It may end up between quotes in
// an nft ruleset, which has no escapes.
func Text(key, s string) *Error {
	if e := printable(s); e != nil {
		return e
	}
	if len(s) > maxText {
		return wrong(key+" is too long: "+strconv.Itoa(len(s))+" bytes, at most "+strconv.Itoa(maxText), "")
	}
	return nil
}

// LogPrefix checks the prefix of a log line. iptables cuts it after 29 bytes
// without a word, and nft, from 1.0.2 on, looks for variables in it.
func LogPrefix(s string) *Error {
	const most = 29
	if e := printable(s); e != nil {
		return e
	}
	if i := strings.IndexByte(s, '$'); i >= 0 {
		return &Error{Msg: "character not allowed", Hint: "nft takes $ for a variable; remove it", Char: i}
	}
	switch {
	case s == "true" || s == "false":
		return wrong("log is a string", "write "+s+" without quotes")
	case s == "":
		return wrong("log prefix is empty", "write true or false")
	case len(s) > most:
		return wrong("log prefix is too long: "+strconv.Itoa(len(s))+" bytes, at most "+strconv.Itoa(most), "")
	}
	return nil
}

// printable refuses what does not print or ends a quoted string.
func printable(s string) *Error {
	for i, r := range s {
		if r == '"' || !unicode.IsPrint(r) {
			return &Error{Msg: "character not allowed", Hint: fmt.Sprintf("remove %U", r), Char: i}
		}
	}
	return nil
}

// Path checks the name of a file.
func Path(s string) *Error {
	switch {
	case s == "":
		return wrong("path is empty", "")
	case strings.ContainsFunc(s, unicode.IsControl):
		return wrong("path "+Quote(s)+" holds a control character", "")
	case s == "~" || strings.HasPrefix(s, "~") && s[1] != '/':
		return wrong("path "+Quote(s)+": only ~/ is known", "write the whole path")
	}
	return nil
}

// Inside checks the name of a file beside the fleet file or below it.
func Inside(s string) *Error {
	if e := Path(s); e != nil && s[:min(len(s), 1)] != "~" {
		return e
	}
	if !filepath.IsLocal(s) || s[0] == '~' {
		return wrong("path "+Quote(s)+" leaves the inventory directory", "name a file beside the fleet file or below")
	}
	return nil
}
