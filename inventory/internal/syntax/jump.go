package syntax

import (
	"net/netip"
	"strconv"
	"strings"
)

// Jump reads what a host is reached through: the name of a host, or
// [user@]address[:port]. The port is 0 if none is written.
func Jump(s string) (user, address string, port uint16, e *Error) {
	user, rest, hasUser := strings.Cut(s, "@")
	if !hasUser {
		user, rest = "", s
	} else if e := User(user); e != nil {
		return "", "", 0, e
	}
	address, digits := rest, ""
	switch {
	case strings.HasPrefix(rest, "["):
		inside, after, ok := strings.Cut(rest[1:], "]")
		if !ok || after != "" && after[0] != ':' {
			return "", "", 0, wrong("invalid jump host "+Quote(s), "write [user@]address[:port]")
		}
		address, digits = inside, strings.TrimPrefix(after, ":")
		if after != "" && digits == "" {
			return "", "", 0, wrong("invalid jump host "+Quote(s), "a port is missing after the colon")
		}
	case strings.Count(rest, ":") == 1:
		if address, digits, _ = strings.Cut(rest, ":"); digits == "" {
			return "", "", 0, wrong("invalid jump host "+Quote(s), "a port is missing after the colon")
		}
	}
	if digits != "" {
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil {
			return "", "", 0, wrong("invalid jump host "+Quote(s), "the port is not a number")
		}
		if e := Port(n); e != nil {
			return "", "", 0, e
		}
		port = uint16(n)
	}
	if strings.HasPrefix(address, "-") {
		return "", "", 0, wrong("invalid jump host "+Quote(s), "an address does not begin with -")
	}
	return user, address, port, SSHAddress(address)
}

// Target reads where connections are sent: an address, with a port after a
// colon if that changes too; an IPv6 address with a port stands in brackets.
func Target(s string) (addr netip.Addr, port uint16, e *Error) {
	if Reference(s) {
		return addr, 0, wrong(Quote(s)+" is no address, and connections are sent to an address", "write 10.0.0.5 or 10.0.0.5:8080")
	}
	host, portText, hasPort := s, "", false
	if strings.HasPrefix(s, "[") {
		inside, after, ok := strings.Cut(s[1:], "]")
		if !ok || after != "" && after[0] != ':' {
			return addr, 0, wrong(Quote(s)+" is not an address and a port", "write 10.0.0.5:8080 or [2001:db8::5]:8080")
		}
		host, portText, hasPort = inside, strings.TrimPrefix(after, ":"), after != ""
	} else if strings.Count(s, ":") == 1 {
		host, portText, hasPort = strings.Cut(s, ":")
	}
	if addr, e = Machine(host); e != nil {
		return addr, 0, e
	}
	if !hasPort {
		return addr, 0, nil
	}
	n, err := strconv.ParseInt(portText, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != portText {
		return addr, 0, wrong(Quote(s)+" has no port after the colon", "write 10.0.0.5:8080 or [2001:db8::5]:8080")
	}
	if e := Port(n); e != nil {
		return addr, 0, e
	}
	return addr, uint16(n), nil
}
