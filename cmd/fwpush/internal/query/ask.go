package query

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

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

// Reply is what there is to say to a question.
type Reply struct {
	Answers []Answer // in the order in which packets pass
	Names   Names
	Notes   []string // on the question
}

// Answer is what becomes of some of the packets at one host.
type Answer struct {
	Host string
	verdict.Outcome
	Behind *expect.Gateway // whose nat has given the packets their source
	engine *verdict.Engine
}

// Services are what the packets are about.
func (a Answer) Services() []string {
	if a.Packets.Key.Equal(space.AllKeys()) {
		return []string{"everything"}
	}
	var words []string
	for _, r := range a.Packets.Key {
		words = append(words, expect.KeyWord(r, a.Packets.V6()))
	}
	return words
}

// mostNear is how many rules that came near are told.
const mostNear = 5

// Nearest are the rules that came nearest to deciding otherwise. An answer in
// thousands of parts does not work them out for each.
func (a Answer) Nearest() []verdict.Miss {
	return a.engine.Nearest(a.Direction, a.Packets, a.Verdict == inventory.Accept, mostNear)
}

// Limits are those of other rules that hold for what is accepted here.
func (a Answer) Limits() []verdict.Limit { return a.engine.Beside(a.Outcome) }

// Ask puts a question to a fleet. What a host refuses is not asked about further on.
// A fleet with a budget may have no answer.
func Ask(fleet *expect.Fleet, names roles.Names, q Question) (Reply, error) {
	from, to, err := q.ends(names)
	if err != nil {
		return Reply{}, err
	}
	if err := q.interfaces(names, from, to); err != nil {
		return Reply{}, err
	}
	var r Reply
	if q.From != "" || q.Packet.From != "" {
		r.Names.addEnds(from)
	}
	if q.To != "" || q.Packet.To != "" {
		r.Names.addEnds(to)
	}
	at := map[roles.Direction][]Answer{}
	asked := map[string]bool{}
	for _, f := range q.flows(fleet, from, to) {
		left := []expect.Packets{{Box: f.box}}
		for _, hop := range f.hops {
			if !asked[hop.Host] {
				asked[hop.Host] = true
				r.Names.addPolicy(hop.Engine.Policy())
			}
			var passed []expect.Packets
			for _, p := range left {
				outcomes := hop.Decide(p)
				if hop.Engine.Exhausted() {
					return Reply{}, fmt.Errorf("the rules of %s cut the packet to more pieces than can be worked out: ask about one service, or about fewer addresses", hop.Host)
				}
				for _, o := range outcomes {
					at[hop.Direction] = append(at[hop.Direction], Answer{Host: hop.Host, Outcome: o, Behind: p.Behind, engine: hop.Engine})
					if o.Verdict == inventory.Accept || o.Verdict == verdict.Undecided {
						passed = append(passed, f.arriving(hop.Behind(p, o))...)
					}
				}
			}
			left = passed
		}
	}
	r.Answers = slices.Concat(at[roles.Output], at[roles.Forward], at[roles.Input], at[roles.Published])
	if len(r.Answers) == 0 {
		return Reply{}, errors.New("there is no such packet: its ends have no address family in common, are one and the same host, or neither is a host of the fleet file that gets rules")
	}
	r.Notes = q.foreign(fleet, from, to)
	return r, nil
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

func (q Question) flows(fleet *expect.Fleet, from, to []roles.End) []flow {
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
	return list
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
			toWord = map[roles.Direction]string{roles.Input: self, roles.Published: self}[q.Direction]
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
			return nil, nil, err
		}
	}
	return from, to, nil
}

// interfaces checks those of the question, where it has any: of the host that is asked
// or that forwards, else of the ends.
func (q Question) interfaces(names roles.Names, from, to []roles.End) error {
	hosts := func(ends []roles.End) []string {
		if q.Host != "" || q.Via != "" {
			return []string{q.Host + q.Via}
		}
		var list []string
		for _, e := range ends {
			if e.Host != "" {
				list = append(list, e.Host)
			}
		}
		return list
	}
	for _, side := range []struct {
		word string
		ends []roles.End
	}{{q.In, to}, {q.Out, from}} {
		if side.word == "" {
			continue
		}
		list := hosts(side.ends)
		if len(list) == 0 {
			return fmt.Errorf("nobody has the interface %q: the end is no host of the fleet file that gets rules", side.word)
		}
		for _, h := range list {
			if err := names.Iface(h, side.word); err != nil {
				return err
			}
		}
	}
	return nil
}

// foreign tells of addresses that the question takes for those of the host and that the
// file does not give it. A host without addresses may have any.
func (q Question) foreign(fleet *expect.Fleet, from, to []roles.End) []string {
	word, ends, how := q.Packet.To, to, "what is sent there does not come in here; --forward asks whether it passes"
	if q.Direction == roles.Output {
		word, ends, how = q.Packet.From, from, "the host sends nothing from there; --forward asks what passes"
	}
	if q.Host == "" || q.Direction == roles.Forward || word == "" || word == "any" {
		return nil
	}
	own := fleet.Engine(q.Host).Own()
	var asked, other space.Addrs
	for _, e := range ends {
		for _, n := range e.Nets {
			for _, v6 := range [...]bool{false, true} {
				if a := expect.Addrs(n, v6); own.Meets(space.Everyone(v6)) {
					asked, other = asked.Union(a), other.Union(a.Minus(own).Minus(everyHosts))
				}
			}
		}
	}
	switch mine := asked.And(own); {
	case other.Empty():
		return nil
	case mine.Empty():
		return []string{fmt.Sprintf("%s is no address that the file gives %s: %s", word, q.Host, how)}
	default:
		return []string{fmt.Sprintf("of %s the file gives %s only %s", word, q.Host, strings.Join(space.Ranges(mine), ", "))}
	}
}

// everyHosts are addresses that hosts have without their file saying so: of the loopback
// (RFC 1122, RFC 4291), of links (RFC 3927, RFC 4291), of groups and the broadcast.
var everyHosts = func() space.Addrs {
	var all space.Addrs
	for _, p := range [...]string{"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::1/128", "fe80::/10", "ff00::/8"} {
		all = all.Union(space.Prefix(netip.MustParsePrefix(p)))
	}
	return all
}()

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
