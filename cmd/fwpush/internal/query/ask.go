package query

import (
	"errors"
	"fmt"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Question is a packet and where it is looked at.
type Question struct {
	Packet
	// Host is the one whose rules are asked, in one direction; or From and To are
	// the ends of a way, which are asked in their turn.
	Host      string
	Direction roles.Direction
	From, To  string
	expect.Way
}

// Answer is what becomes of some of the packets at one host.
type Answer struct {
	Host string
	verdict.Outcome
	Behind  *expect.Gateway // whose nat has given the packets their source
	Nearest []verdict.Miss
}

// nearest is how many rules that came near are told.
const nearest = 5

// Ask puts a question to a fleet. Answers are in the order in which packets pass;
// what a host refuses is not asked about further on.
func Ask(fleet *expect.Fleet, names roles.Names, q Question) ([]Answer, error) {
	flows, err := q.flows(fleet, names)
	if err != nil {
		return nil, err
	}
	var list []Answer
	for _, f := range flows {
		left := []expect.Packets{{Box: f.box}}
		for _, hop := range f.hops {
			var passed []expect.Packets
			for _, p := range left {
				for _, o := range hop.Decide(p) {
					a := Answer{Host: hop.Host, Outcome: o, Behind: p.Behind}
					a.Nearest = hop.Engine.Nearest(o.Direction, o.Packets, o.Verdict == inventory.Accept, nearest)
					list = append(list, a)
					if o.Verdict == inventory.Accept || o.Verdict == verdict.Undecided {
						passed = append(passed, f.arriving(hop.Behind(p, o))...)
					}
				}
			}
			left = passed
		}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no such packet: its ends have no address family in common, or neither is a host of the fleet file that gets rules")
	}
	return list, nil
}

// flow are packets of one family, and the hops they pass.
type flow struct {
	box  space.Box
	hops []expect.Hop
}

// arriving are those of packets that still go where the flow goes: a gateway may have
// sent some elsewhere.
func (f flow) arriving(list []expect.Packets) []expect.Packets {
	var out []expect.Packets
	for _, p := range list {
		if p.Dst = p.Dst.And(f.box.Dst); !p.Dst.Empty() {
			out = append(out, p)
		}
	}
	return out
}

func (q Question) flows(fleet *expect.Fleet, names roles.Names) ([]flow, error) {
	from, to, err := q.ends(names)
	if err != nil {
		return nil, err
	}
	var list []flow
	for _, a := range from {
		for _, b := range to {
			if a.Host != "" && a.Host == b.Host {
				continue
			}
			for _, src := range a.Nets {
				for _, dst := range b.Nets {
					list = append(list, q.pair(fleet, a, b, src, dst)...)
				}
			}
		}
	}
	return list, nil
}

// ends are who sends and who gets the packet. At one host the end that is not said
// is the host itself, or for packets that pass through anybody.
func (q Question) ends(names roles.Names) (from, to []roles.End, err error) {
	fromWord, toWord := q.From, q.To
	if q.Host != "" {
		fromWord, toWord = q.Packet.From, q.Packet.To
		self := "host:" + q.Host
		if fromWord == "" {
			fromWord = map[roles.Direction]string{roles.Output: self}[q.Direction]
		}
		if toWord == "" {
			toWord = map[roles.Direction]string{roles.Input: self}[q.Direction]
		}
	}
	for _, end := range []struct {
		word string
		list *[]roles.End
	}{{fromWord, &from}, {toWord, &to}} {
		if end.word == "" {
			end.word = "any"
		}
		if *end.list, err = names.Ends(end.word); err != nil && end.word == "host:"+q.Host {
			*end.list, err = names.Ends("any") // the file does not say which addresses it has
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", end.word, err)
		}
	}
	return from, to, nil
}

func (q Question) pair(fleet *expect.Fleet, a, b roles.End, src, dst roles.EndNet) []flow {
	var hops []expect.Hop
	source := a.Host
	switch {
	case q.Host == "":
		hops = fleet.Path(a.Host, b.Host, src.Name, dst.Name, q.Way)
	case q.Direction == roles.Output:
		source = q.Host
		hops = fleet.Path(q.Host, "", src.Name, dst.Name, q.Way)
	case q.Direction == roles.Forward:
		hops = fleet.Path("", "", src.Name, dst.Name, expect.Way{Via: q.Host, In: q.In, Out: q.Out})
	default:
		hops = fleet.Path("", q.Host, src.Name, dst.Name, q.Way)
	}
	var list []flow
	for _, v6 := range [...]bool{false, true} {
		box := space.All(v6)
		box.Src, box.Dst, box.Key = expect.Addrs(src, v6), expect.Addrs(dst, v6), q.keys(v6)
		box.SrcPort = q.SrcPort
		if box.SrcPort.Empty() {
			box.SrcPort = fleet.Sources(source)
		}
		if !box.Empty() && len(hops) > 0 {
			list = append(list, flow{box, hops})
		}
	}
	return list
}
