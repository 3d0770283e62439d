package roles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/inventory"
)

// draft is a rule of which all is settled but what its interfaces are called: that
// differs between the hosts that share it.
type draft struct {
	Rule
	in, out []inventory.At[string]
}

// drafts are the lists of a role or of a host.
type drafts struct {
	in, out, forward, published []draft
	nat                         []natDraft
}

func (d *drafts) join(o drafts) {
	d.in = append(d.in, o.in...)
	d.out = append(d.out, o.out...)
	d.forward = append(d.forward, o.forward...)
	d.published = append(d.published, o.published...)
	d.nat = append(d.nat, o.nat...)
}

func (c *compiler) drafts(w inventory.Rules) drafts {
	return drafts{c.rules(w.In), c.rules(w.Out), c.rules(w.Forward), c.rules(w.Published), c.nats(w.NAT)}
}

// rules compiles rules as written. One that cannot be resolved, that has expired,
// or that stands for nobody and may, is left out: never is it widened.
func (c *compiler) rules(written []inventory.Rule) []draft {
	var list []draft
	for _, w := range written {
		if r, ok := c.rule(w); ok {
			list = append(list, r)
		}
	}
	return list
}

func (c *compiler) rule(w inventory.Rule) (draft, bool) {
	s, ok := c.traffic(w.Services)
	r := draft{in: w.InIfaces, out: w.OutIfaces, Rule: Rule{
		Verb: w.Verb, Traffic: s.Traffic, Family: w.Family, Rate: w.Rate.V, MaxConns: w.MaxConns.V, Log: w.Log, Expires: w.Expires.V,
		Name: w.Name.V, Counted: w.Name.V != "", Comment: w.Comment.V, Owner: w.Owner.V, Ticket: w.Ticket.V, Place: w.Place,
	}}
	if r.Allows() {
		r.Helpers = s.helpers
	}
	from, anyFrom, okFrom := c.peers(w.From, w.AllowEmpty)
	to, anyTo, okTo := c.peers(w.To, w.AllowEmpty)
	if !ok || !okFrom || !okTo || c.expired(w) || s.empty() {
		return r, false
	}
	if !anyFrom && len(from) == 0 || !anyTo && len(to) == 0 {
		return r, false
	}
	r.From, r.To = from, to
	if r.MaxConns > 0 && !onlyTCP(r.Traffic) {
		c.errorAt(w.MaxConns.Place, "max_conns is for TCP", "make a rule of its own for the TCP services")
		return r, false
	}
	if v4, v6 := r.families(); !v4 && !v6 {
		c.errorAt(w.Place, "the rule matches nothing: "+whyNothing(r.Rule), "")
		return r, false
	}
	return r, true
}

// onlyTCP reports whether traffic is of TCP connections alone, which can be
// counted and refused by a reset.
func onlyTCP(t Traffic) bool {
	return !t.All && len(t.ICMP)+len(t.ICMPv6)+len(t.Protos) == 0 &&
		!slices.ContainsFunc(t.Ports, func(p inventory.PortRange) bool { return p.Proto != "tcp" })
}

func whyNothing(r Rule) string {
	if v4, v6 := r.Traffic.families(); !v4 || !v6 {
		return "its services are of one address family, and from, to or family of the other"
	}
	if r.Family != inventory.BothFamilies {
		return fmt.Sprintf("from and to have no %s address in common with family", r.Family)
	}
	return "from and to have no address family in common"
}

// expired reports a rule whose last day is over. An old date must not hold up a
// push that is about something else.
func (c *compiler) expired(w inventory.Rule) bool {
	if !expiredAt(w.Expires.V, c.fleet.ReadAt) {
		return false
	}
	c.warnAt(w.Expires.Place, fmt.Sprintf("the rule expired on %s and is left out", lastDay(w.Expires.V)), "take it out, or give it a later date")
	return true
}

