package proposal

import (
	"fmt"
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// Flow is packets that the role and the rules decide otherwise.
type Flow struct {
	Direction roles.Direction
	Packets   space.Box
	Limit     string // "" where they are let through or not, else how a limit differs
}

// compare compiles the role and leads every first packet through it. Only what rules and
// defaults decide is told: what each role has built in is IP's own needs, and stands in
// docs/policy.md.
// With alike, what was not told of IPv6, or is open, is as IPv4.
func (out *Proposal) compare(hooks map[roles.Direction]chains, translations []natEntry, alike map[roles.Direction]bool) error {
	p, err := out.Policy()
	if err != nil {
		return err
	}
	engine, less := verdict.New(p), false
	for _, d := range [...]roles.Direction{roles.Input, roles.Output, roles.Forward} {
		if hooks[d][0] == nil {
			continue
		}
		for i, v6 := range [...]bool{false, true} {
			if v6 && alike[d] {
				continue // told in one sentence
			}
			h := hooks[d][i]
			free, limited := h.accepted()
			let := slices.Concat(free, limited)
			var ours, unlimited, builtin space.Region
			for _, o := range engine.Decide(d, everything(string(d), v6)) {
				if o.Stage == verdict.Ping && d == roles.Forward {
					builtin = append(builtin, o.Packets) // as RFC 4890 wants it
					continue
				}
				switch o.Stage {
				case verdict.Allow, verdict.Ping, verdict.Lifeline, verdict.Open, verdict.Default, verdict.Deny:
					if o.Verdict == inventory.Accept {
						ours = append(ours, o.Packets)
						if o.Limited() == "" && len(engine.Beside(o)) == 0 {
							unlimited = append(unlimited, o.Packets)
						}
					}
				default:
					builtin = append(builtin, o.Packets)
				}
			}
			if len(ours)+len(let) > mostBoxes {
				return errTooMuch
			}
			for _, b := range worth(ours.Without(let)) {
				out.Opens = append(out.Opens, Flow{Direction: d, Packets: b})
			}
			whole := h.unlimited()
			for _, b := range worth(overlap(unlimited, let.Without(whole))) {
				out.Opens = append(out.Opens, Flow{d, b, "without a limit"})
			}
			for _, b := range worth(overlap(ours.Without(unlimited), whole)) {
				out.Closes = append(out.Closes, Flow{d, b, "over a limit"})
			}
			if d == roles.Forward {
				for _, n := range translations {
					for _, b := range worth(of(n.sent, v6).Without(append(let, h.sentOn...))) {
						out.Opens = append(out.Opens, Flow{Direction: d, Packets: b})
					}
				}
			}
			left := worth(disjoint(let.Without(append(builtin, ours...))))
			for _, b := range left {
				if other := b.Key.Minus(messages); !other.Empty() {
					b.Key = other
					out.Closes = append(out.Closes, Flow{Direction: d, Packets: b})
				} else {
					less = true
				}
			}
		}
	}
	if less {
		out.Notes = append(out.Notes, "Of ICMP the role lets in ping and what IP cannot work without; the rules let in more.")
	}
	return nil
}

// unlimited is what is let through, however much it is.
func (h *hook) unlimited() space.Region {
	free, _ := h.accepted()
	for _, c := range h.curbs {
		free = free.Without(c.packets)
	}
	return free
}

// overlap is what two regions have in common, in boxes that have none.
func overlap(a, b space.Region) space.Region {
	var both space.Region
	for _, box := range b {
		both = append(both, a.And(box)...)
	}
	return disjoint(both)
}

// of are the packets of a family.
func of(r space.Region, v6 bool) space.Region {
	return slices.DeleteFunc(slices.Clone(r), func(b space.Box) bool { return b.V6() != v6 })
}

// messages are those of ICMP but for echo requests: what each role makes of them is not up
// to it.
var messages = icmp.Minus(echo(false)).Minus(echo(true))

// disjoint is the same packets in boxes that have none in common.
func disjoint(r space.Region) space.Region {
	var out space.Region
	for _, b := range r {
		out = append(out, space.Region{b}.Without(out)...)
	}
	return out.Simple()
}

// worth leaves out port 0, on which nothing listens.
func worth(r space.Region) space.Region {
	var zero space.Keys
	for _, proto := range [...]uint8{space.TCP, space.UDP, space.SCTP} {
		zero = zero.Union(space.PortKeys(proto, 0, 0))
	}
	var out space.Region
	for _, b := range r {
		if b.Key = b.Key.Minus(zero); !b.Empty() {
			out = append(out, b)
		}
	}
	return out.Simple()
}

// Policy is what the rules of the role mean on a host, without what only a fleet file says:
// who manages it, and its addresses. Translations come before; where they lead is compared
// with what is routed.
func (out *Proposal) Policy() (roles.Policy, error) {
	fleet, found := inventory.Parse("proposal", []byte(out.whole()))
	if bad := found.Errors(); len(bad) > 0 {
		return roles.Policy{}, fmt.Errorf("the proposal is no fleet file: %s", bad[0].Msg)
	}
	policies, _ := roles.CompileAll(fleet)
	p := policies[0]
	p.Management.Peers, p.Addresses, p.Antispoof, p.NAT = nil, nil, false, nil
	return p, nil
}

func (out *Proposal) whole() string {
	return fmt.Sprintf("version = 1\n[management]\nfrom = [\"192.0.2.1\", \"2001:db8::1\"]\n[hosts.host]\nroles = [%s]\naddresses = [\"192.0.2.255\", \"2001:db8::ffff\"]\n", inventory.TOML(out.Role)) + out.Text
}
