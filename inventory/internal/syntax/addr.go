package syntax

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"
)

// Address reads one IPv4 or IPv6 address.
func Address(s string) (netip.Addr, *Error) {
	q := Quote(s)
	if strings.Contains(s, "%") {
		host, _, _ := strings.Cut(s, "%")
		if _, err := netip.ParseAddr(host); err == nil {
			return netip.Addr{}, wrong(q+": zone not allowed", "write "+host)
		}
	}
	if plain, octal, ok := leadingZero(s); ok {
		if octal != "" {
			return netip.Addr{}, wrong(q+": leading zero is read as octal by nft ("+octal+")", "write "+plain)
		}
		return netip.Addr{}, wrong(q+": leading zero not allowed", "write "+plain)
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return netip.Addr{}, wrong(q+" is not an IPv4 or IPv6 address", "")
	case a.Is4In6():
		return netip.Addr{}, wrong(q+": IPv4-mapped never matches", "write "+a.Unmap().String())
	}
	return a, nil
}

// leadingZero tells whether s is an IPv4 address but for zeros before its
// numbers: the address without them, and the one that C libraries and nft take
// it for (inet_aton(3) reads such numbers as octal), "" if they take none.
func leadingZero(s string) (plain, octal string, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return "", "", false
	}
	var dec, oct [4]string
	valid := true
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 3 {
			return "", "", false
		}
		dec[i], oct[i] = strconv.FormatUint(n, 10), p
		if dec[i] == p {
			continue
		}
		ok = true
		o, err := strconv.ParseUint(p, 8, 8)
		valid = valid && err == nil
		oct[i] = strconv.FormatUint(o, 10)
	}
	if !ok {
		return "", "", false
	}
	if valid {
		octal = strings.Join(oct[:], ".")
	}
	return strings.Join(dec[:], "."), octal, true
}

// Addresses reads an address, a prefix such as 10.0.0.0/8, or a range such as
// 10.0.0.1-10.0.0.9, and returns its first and its last address.
func Addresses(s string) (from, to netip.Addr, e *Error) {
	if host, bits, ok := strings.Cut(s, "/"); ok {
		return prefix(s, host, bits)
	}
	first, last, ok := strings.Cut(s, "-")
	if from, e = Address(first); e != nil {
		if ok && e.Hint == "" {
			return from, from, wrong(Quote(s)+" is not a range of addresses", "")
		}
		return from, from, e
	}
	if !ok {
		return from, from, nil
	}
	if to, e = Address(last); e != nil {
		return from, to, e
	}
	switch {
	case from.Is4() != to.Is4():
		return from, to, wrong(Quote(s)+": range mixes IPv4 and IPv6", "")
	case to.Less(from):
		return from, to, wrong(Quote(s)+": range ends before it starts", "write "+to.String()+"-"+from.String())
	}
	return from, to, nil
}

func prefix(s, host, length string) (from, to netip.Addr, e *Error) {
	a, e := Address(host)
	n, err := strconv.Atoi(length)
	if e != nil {
		hint := e.Hint
		switch mapped, perr := netip.ParseAddr(host); {
		case hint == "" || err != nil:
		case perr == nil && mapped.Is4In6() && n >= 96 && n <= 128:
			hint = fmt.Sprintf("write %s/%d", mapped.Unmap(), n-96)
		case perr == nil && mapped.Is4In6():
			hint = ""
		default:
			hint += "/" + length
		}
		return a, a, wrong(strings.Replace(e.Msg, Quote(host), Quote(s), 1), hint)
	}
	switch {
	case err == nil && (n < 0 || n > a.BitLen()), errors.Is(err, strconv.ErrRange):
		return a, a, wrong(Quote(s)+": prefix length out of range", "0 to "+strconv.Itoa(a.BitLen())+" for this family")
	case err != nil || strconv.Itoa(n) != length:
		return a, a, wrong(Quote(s)+": prefix length is not a number", "")
	}
	p := netip.PrefixFrom(a, n)
	if net := p.Masked(); net != p {
		single := netip.PrefixFrom(a, a.BitLen())
		return a, a, wrong(Quote(s)+": host bits set", "write "+net.String()+" or "+single.String())
	}
	return a, netipx.PrefixLastIP(p), nil
}

// Machine reads the address of one machine, which is no network and no group.
func Machine(s string) (netip.Addr, *Error) {
	if host, _, ok := strings.Cut(s, "/"); ok {
		if a, err := netip.ParseAddr(host); err == nil {
			return a, wrong(Quote(s)+": an address of one machine has no prefix length", "write "+host)
		}
	}
	a, e := Address(s)
	if e == nil && (a.IsUnspecified() || a.IsMulticast()) {
		return a, wrong(Quote(s)+" is not the address of one machine", "")
	}
	return a, e
}
