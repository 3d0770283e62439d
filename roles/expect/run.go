package expect

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Result is how one test ended.
type Result struct {
	roles.Test
	Flows    int // pairs of ends, services and families that were asked about
	Failures []Failure
}

// Passed tells whether every answer was the expected one. A test that found nothing
// to ask has not passed.
func (r Result) Passed() bool { return len(r.Failures) == 0 && r.Flows > 0 }

// Failure is a flow that is decided otherwise than a test expects.
type Failure struct {
	Ask     roles.Ask
	Allowed bool   // what is expected
	From    string // host, or the word of the test; the gateway where its nat stands between
	To      string
	Packet  string // one of those decided otherwise
	Packets space.Box
	Behind  *Gateway       // whose nat has given them their source
	Nearest []verdict.Miss // of what is refused because nothing lets it pass, the rule that comes nearest
	Host    string         // where it is decided; "" if nobody decides
	At      roles.Direction
	Outcome verdict.Outcome
}

// Fleet answers for the hosts of a fleet. It keeps what it has worked out.
type Fleet struct {
	hosts   map[string]inventory.Host
	engines map[string]*verdict.Engine
	lists   verdict.Lists
	budget  *int
	of      map[string]roles.Policy
}

// NewFleet takes the policies of the hosts that get rules.
func NewFleet(fleet *inventory.Fleet, policies map[string]roles.Policy) *Fleet {
	f := &Fleet{hosts: map[string]inventory.Host{}, engines: map[string]*verdict.Engine{}, lists: verdict.Lists{}, of: policies}
	for _, h := range fleet.Hosts {
		f.hosts[h.Name] = h
	}
	return f
}

// Bound gives the engines that are made from now on a budget together, see
// verdict.Bounded.
func (f *Fleet) Bound(budget int) { f.budget = &budget }

// Engine answers for a host; nil for one without rules.
func (f *Fleet) Engine(host string) *verdict.Engine {
	e := f.engines[host]
	if p, ok := f.of[host]; e == nil && ok {
		e = f.lists.Engine(p, f.budget)
		f.engines[host] = e
	}
	return e
}

// Run runs tests.
func (f *Fleet) Run(tests []roles.Test) []Result {
	list := make([]Result, len(tests))
	for i, t := range tests {
		list[i] = f.test(t)
	}
	return list
}

func (f *Fleet) test(t roles.Test) Result {
	r := Result{Test: t}
	for _, asks := range []struct {
		list    []roles.Ask
		allowed bool
	}{{t.Allow, true}, {t.Deny, false}} {
		for _, ask := range asks.list {
			for _, v6 := range [...]bool{false, true} {
				if r.Family == inventory.IPv4 && v6 || r.Family == inventory.IPv6 && !v6 {
					continue
				}
				for _, from := range sides(t.From, v6) {
					for _, to := range sides(t.To, v6) {
						q := question{f, &r, ask, asks.allowed, from, to, ask.Traffic.Keys(v6)}
						q.run()
					}
				}
			}
		}
	}
	return r
}

// side is the parties at one end that have a net of the same name: they are asked
// about together, each once, whoever is at the other end.
type side struct {
	net     string
	parties []party
	all     space.Addrs
}

type party struct {
	roles.End
	addrs space.Addrs
}

func sides(ends []roles.End, v6 bool) []side {
	var list []side
	for _, e := range ends {
		for _, n := range e.Nets {
			p := party{e, Addrs(n, v6)}
			if p.addrs.Empty() {
				continue
			}
			i := slices.IndexFunc(list, func(s side) bool { return s.net == n.Name })
			if i < 0 {
				i = len(list)
				list = append(list, side{net: n.Name})
			}
			list[i].parties = append(list[i].parties, p)
		}
	}
	for i := range list {
		var ranges space.Addrs
		for _, p := range list[i].parties {
			ranges = append(ranges, p.addrs...)
		}
		list[i].all = space.Of(ranges...)
	}
	return list
}

// question is one service between two sides.
type question struct {
	*Fleet
	result   *Result
	ask      roles.Ask
	allowed  bool
	from, to side
	keys     space.Keys
}

// passing are packets that nothing has refused so far, and what let them pass last.
type passing struct {
	Packets
	last Failure
}

// decided are the packets as they came to the host that let them pass last.
func (p passing) decided() Packets {
	if p.last.Host == "" {
		return p.Packets
	}
	met := Packets{p.last.Packets, p.last.Behind}
	if dst := met.Dst.And(p.Dst); !dst.Empty() { // nat has not sent them elsewhere
		met.Dst = dst
	}
	return met
}

