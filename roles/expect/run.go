package expect

import (
	"fmt"
	"net/netip"
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
	From    string // host, or the word of the test
	To      string
	Packet  string // one of those decided otherwise
	Host    string // where it is decided; "" if nobody decides
	At      roles.Direction
	Outcome verdict.Outcome
}

// Fleet answers for the hosts of a fleet. It keeps what it has worked out.
type Fleet struct {
	hosts   map[string]inventory.Host
	engines map[string]*verdict.Engine
	of      map[string]roles.Policy
}

// NewFleet takes the policies of the hosts that get rules.
func NewFleet(fleet *inventory.Fleet, policies map[string]roles.Policy) *Fleet {
	f := &Fleet{hosts: map[string]inventory.Host{}, engines: map[string]*verdict.Engine{}, of: policies}
	for _, h := range fleet.Hosts {
		f.hosts[h.Name] = h
	}
	return f
}

// Engine answers for a host; nil for one without rules.
func (f *Fleet) Engine(host string) *verdict.Engine {
	e := f.engines[host]
	if p, ok := f.of[host]; e == nil && ok {
		e = verdict.New(p)
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
	for _, from := range t.From {
		for _, to := range t.To {
			if from.Host != "" && from.Host == to.Host {
				continue // what a host says to itself passes no rule
			}
			for _, ask := range t.Allow {
				f.ask(&r, from, to, ask, true)
			}
			for _, ask := range t.Deny {
				f.ask(&r, from, to, ask, false)
			}
		}
	}
	return r
}

// flow is one question: packets from one net of an end to one net of another.
type flow struct {
	from, to       roles.End
	fromNet, toNet string
	box            space.Box
}

func (f *Fleet) ask(r *Result, from, to roles.End, ask roles.Ask, allowed bool) {
	for _, src := range from.Nets {
		for _, dst := range to.Nets {
			for _, v6 := range [...]bool{false, true} {
				if r.Family == inventory.IPv4 && v6 || r.Family == inventory.IPv6 && !v6 {
					continue
				}
				w := flow{from, to, src.Name, dst.Name, space.All(v6)}
				w.box.Src, w.box.Dst, w.box.Key = Addrs(src, v6), Addrs(dst, v6), verdict.Keys(ask.Traffic, v6)
				w.box.SrcPort = f.Sources(from.Host)
				if w.box.Empty() {
					continue
				}
				r.Flows++
				if bad, ok := f.judge(r.Test, w, allowed); !ok {
					bad.Ask, bad.Allowed, bad.From, bad.To = ask, allowed, name(from), name(to)
					r.add(bad)
				}
			}
		}
	}
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

// maxFailures bounds what is told of one test.
const maxFailures = 20

// add keeps one failure for each place that decides and each service: a role of a
// thousand hosts fails once.
func (r *Result) add(f Failure) {
	same := func(o Failure) bool {
		return o.Ask.Place == f.Ask.Place && o.Outcome.Place == f.Outcome.Place && o.Outcome.Stage == f.Outcome.Stage && o.At == f.At
	}
	if len(r.Failures) < maxFailures && !slices.ContainsFunc(r.Failures, same) {
		r.Failures = append(r.Failures, f)
	}
}

func name(e roles.End) string {
	if e.Host != "" {
		return e.Host
	}
	return e.Word
}

// Addrs are the addresses of a net in one family.
func Addrs(n roles.EndNet, v6 bool) space.Addrs {
	if v6 {
		return space.AddrsOf(n.V6...)
	}
	return space.AddrsOf(n.V4...)
}

// judge leads a flow through the rules it meets: out of the one end, through the
// host that forwards, in at the other. What is expected to pass must pass all of
// them whole; of what is expected not to pass nothing may be left behind them.
func (f *Fleet) judge(t roles.Test, w flow, allowed bool) (Failure, bool) {
	left := space.Region{w.box}
	last := Failure{}
	for _, hop := range f.hops(t, w) {
		var passed space.Region
		for _, o := range hop.Decide(left) {
			last = Failure{Host: hop.Host, At: hop.Direction, Outcome: o, Packet: Sample(o.Packets)}
			switch o.Verdict {
			case inventory.Accept:
				passed = append(passed, o.Packets)
			case verdict.Undecided:
				if !t.RawOK {
					return last, false
				}
				if allowed {
					passed = append(passed, o.Packets)
				}
			default:
				if allowed {
					return last, false
				}
			}
		}
		left = passed
	}
	if allowed || len(left) == 0 {
		return Failure{}, true
	}
	if last.Host == "" { // no host of the fleet is asked
		last.Packet = Sample(left[0])
		return last, false
	}
	return f.opener(t, w, left[0]), false
}

// opener is what lets a packet pass that should not: the last of the rules that it
// meets.
func (f *Fleet) opener(t roles.Test, w flow, packets space.Box) Failure {
	hops := f.hops(t, w)
	last := hops[len(hops)-1]
	for _, o := range last.Decide(space.Region{packets}) {
		if o.Verdict == inventory.Accept {
			return Failure{Host: last.Host, At: last.Direction, Outcome: o, Packet: Sample(o.Packets)}
		}
	}
	return Failure{Host: last.Host, At: last.Direction, Packet: Sample(packets)}
}

func (f *Fleet) hops(t roles.Test, w flow) []Hop {
	return f.Path(w.from.Host, w.to.Host, w.fromNet, w.toNet, Way{t.Via, t.InIface, t.OutIface})
}

// Sample is one packet of a box, as explain takes it.
func Sample(b space.Box) string {
	if b.Empty() {
		return ""
	}
	k := b.Key[0].From
	if space.ProtoWord(k.Proto()) == "" {
		return fmt.Sprintf("%s %s > %s", KeyWord(space.Range[space.Key]{From: k, To: k}, b.V6()), b.Src[0].From, b.Dst[0].From)
	}
	port := k.Port()
	if port == 0 && b.Key[0].To > k {
		port = 1 // there is no port 0
	}
	return fmt.Sprintf("%s %s > %s", space.ProtoWord(k.Proto()), b.Src[0].From, netip.AddrPortFrom(b.Dst[0].From, port))
}

// KeyWord is a range of what packets are about, in the words of the fleet file.
func KeyWord(r space.Range[space.Key], v6 bool) string {
	proto := r.From.Proto()
	word := space.ProtoWord(proto)
	switch {
	case proto != r.To.Proto():
		return fmt.Sprintf("protocols %d to %d", proto, r.To.Proto())
	case word != "" && r.From.Port() <= 1 && r.To.Port() == 65535:
		return word
	case word != "" && r.From == r.To:
		return fmt.Sprintf("%s/%d", word, r.From.Port())
	case word != "":
		return fmt.Sprintf("%s/%d-%d", word, r.From.Port(), r.To.Port())
	case proto == space.ICMP && !v6 && typeWord(r, false) == "/echo-request", proto == space.ICMPv6 && v6 && typeWord(r, true) == "/echo-request":
		return "ping"
	case proto == space.ICMP && !v6:
		return "icmp" + typeWord(r, false)
	case proto == space.ICMPv6 && v6:
		return "icmpv6" + typeWord(r, true)
	}
	return inventory.ProtoName(proto)
}

func typeWord(r space.Range[space.Key], v6 bool) string {
	switch {
	case r.From.Type() == r.To.Type():
		return "/" + inventory.ICMPName(v6, r.From.Type())
	case r.From.Type() == 0 && r.To.Type() == 255:
		return ""
	}
	return fmt.Sprintf("/%d-%d", r.From.Type(), r.To.Type())
}
