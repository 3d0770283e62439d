package render

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
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
	if err := checkPrefix(p.Log.Prefix); err != nil {
		return err
	}
	if err := checkPorts(p.Lifelines); err != nil {
		return fmt.Errorf("lifelines: %w", err)
	}
	for _, r := range p.AllRules() {
		if err := checkRule(r); err != nil {
			return fmt.Errorf("%s%w", prefix(r), err)
		}
	}
	for _, n := range p.NAT {
		if err := checkNAT(n); err != nil {
			return fmt.Errorf("%s%w", prefix(roles.Rule{Place: n.Place}), err)
		}
	}
	return nil
}

func checkRule(r roles.Rule) error {
	if !r.All && len(r.Ports)+len(r.ICMP)+len(r.ICMPv6)+len(r.Protos) == 0 {
		return errors.New("a rule without a service would match everything; name one, or say all")
	}
	if r.Name == "" && (r.Counted || r.Log.On || limited(r)) || !ruleName.MatchString(r.Name) {
		return fmt.Errorf("%q is no name for a rule", r.Name)
	}
	for _, name := range slices.Concat(r.InIfaces, r.OutIfaces) {
		if !ifaceName.MatchString(name) {
			return fmt.Errorf("%q is no interface that a ruleset can name", name)
		}
	}
	if limited(r) && (r.Rate.N < 0 || r.Rate.N > 0 && (r.Rate.Burst < 1 || r.Rate.Per < time.Second) || r.MaxConns < 0) {
		return fmt.Errorf("a limit of %s cannot be said", r.Rate)
	}
	if err := checkPrefix(r.Log.Prefix); err != nil {
		return err
	}
	if err := checkPorts(r.Ports); err != nil {
		return err
	}
	if err := checkString(r.Comment, maxComment); err != nil {
		return fmt.Errorf("comment %w", err)
	}
	return nil
}

// ruleName and ifaceName are what stands in rulesets unquoted or between quotes.
var (
	ruleName  = regexp.MustCompile(`^[a-z0-9_-]{0,64}$`)
	ifaceName = regexp.MustCompile(`^[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,14}$`)
)

func checkNAT(n roles.NAT) error {
	needs := n.Kind == inventory.DNAT || n.Kind == inventory.SNAT
	if needs != n.ToAddr.IsValid() || n.ToAddr.Zone() != "" {
		return fmt.Errorf("%s to %s cannot be said", n.Kind, n.ToAddr)
	}
	for _, name := range slices.Concat(n.InIfaces, n.OutIfaces) {
		if !ifaceName.MatchString(name) {
			return fmt.Errorf("%q is no interface that a ruleset can name", name)
		}
	}
	if err := checkPorts(n.Ports); err != nil {
		return err
	}
	if err := checkString(n.Comment, maxComment); err != nil {
		return fmt.Errorf("comment %w", err)
	}
	return nil
}

// checkPrefix says whether nft and iptables can take the prefix of a message.
func checkPrefix(s string) error {
	if err := checkString(s, maxPrefix); err != nil {
		return fmt.Errorf("log prefix %w", err)
	}
	if strings.Contains(s, "$") {
		return errors.New("log prefix has $, which nft takes for a variable; leave it out")
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
