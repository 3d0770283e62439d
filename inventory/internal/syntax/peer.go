package syntax

import "strings"

// Peer checks an entry of from or to: any, addresses, or a reference to a set,
// a host or a role. What the reference names is not looked up here.
func Peer(key, s string) *Error {
	if s == "any" {
		return nil
	}
	if s == "controller" || s == "internet" {
		return wrong(Quote(s)+" is for tests, not for "+key, "write the addresses")
	}
	if strings.HasPrefix(s, "!") {
		return wrong("no negation in "+key, "write a rule with deny")
	}
	kind, name, reference := strings.Cut(s, ":")
	name, net, hasNet := strings.Cut(name, "@")
	var e *Error
	switch {
	case reference && kind == "group":
		return wrong(Quote("group:")+" is not supported yet", "")
	case reference && kind == "set":
		if hasNet {
			return wrong(Quote(s)+": a set has no nets", "only host: and role: take @net")
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
	if n := Nearest(kind, []string{"set", "host", "role"}); n != "" && kind != s {
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
