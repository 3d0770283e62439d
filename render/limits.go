package render

import (
	"slices"
	"strings"
	"time"

	"fwpush/inventory"
	"fwpush/roles"
)

// limited tells whether a rule lets pass only so much.
func limited(rule roles.Rule) bool { return rule.Allows() && (rule.Rate.N > 0 || rule.MaxConns > 0) }

// pingLimit is the limit of the key ping as a rule, by a name that no rule of the
// fleet file can have.
func (r *renderer) pingLimit(d roles.Direction) []roles.Rule {
	if !r.p.Ping.On || r.p.Ping.Rate.N == 0 || d != roles.Input {
		return nil
	}
	return []roles.Rule{{Verb: inventory.AllowVerb, Name: "key.ping", Rate: r.p.Ping.Rate, Place: r.p.Decided["ping"].Place,
		Traffic: roles.Traffic{ICMP: []uint8{ip4.echo}, ICMPv6: []uint8{ip6.echo}}}}
}

// limits refuse what is over a rule's rate or number of connections. They stand
// before everything that accepts: a limit that let pass what is under it and left
// the rest to the rules that follow would limit nothing.
func (r *renderer) limits(d roles.Direction, rules []roles.Rule) []stmt {
	over := refusal(d, r.p.Refusal(d))
	return r.inOrder(append(r.pingLimit(d), rules...), true, func(rule roles.Rule) []stmt {
		var out []stmt
		if rule.Rate.Scope == inventory.Global {
			// One limit for all the ways in which a rule matches.
			for _, c := range r.conds(rule) {
				out = append(out, stmt{cond: c, do: action{kind: jump, to: sharedName(rule)}, places: placesOf(rule.Place)})
			}
		} else if rule.Rate.N > 0 {
			for _, c := range r.eachFamily(r.conds(rule)) {
				out = append(out, stmt{cond: c, meter: &limit{name: rule.Name, rate: rule.Rate}, count: true, do: over, places: placesOf(rule.Place)})
			}
		}
		if rule.MaxConns > 0 {
			for _, c := range r.eachFamily(r.conds(rule)) {
				out = append(out, stmt{cond: c, meter: &limit{name: rule.Name, conns: rule.MaxConns}, count: true, do: action{kind: reset}, places: placesOf(rule.Place)})
			}
		}
		return out
	})
}

// eachFamily makes two conditions of one that is about both families: sources are
// counted by address.
func (r *renderer) eachFamily(list []cond) []cond {
	var out []cond
	for _, c := range list {
		if c.family != (family{}) {
			out = append(out, c)
			continue
		}
		for _, f := range families {
			c.family = f
			out = append(out, c)
		}
	}
	return out
}

// sharedLimits are the chains of limits that count everybody together.
func (r *renderer) sharedLimits() []chain {
	var out []chain
	for _, d := range roles.Directions {
		if d == roles.Forward && !r.p.Forwards {
			continue
		}
		for _, rule := range append(r.pingLimit(d), r.p.Rules(d)...) {
			if limited(rule) && rule.Rate.Scope == inventory.Global && len(r.conds(rule)) > 0 {
				out = append(out, chain{name: sharedName(rule), stmts: []stmt{{
					meter: &limit{name: rule.Name, rate: rule.Rate}, count: true, do: refusal(d, r.p.Refusal(d)), places: placesOf(rule.Place),
				}}})
			}
		}
	}
	slices.SortFunc(out, func(a, b chain) int { return strings.Compare(a.name, b.name) })
	return out
}

func sharedName(rule roles.Rule) string { return "limit_" + word(rule.Name) }

func counterName(rule roles.Rule) string { return "c_" + word(rule.Name) }

// word is a name as rulesets can say it.
func word(name string) string { return strings.ReplaceAll(name, "-", "_") }

// meters are the sets that limits count in. A source is forgotten when it could
// send at its full burst again; a set that is full lets pass, so it is as large as
// the kernel's own default for such sets.
func (r *renderer) meters() []meter {
	var out []meter
	for _, d := range roles.Directions {
		for _, s := range r.limits(d, r.p.Rules(d)) {
			if s.meter == nil {
				continue
			}
			m := meter{name: s.meter.setName(s.family), family: s.family}
			if s.meter.conns == 0 {
				m.timeout = patience(s.meter.rate)
			}
			if !slices.ContainsFunc(out, func(o meter) bool { return o.name == m.name }) {
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b meter) int { return strings.Compare(a.name, b.name) })
	return out
}

// meterPrefix begins the names of sets that limits count in.
const meterPrefix = "d_"

// setName is the set a limit counts sources of a family in. The dots are in no name
// of the fleet file, so that no rule counts in the set of another.
func (l limit) setName(f family) string {
	name := meterPrefix + word(l.name)
	if l.conns > 0 {
		name += ".conns"
	}
	if c := name[len(name)-1]; c >= '0' && c <= '9' {
		name += "."
	}
	return name + f.digit
}

// mask is how many bits of an address tell sources apart.
func (l limit) mask(f family) int {
	switch {
	case l.conns > 0 || l.rate.Scope != inventory.PerNet:
		return f.source
	case f == ip6:
		return 56
	}
	return 24
}

// patience is how long a source is remembered: until its burst is whole again, and
// two periods at least.
func patience(r inventory.Rate) time.Duration {
	whole := r.Per * time.Duration(r.Burst+r.N) / time.Duration(r.N)
	return max(2*r.Per, whole.Truncate(time.Second)+time.Second)
}

// counters are those of rules that the file names.
func (r *renderer) counters() []string {
	var out []string
	for _, rule := range r.p.AllRules() {
		if rule.Counted && len(r.conds(rule)) > 0 {
			out = append(out, counterName(rule))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// helpers are the connection tracking helpers of allows.
func (r *renderer) helpers() []helper {
	var out []helper
	for _, s := range r.assists(r.p.AllRules()) {
		h := helper{kind: s.do.to, proto: s.proto}
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b helper) int { return strings.Compare(a.name(), b.name()) })
	return out
}

// assists give connections their helper. Kernels assign none by themselves any
// more.
func (r *renderer) assists(rules []roles.Rule) []stmt {
	return r.inOrder(rules, true, func(rule roles.Rule) []stmt {
		var out []stmt
		for _, h := range rule.Helpers {
			of := rule
			of.Traffic = roles.Traffic{Ports: h.Ports}
			for _, c := range r.conds(of) {
				out = append(out, stmt{cond: c, do: action{kind: assist, to: h.Name}, places: placesOf(rule.Place)})
			}
		}
		return out
	})
}
