package syntax

import (
	"slices"
	"strconv"
	"strings"
)

// Protocols are the protocols that have ports.
var protocols = []string{"tcp", "udp", "sctp"}

// Ports reads a port or a range such as 6000-6100.
func Ports(s string) (from, to uint16, e *Error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	var n [2]uint16
	for i, p := range []string{first, last} {
		v, err := strconv.ParseInt(p, 10, 64)
		if err != nil || strconv.FormatInt(v, 10) != p {
			return 0, 0, wrong(Quote(s)+" is not a port or a range of ports", `write 443 or "6000-6100"`)
		}
		if e := Port(v); e != nil {
			return 0, 0, e
		}
		n[i] = uint16(v)
	}
	if n[1] < n[0] {
		return 0, 0, wrong(Quote(s)+": range ends before it starts", `write "`+last+"-"+first+`"`)
	}
	return n[0], n[1], nil
}

// Port checks a number. nft accepts port 0, which no packet of ours has.
func Port(n int64) *Error {
	if n < 1 || n > 65535 {
		return wrong("port must be 1..65535, not "+strconv.FormatInt(n, 10), "")
	}
	return nil
}

// Literal reads a service written out, such as tcp/8443 or udp/6000-6100.
func Literal(s string) (proto string, from, to uint16, e *Error) {
	proto, ports, _ := strings.Cut(s, "/")
	switch {
	case proto == "icmp" || proto == "icmpv6":
		return "", 0, 0, wrong(Quote(s)+": "+proto+" has no port", `"ping" is the service for echo requests`)
	case slices.Contains(protocols, ports):
		hint := `write "` + ports + "/" + proto + `"`
		if _, _, e := Ports(proto); e != nil {
			hint = `write "` + ports + `/443"`
		}
		return "", 0, 0, wrong(Quote(s)+": the protocol stands first", hint)
	case !slices.Contains(protocols, proto):
		hint := "tcp, udp and sctp have ports"
		if n := Nearest(proto, protocols); n != "" {
			hint = `did you mean "` + n + `"?`
		}
		return "", 0, 0, wrong("unknown protocol "+Quote(proto), hint)
	}
	if from, to, e = Ports(ports); e != nil && strings.Contains(e.Msg, "is not a port") {
		e = wrong(Quote(s)+" has no port or range of ports", `write "`+proto+`/443" or "`+proto+`/6000-6100"`)
	}
	return proto, from, to, e
}

// Service checks what allow and deny name: a service or a literal.
func Service(s string) *Error {
	if strings.Contains(s, "/") {
		_, _, _, e := Literal(s)
		return e
	}
	if _, _, e := Ports(s); e == nil {
		return wrong("port "+Quote(s)+" has no protocol", `write "tcp/`+s+`"`)
	}
	return Name("service", s)
}
