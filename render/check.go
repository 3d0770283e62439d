package render

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fwpush/inventory"
	"fwpush/roles"
)

// Limits of nft and of iptables, which render has to stay in.
const (
	maxComment = 128 // bytes; NFTNL_UDATA_COMMENT_MAXLEN of libnftnl
	maxPrefix  = 29  // bytes; iptables cuts a longer LOG prefix without a word
)

// check refuses what inventory and roles refuse already, once more: render is
// the last door before nft, and nft has no way to escape anything.
func check(p roles.Policy) error {
	if !slices.Contains([]inventory.Verdict{inventory.Drop, inventory.Reject}, p.Inbound) {
		return fmt.Errorf("inbound is %q, it must be drop or reject", p.Inbound)
	}
	if !slices.Contains([]inventory.Verdict{inventory.Accept, inventory.Drop, inventory.Reject}, p.Outbound) {
		return fmt.Errorf("outbound is %q, it must be accept, drop or reject", p.Outbound)
	}
	if len(p.Management.Ports) == 0 || slices.Contains(p.Management.Ports, 0) {
		return errors.New("no port of sshd to keep open, or port 0; name it in sshd_ports")
	}
	if err := checkString(p.Log.Prefix, maxPrefix); err != nil {
		return fmt.Errorf("log prefix %w", err)
	}
	if strings.Contains(p.Log.Prefix, "$") {
		return errors.New("log prefix has $, which nft takes for a variable; leave it out")
	}
	if err := checkPorts(p.Lifelines); err != nil {
		return fmt.Errorf("lifelines: %w", err)
	}
	for _, r := range slices.Concat(p.In, p.Out) {
		if err := checkRule(r); err != nil {
			return fmt.Errorf("%s%w", prefix(r), err)
		}
	}
	return nil
}

func checkRule(r roles.Rule) error {
	if !r.All && !r.Ping && len(r.Ports) == 0 {
		return errors.New("a rule without a service would match everything; name one, or say all")
	}
	if err := checkPorts(r.Ports); err != nil {
		return err
	}
	if err := checkString(r.Comment, maxComment); err != nil {
		return fmt.Errorf("comment %w", err)
	}
	return nil
}

func checkPorts(list []inventory.PortRange) error {
	for _, s := range list {
		if !slices.Contains(protocols[:], s.Proto) {
			return fmt.Errorf("protocol %q has no ports; use tcp, udp or sctp", s.Proto)
		}
		if s.From == 0 || s.To < s.From {
			return fmt.Errorf("%d-%d is no range of ports from 1 to 65535", s.From, s.To)
		}
	}
	return nil
}

// checkString says whether nft can take s between quotes: it has no escape for
// a quote, takes a line feed as part of the string (and our lines apart), and
// cuts or refuses what is too long.
func checkString(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("is %d bytes long, nft takes %d; shorten it", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return errors.New("is not UTF-8")
	}
	column := 0
	for _, c := range s {
		column++
		if c == '"' || unicode.IsControl(c) {
			return fmt.Errorf("has %q at character %d, which nft cannot say; leave it out", c, column)
		}
	}
	return nil
}