// run leads the packets of a question through the rules they meet: out of each host
// that sends them, through the one that forwards them, in at each that gets them. What
// is expected to pass must pass all of them whole; of what is expected not to pass
// nothing may be left behind them.
func (q question) run() {
	if q.keys.Empty() {
		return
	}
	var left []passing
	for _, p := range q.from.parties {
		box := space.All(p.addrs[0].From.Is6())
		box.Src, box.Dst, box.Key, box.SrcPort = p.addrs, q.to.all, q.keys, q.Sources(p.Host)
		if p.Host != "" {
			box.Dst = box.Dst.Minus(p.addrs) // what a host says to itself passes no rule
		}
		if box.Empty() {
			continue
		}
		out := []passing{{Packets: Packets{Box: box}}}
		if hop, ok := q.sends(p.Host, q.from.net, q.to.net, Way{}); ok {
			out = q.through(hop, out)
		}
		for i := range out {
			if out[i].Dst.Equal(box.Dst) {
				out[i].Dst = q.to.all // its own addresses are left out where they are asked
			}
		}
		left = gather(left, out)
	}
	for i := range left {
		left[i].Src = space.Of(left[i].Src...)
	}
	way := Way{q.result.Via, q.result.InIface, q.result.OutIface, q.result.Published}
	if hop, ok := q.passes(q.from.net, q.to.net, way); ok {
		left = q.through(hop, left)
	}
	for _, p := range q.to.parties {
		var here []passing
		for _, l := range left {
			l.Dst = l.Dst.And(p.addrs)
			if p.Host != "" && l.Behind == nil {
				l.Src = l.Src.Minus(p.addrs)
			}
			if !l.Empty() {
				here = append(here, l)
			}
		}
		q.result.Flows += q.flows(p)
		if hop, ok := q.gets(p.Host, q.from.net, q.to.net, way); ok {
			here = q.through(hop, here)
		}
		if !q.allowed && len(here) > 0 {
			q.fail(here[0].last, here[0].decided())
		}
	}
}

// flows is how many parties a party is asked about.
func (q question) flows(to party) int {
	n := 0
	for _, p := range q.from.parties {
		if p.Host == "" || p.Host != to.Host {
			n++
		}
	}
	return n
}

// through is what is left of packets behind the rules of one host. What they refuse,
// send elsewhere or leave undecided may be a failure.
func (q question) through(hop Hop, packets []passing) []passing {
	var left []passing
	for _, p := range packets {
		for _, o := range hop.Decide(p.Packets) {
			at := Failure{Host: hop.Host, At: o.Direction, Outcome: o, Packets: o.Packets, Behind: p.Behind}
			undecided := o.Verdict == verdict.Undecided
			if undecided && (!q.result.RawOK || o.Stage != verdict.Raw) || !undecided && o.Verdict != inventory.Accept && q.allowed {
				q.fail(at, Packets{o.Packets, p.Behind})
				continue
			}
			if o.Verdict != inventory.Accept && !q.allowed {
				continue
			}
			arrived := false
			for _, next := range hop.Behind(p.Packets, o) {
				left = append(left, passing{next, at})
				arrived = arrived || next.Dst.Meets(q.to.all)
			}
			if q.allowed && !arrived {
				q.fail(at, Packets{o.Packets, p.Behind})
			}
		}
	}
	return left
}

// gather adds packets to those of other senders. Packets that differ in who sends
// them only are one box from here on.
func gather(list, more []passing) []passing {
	for _, m := range more {
		i := slices.IndexFunc(list, func(l passing) bool {
			return l.Key.Equal(m.Key) && l.SrcPort.Equal(m.SrcPort) && l.Dst.Equal(m.Dst) && (l.last.Host == "") == (m.last.Host == "") &&
				l.Behind == nil && m.Behind == nil
		})
		if i < 0 {
			m.Src = slices.Clone(m.Src)
			list = append(list, m)
			continue
		}
		list[i].Src = append(list[i].Src, m.Src...) // put in order once all are there
	}
	return list
}

// maxFailures bounds what is told of one test.
const maxFailures = 20

// fail keeps one failure for each place that decides and each service: a role of a
// thousand hosts fails once.
func (q question) fail(f Failure, packets Packets) {
	f.Ask, f.Allowed, f.Packet, f.Packets, f.Behind = q.ask, q.allowed, Sample(packets.Box), packets.Box, packets.Behind
	f.From, f.To = q.from.who(packets.Src), q.to.who(packets.Dst)
	if packets.Behind != nil {
		f.From = packets.Behind.Host
	}
	same := func(o Failure) bool {
		return o.Ask.Place == f.Ask.Place && o.Outcome.Place == f.Outcome.Place && o.Outcome.Stage == f.Outcome.Stage && o.At == f.At
	}
	if r := q.result; len(r.Failures) < maxFailures && !slices.ContainsFunc(r.Failures, same) {
		if f.Outcome.Stage == verdict.Default && q.allowed {
			f.Nearest = q.Engine(f.Host).Nearest(f.At, packets.Box, false, 1)
		}
		r.Failures = append(r.Failures, f)
	}
}

// who has the first of some addresses.
func (s side) who(a space.Addrs) string {
	for _, p := range s.parties {
		if len(a) > 0 && p.addrs.Has(a[0].From) {
			if p.Host != "" {
				return p.Host
			}
			return p.Word
		}
	}
	return ""
}

// Addrs are the addresses of a net in one family.
func Addrs(n roles.EndNet, v6 bool) space.Addrs {
	if v6 {
		return space.AddrsOf(n.V6...)
	}
	return space.AddrsOf(n.V4...)
}

// Sources are the ports that connections are made from. Those below 1024 take
// privilege and are not given out (RFC 6056 section 2.1); what a host sends from the
// ports of sshd is sshd's answers, which the management pair lets pass whatever else
// is said.
func (f *Fleet) Sources(host string) space.Ports {
	ports := space.Ports{{From: 1024, To: 65535}}
	for _, p := range f.of[host].Management.Ports {
		ports = ports.Minus(space.One(space.Port(p)))
	}
	return ports
}
