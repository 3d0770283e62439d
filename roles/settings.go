package roles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/inventory"
)

// settled is a policy with no more than its settings. Hosts that have the same roles and say
// nothing themselves share them.
func (c *compiler) settled(h inventory.Host, roles []*lineage) (p Policy) {
	if h.Settings != (inventory.Settings{}) {
		c.settle(&p, h, roles)
		return p
	}
	var key strings.Builder
	for _, l := range roles {
		key.WriteString(l.role.Name + "\x00")
	}
	p, known := c.byRoles[key.String()]
	if !known {
		c.settle(&p, h, roles)
		c.byRoles[key.String()] = p
	}
	return p
}

// settle sets the scalars of a policy: each is the host's own word, else the
// strictest of its roles', else the file's defaults, else what stands without
// any. A refusal outranks a grant; dhcp_client, igmp, accept_ra and sends_ra are
// needs and outrank their absence.
func (c *compiler) settle(p *Policy, h inventory.Host, roles []*lineage) {
	p.Decided = map[string]Decision{}
	p.Inbound = decide(c, p, h, roles, setting[inventory.Verdict]{"inbound", inventory.Drop, by(strictest),
		func(s inventory.Settings) *inventory.At[inventory.Verdict] { return s.Inbound }})
	p.Outbound = decide(c, p, h, roles, setting[inventory.Verdict]{"outbound", inventory.Accept, by(strictest),
		func(s inventory.Settings) *inventory.At[inventory.Verdict] { return s.Outbound }})
	p.Log = decide(c, p, h, roles, setting[inventory.Log]{"log", inventory.Log{On: true}, by(mostLogged),
		func(s inventory.Settings) *inventory.At[inventory.Log] { return s.Log }})
	p.Ping = decide(c, p, h, roles, setting[inventory.Ping]{"ping", inventory.Ping{On: true}, comparePings,
		func(s inventory.Settings) *inventory.At[inventory.Ping] { return s.Ping }})
	flag := func(key string, standing bool, get func(inventory.Settings) *inventory.At[bool]) bool {
		return decide(c, p, h, roles, setting[bool]{key, standing, by(rank), get})
	}
	p.DHCPClient = flag("dhcp_client", false, func(s inventory.Settings) *inventory.At[bool] { return s.DHCPClient })
	p.Antispoof = flag("antispoof", true, func(s inventory.Settings) *inventory.At[bool] { return s.Antispoof })
	p.IGMP = flag("igmp", false, func(s inventory.Settings) *inventory.At[bool] { return s.IGMP })
	p.AcceptRA = flag("accept_ra", true, func(s inventory.Settings) *inventory.At[bool] { return s.AcceptRA })
	p.SendsRA = flag("sends_ra", false, func(s inventory.Settings) *inventory.At[bool] { return s.SendsRA })
}

// setting is one scalar that defaults, roles and hosts share.
type setting[T comparable] struct {
	key      string
	standing T                // what holds where nobody says anything
	compare  func(a, b T) int // of what several roles ask for the highest wins
	get      func(inventory.Settings) *inventory.At[T]
}

func strictest(v inventory.Verdict) int {
	return slices.Index([]inventory.Verdict{inventory.Accept, inventory.Reject, inventory.Drop}, v)
}

// mostLogged prefers logging under a name that somebody looks for.
func mostLogged(l inventory.Log) int { return rank(l.On) + rank(l.On && l.Prefix != "") }

// comparePings puts none above a limit and a limit above all: of two limits the one
// that lets less through in a day, else the one that counts more senders together,
// else the one with the smaller burst.
func comparePings(a, b inventory.Ping) int {
	const day = 24 * time.Hour
	limited := func(p inventory.Ping) bool { return p.On && p.Rate.N > 0 }
	if !limited(a) || !limited(b) {
		return cmp.Or(cmp.Compare(rank(!a.On), rank(!b.On)), cmp.Compare(rank(limited(a)), rank(limited(b))))
	}
	return cmp.Or(
		cmp.Compare(b.Rate.N*int(day/b.Rate.Per), a.Rate.N*int(day/a.Rate.Per)),
		cmp.Compare(together(a.Rate.Scope), together(b.Rate.Scope)),
		cmp.Compare(b.Rate.Burst, a.Rate.Burst))
}

// together says how much a scope counts as one.
func together(s inventory.Scope) int {
	return slices.Index([]inventory.Scope{inventory.PerSource, inventory.PerNet, inventory.Global}, s)
}

// by compares values by a number of each.
func by[T any](rank func(T) int) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(rank(a), rank(b)) }
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// vote is what one level of the file says about a setting.
type vote[T any] struct {
	value T
	by    string
	place inventory.Place
	from  *lineage // nil for hosts and defaults
}

func decide[T comparable](c *compiler, p *Policy, h inventory.Host, roles []*lineage, s setting[T]) T {
	v := vote[T]{value: s.standing, by: "default"}
	if d := s.get(c.fleet.Defaults); d != nil {
		v = vote[T]{value: d.V, by: "defaults", place: d.Place}
	}
	var votes []vote[T]
	for _, l := range roles {
		if r, ok := inherited(c, l, s); ok {
			votes = append(votes, r)
		}
	}
	if len(votes) > 0 {
		// Equal votes are told apart by name, so that the order in the file
		// does not show.
		v = slices.MinFunc(votes, func(a, b vote[T]) int {
			return cmp.Or(s.compare(b.value, a.value), cmp.Compare(a.by, b.by))
		})
	}
	if own := s.get(h.Settings); own != nil {
		v = vote[T]{value: own.V, by: "host " + h.Name, place: own.Place}
	}
	p.Decided[s.key] = Decision{By: v.by, Place: v.place}
	return v.value
}

// inheritance is a question that is asked once for all hosts, and for all ways
// in which roles lead to a role.
type inheritance struct {
	role *lineage
	key  string
}

func inherited[T comparable](c *compiler, l *lineage, s setting[T]) (vote[T], bool) {
	key := inheritance{l, s.key}
	known, asked := c.inherited[key]
	if !asked {
		if v, ok := inherit(c, l, s); ok {
			known = v
		}
		c.inherited[key] = known
	}
	v, ok := known.(vote[T])
	return v, ok
}

// inherit is what a role says about a setting: its own word, else that of the
// nearest role it extends. Among parents one that extends the other is nearer;
// parents that are not related must agree.
func inherit[T comparable](c *compiler, l *lineage, s setting[T]) (vote[T], bool) {
	if v := s.get(l.role.Settings); v != nil {
		return vote[T]{value: v.V, by: "role " + l.role.Name, place: v.Place, from: l}, true
	}
	var votes []vote[T]
	for _, p := range l.parents {
		if v, ok := inherited(c, p, s); ok {
			votes = append(votes, v)
		}
	}
	nearest := slices.DeleteFunc(slices.Clone(votes), func(v vote[T]) bool {
		return slices.ContainsFunc(votes, func(o vote[T]) bool {
			return o.from != v.from && slices.Contains(o.from.all(), v.from)
		})
	})
	if len(nearest) == 0 {
		return vote[T]{}, false
	}
	for _, v := range nearest[1:] {
		if v.value != nearest[0].value {
			c.errorAt(l.role.Place,
				fmt.Sprintf("role %q extends %q and %q, which disagree on %s", l.role.Name, nearest[0].from.role.Name, v.from.role.Name, s.key),
				fmt.Sprintf("set %s in [roles.%s]", s.key, l.role.Name))
		}
	}
	return nearest[0], true
}