func expiredAt(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// lastDay is the last day of a rule that ends at a moment.
func lastDay(end time.Time) string { return end.Add(-time.Second).Format(time.DateOnly) }

// iptablesEnd is the last moment at which a rule for iptables can end: --datestop of
// iptables-extensions(8) goes to 2038-01-19.
var iptablesEnd = time.Date(2038, 1, 19, 0, 0, 0, 0, time.UTC)

// IptablesRefuses names what a rule says that iptables has no word for.
func IptablesRefuses(r Rule) error {
	switch {
	case len(r.Helpers) > 0:
		return fmt.Errorf("helper %s of a service cannot be had with iptables", r.Helpers[0].Name)
	case r.Expires.After(iptablesEnd):
		return fmt.Errorf("expires cannot be later than %s with iptables", lastDay(iptablesEnd))
	}
	return nil
}

// onHost gives the interfaces of rules the names they have on a host, and puts
// the rules in order.
func (c *compiler) onHost(h inventory.Host, list []draft) []Rule {
	var out []Rule
	for _, d := range list {
		var okIn, okOut bool
		r := d.Rule
		r.InIfaces, okIn = c.ifaces(h, d.in)
		r.OutIfaces, okOut = c.ifaces(h, d.out)
		if err := IptablesRefuses(r); err != nil && h.Backend == inventory.Iptables {
			c.errorAt(r.Place, fmt.Sprintf("%v, which %s runs", err, h.Name), `change it, or write backend = "nftables" for the host`)
		}
		if okIn && okOut {
			out = append(out, r)
		}
	}
	return canonical(out)
}

// ifaces are the interfaces of a host that a rule names. A word that any host has
// an interface for is an alias on all of them; in a standard role every word is.
func (c *compiler) ifaces(h inventory.Host, list []inventory.At[string]) ([]string, bool) {
	var names []string
	ok := true
	for _, w := range list {
		name, known := h.Ifaces[w.V]
		switch {
		case known:
			names = append(names, name.V)
		case c.aliases[w.V] || isStandard(w.Place):
			if c.first("iface\x00" + h.Name + "\x00" + w.V) {
				c.errorAt(h.Place, fmt.Sprintf("host %q has no interface for %q, but the rule at %s needs it", h.Name, w.V, w.Place),
					fmt.Sprintf("write ifaces = { %s = \"NAME\" } in [hosts.%s]", w.V, h.Name))
			}
			ok = false
		default:
			names = append(names, w.V)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), ok
}

// canonical sorts rules, those that refuse first, and collapses those that are
// equal but for where they stand.
func canonical(rules []Rule) []Rule {
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(compareRules(a, b), comparePlaces(a.Place, b.Place))
	})
	return slices.CompactFunc(rules, func(a, b Rule) bool { return compareRules(a, b) == 0 })
}

func compareRules(a, b Rule) int {
	return cmp.Or(
		cmp.Compare(rank(a.Allows()), rank(b.Allows())),
		strings.Compare(string(a.Verb), string(b.Verb)),
		compareTraffic(a.Traffic, b.Traffic),
		slices.CompareFunc(a.From, b.From, comparePeers),
		slices.CompareFunc(a.To, b.To, comparePeers),
		slices.Compare(a.InIfaces, b.InIfaces), slices.Compare(a.OutIfaces, b.OutIfaces),
		strings.Compare(string(a.Family), string(b.Family)),
		compareRates(a.Rate, b.Rate), cmp.Compare(a.MaxConns, b.MaxConns),
		cmp.Compare(rank(a.Log.On), rank(b.Log.On)), strings.Compare(a.Log.Prefix, b.Log.Prefix),
		a.Expires.Compare(b.Expires), strings.Compare(a.Name, b.Name),
		slices.CompareFunc(a.Helpers, b.Helpers, compareHelpers),
		strings.Compare(a.Comment, b.Comment), strings.Compare(a.Owner, b.Owner), strings.Compare(a.Ticket, b.Ticket))
}

func compareRates(a, b inventory.Rate) int {
	return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.Per, b.Per), strings.Compare(string(a.Scope), string(b.Scope)), cmp.Compare(a.Burst, b.Burst))
}
