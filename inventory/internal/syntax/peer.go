package syntax

import "strings"

// Words that stand for addresses in tests.
const (
	Controller = "controller"
	Internet   = "internet"
)

// Peer checks an entry of from or to of a rule: any, addresses, or a reference to
// a set, a host, a role or a group. What the reference names is not looked up here.
func Peer(key, s string) *Error {
	switch s {
	case "any":
		return nil
	case Controller, Internet:
		return wrong(Quote(s)+" is for tests, not for "+key, "write the addresses")
	}
	return peer(key, s)
}

// End checks an entry of from or to of a test.
func End(key, s string) *Error {
	switch s {
	case "any":
		return wrong(`"any" is for rules, not for `+key+" of a test", `write "internet", or who is meant`)
	case Controller, Internet:
		return nil
	}
	if n := Nearest(s, []string{Internet, Controller}); n != "" {
		return wrong(Quote(s)+" is no end of a test", `did you mean "`+n+`"?`)
	}
	if dnsName(s) == "" {
		return wrong(Quote(s)+" is a name, and "+key+" of a test takes addresses and references", "")
	}
	return peer(key, s)
}

// Element checks an entry of a set.
func Element(s string) *Error {
	if s == "any" {
		return wrong(`"any" is no address`, "a rule without from is for everybody")
	}
	e := Peer("a set", s)
	if e == nil || Reference(s) || s == Controller || s == Internet || e.Hint == "" {
		return e
	}
	if _, _, bad := Addresses(s); dnsName(s) == "" && bad != nil {
		first, _, _ := strings.Cut(s, "-")
		if _, e := Address(first); e == nil || bad.Hint != "" {
			return bad
		}
		return wrong(Quote(s)+" is a name, and addresses are addresses", "write it in names to have it looked up")
	}
	return e
}

func peer(key, s string) *Error {
	if strings.HasPrefix(s, "!") {
		return wrong("no negation in "+key, "write a rule with deny")
	}
	kind, name, reference := strings.Cut(s, ":")
	name, net, hasNet := strings.Cut(name, "@")
	var e *Error
	switch {
	case reference && kind == "group":
		e = Name("group", name)
	case reference && kind == "set":
		if hasNet {
			return wrong(Quote(s)+": a set has no nets", "host:, role: and group: take @net")
		}
		return Name("set", name)
	case reference && kind == "host":
		e = Host(name)
	case reference && kind == "role":
		e = Name("role", name)
	default:
		return literalPeer(key, s)
	}
	if e == nil && hasNet {
		e = Name("net", net)
	}
	return e
}

// literalPeer checks what is not a reference. A name is told from a mistyped
// address by its letters: nft would look it up in the DNS when it loads the
// rules, which fails with two addresses, and whenever DNS is down.
func literalPeer(key, s string) *Error {
	kind, _, _ := strings.Cut(s, ":")
	if n := Nearest(kind, []string{"set", "host", "role", "group"}); n != "" && kind != s {
		return wrong(Quote(s)+" is not an address", `did you mean "`+n+`:"?`)
	}
	if dnsName(s) == "" {
		return wrong(Quote(s)+" is a name, and "+key+" takes addresses only", "nft would resolve it by DNS at load")
	}
	_, _, e := Addresses(s)
	return e
}

// Reference reports whether s begins like a reference to something by name.
func Reference(s string) bool {
	kind, _, ok := strings.Cut(s, ":")
	return ok && (kind == "set" || kind == "host" || kind == "role" || kind == "group")
}
