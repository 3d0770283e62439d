package verdict

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
)

func (e *Engine) input() []step {
	chain := []step{e.management(roles.Input)}
	lo := everything()
	for i := range lo {
		lo[i].In = space.NamesOf("lo")
	}
	chain = append(chain, accepts(Loopback, "to itself", lo))
	if e.policy.Antispoof {
		chain = append(chain, e.antispoof())
	}
	chain = append(chain, e.icmpIn(), e.invalid())
	chain = append(chain, e.needs(roles.Input)...)
	return append(chain, e.judged(roles.Input)...)
}

func (e *Engine) output() []step {
	chain := []step{e.management(roles.Output)}
	if e.policy.Outbound == inventory.Accept && !e.guards() {
		return append(chain, e.end(roles.Output))
	}
	lo := everything()
	for i := range lo {
		lo[i].Out = space.NamesOf("lo")
	}
	chain = append(chain, accepts(Loopback, "to itself", lo), e.icmpOut())
	if e.policy.Outbound != inventory.Accept {
		chain = append(chain, e.invalid())
	}
	chain = append(chain, e.needs(roles.Output)...)
	return append(chain, e.judged(roles.Output)...)
}

// guards reports whether anything in output can refuse a packet before its end.
func (e *Engine) guards() bool {
	return slices.ContainsFunc(e.policy.Out, func(r roles.Rule) bool { return !r.Allows() || r.Rate.N > 0 || r.MaxConns > 0 }) ||
		slices.ContainsFunc(e.policy.Raw, func(r roles.Raw) bool { return r.Chain == string(roles.Output) })
}

func (e *Engine) forward() []step {
	if !e.policy.Forwards {
		return []step{{stage: Open, verdict: inventory.Accept, match: everything(), by: "default, since no rule of the host is about forwarding"}}
	}
	return append([]step{e.errors(), e.invalid()}, e.judged(roles.Forward)...)
}

// published is for connections that the nat of somebody else hands on.
func (e *Engine) published() []step {
	switch {
	case e.policy.Publishes:
		return e.judged(roles.Published)
	case e.policy.Forwards:
		return []step{{stage: Open, verdict: Undecided, match: everything(), by: "forward, which is about the port that it is handed on to"}}
	}
	return []step{{stage: Open, verdict: inventory.Accept, match: everything(), by: "default, since no rule of the host is about published ports"}}
}

// forwarded is forward for what a dnat has sent on, which is let through unless a
// rule refuses it.
func (e *Engine) forwarded() []step {
	chain := slices.Clone(e.chains[roles.Forward])
	end := slices.IndexFunc(chain, func(s step) bool { return s.stage == Default })
	if end < 0 {
		return chain
	}
	return slices.Insert(chain, end, accepts(Translated, "the dnat that sends it on", everything()))
}

func accepts(stage Stage, by string, match space.Region) step {
	return step{stage: stage, verdict: inventory.Accept, match: match, by: by}
}

// management is one half of the pair.
func (e *Engine) management(d roles.Direction) step {
	m := e.policy.Management
	s := accepts(Management, "the management pair", nil)
	s.place = m.Place
	for _, v6 := range families {
		from := e.list(m.Peers, v6)
		for _, port := range m.Ports {
			b := space.All(v6)
			if d == roles.Input {
				b.Src, b.Key = from, space.PortKeys(space.TCP, port, port)
			} else {
				b.Dst, b.Key, b.SrcPort = from, space.ProtoKeys(space.TCP), space.One(space.Port(port))
			}
			if !b.Empty() {
				s.match = append(s.match, b)
			}
		}
	}
	return s
}

// antispoof drops what comes from elsewhere with an address of the host. What is
// sent to a group may come back to the host that sent it.
func (e *Engine) antispoof() step {
	s := step{stage: Antispoof, verdict: inventory.Drop, place: e.settled("antispoof"), by: "antispoof: the source is an address of the host"}
	for _, v6 := range families {
		b := space.All(v6)
		b.Src, b.Dst = e.own.And(b.Src), b.Dst.Minus(cast(v6))
		b.In = space.NamesOf("lo").Not()
		if !b.Empty() {
			s.match = append(s.match, b)
		}
	}
	return s
}

func types(proto uint8, list ...uint8) space.Keys {
	var out space.Keys
	for _, t := range list {
		out = out.Union(space.TypeKeys(proto, t))
	}
	return out
}

const icmpBy = "what IP cannot work without"

// errors are the messages without which paths and connections break (RFC 792, RFC
// 4443).
func (e *Engine) errors() step {
	return accepts(ICMPCore, icmpBy, space.Region{about(false, types(space.ICMP, 3, 11, 12)), about(true, types(space.ICMPv6, 1, 2, 3, 4))})
}

// icmpIn supposes hop limits as neighbours send them (RFC 4861 section 6.1).
func (e *Engine) icmpIn() step {
	s := e.errors()
	neighbours := about(true, types(space.ICMPv6, 130, 131, 132, 143))
	if e.policy.AcceptRA {
		neighbours.Key = neighbours.Key.Union(types(space.ICMPv6, 134))
	}
	neighbours.Src = linkLocal
	early := about(true, types(space.ICMPv6, 143))
	early.Src = space.One(early.Src[0].From)
	s.match = append(s.match, about(true, types(space.ICMPv6, 133, 135, 136)), neighbours, early)
	return s
}

func (e *Engine) icmpOut() step {
	s := e.errors()
	own := types(space.ICMPv6, 131, 132, 133, 135, 136, 143)
	if e.policy.SendsRA {
		own = own.Union(types(space.ICMPv6, 134))
	}
	s.match = append(s.match, about(true, own))
	return s
}

// invalid are messages that no connection begins with, and that are none of those
// connection tracking leaves alone (valid_new in the kernel's
// nf_conntrack_proto_icmp.c, valid_new and noct_valid_new in
// nf_conntrack_proto_icmpv6.c). A message of the other family's ICMP is never
// valid.
func (e *Engine) invalid() step {
	begin4 := types(space.ICMP, 8, 13, 15, 17)
	begin6 := types(space.ICMPv6, 128, 139, 130, 131, 132, 133, 134, 135, 136, 143)
	return step{stage: State, verdict: inventory.Drop, by: "no connection begins with it", match: space.Region{
		about(false, space.ProtoKeys(space.ICMP).Minus(begin4).Union(space.ProtoKeys(space.ICMPv6))),
		about(true, space.ProtoKeys(space.ICMPv6).Minus(begin6).Union(space.ProtoKeys(space.ICMP))),
	}}
}

// needs are the answers to what the host itself asks for.
func (e *Engine) needs(d roles.Direction) []step {
	var list []step
	if e.policy.DHCPClient {
		// RFC 2131 section 4.1, RFC 8415 section 7.2.
		b4, b6 := about(false, space.PortKeys(space.UDP, 68, 68)), about(true, space.PortKeys(space.UDP, 546, 546))
		b4.SrcPort, b6.SrcPort, b6.Src = space.One(space.Port(67)), space.One(space.Port(547)), linkLocal
		if d == roles.Output {
			b4, b6 = about(false, space.PortKeys(space.UDP, 67, 67)), about(true, space.PortKeys(space.UDP, 547, 547))
			b4.SrcPort, b6.SrcPort = space.One(space.Port(68)), space.One(space.Port(546))
		}
		s := accepts(DHCP, "dhcp_client", space.Region{b4, b6})
		s.place = e.settled("dhcp_client")
		list = append(list, s)
	}
	if e.policy.IGMP {
		s := accepts(IGMP, "igmp", space.Region{about(false, space.ProtoKeys(2))})
		s.place = e.settled("igmp")
		list = append(list, s)
	}
	return list
}

// judged is the part of a chain that the rules of the file make.
func (e *Engine) judged(d roles.Direction) []step {
	p := e.policy
	rules := p.Rules(d)
	var refuse, chain []step
	for _, verdict := range []inventory.Verdict{inventory.Drop, inventory.Reject} {
		for i := range rules {
			r := &rules[i]
			if !r.Allows() && p.VerdictOf(d, *r) == verdict {
				s := step{stage: Deny, verdict: verdict, match: e.Packets(*r), rule: r, place: r.Place, by: "rule " + r.Name}
				refuse = append(refuse, e.unanswered(s)...)
			}
		}
	}
	chain = append(chain, refuse...)
	chain = append(chain, e.raw(d, "before-allow")...)
	if d == roles.Output && p.Outbound != inventory.Accept && len(p.Lifelines) > 0 {
		s := accepts(Lifeline, "dns and ntp, which a closed outbound keeps", nil)
		for _, v6 := range families {
			s.match = append(s.match, about(v6, roles.Traffic{Ports: p.Lifelines}.Keys(v6)))
		}
		chain = append(chain, s)
	}
	if p.Ping.On && d != roles.Published && (d != roles.Output || p.Outbound != inventory.Accept) {
		s := accepts(Ping, "ping", space.Region{about(true, types(space.ICMPv6, 128))})
		s.place = e.settled("ping")
		if d != roles.Forward {
			s.match = append(s.match, about(false, types(space.ICMP, 8)))
		}
		if d == roles.Input && p.Ping.Rate.N > 0 {
			s.limit = p.Ping.Rate.String()
		}
		chain = append(chain, s)
	}
	for i := range rules {
		if r := &rules[i]; r.Allows() {
			chain = append(chain, step{stage: Allow, verdict: inventory.Accept, match: e.Packets(*r), rule: r, place: r.Place, by: "rule " + r.Name, limit: limitOf(*r)})
		}
	}
	chain = append(chain, e.raw(d, "before-default")...)
	return append(chain, e.unanswered(e.end(d))...)
}

// unanswered is a refusal that is silent towards groups, since nobody is told by a
// multicast or a broadcast that its sender is refused, and towards errors of ICMP,
// which no error answers (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
func (e *Engine) unanswered(s step) []step {
	if s.verdict != inventory.Reject || !e.spend(len(s.match)) {
		return []step{s}
	}
	silent := s
	silent.verdict, silent.match = inventory.Drop, nil
	for _, b := range s.match {
		group, failure := b, b
		group.Dst = b.Dst.And(cast(b.V6()))
		failure.Key = b.Key.And(failures(b.V6()))
		for _, part := range []space.Box{group, failure} {
			if !part.Empty() && e.spend(len(group.Dst)*making) {
				silent.match = append(silent.match, part)
			}
		}
	}
	return []step{silent, s}
}

// failures are the messages that tell of an error, and those that the kernel takes
// for one (icmp_pointers in net/ipv4/icmp.c, RFC 4443 section 2.1).
func failures(v6 bool) space.Keys {
	if v6 {
		return space.Keys{{From: types(space.ICMPv6, 0)[0].From, To: types(space.ICMPv6, 127)[0].To}}
	}
	other := types(space.ICMP, 0, 8, 13, 14, 15, 16, 17, 18)
	return space.ProtoKeys(space.ICMP).Minus(other)
}

// raw is text that may decide what comes as far as this.
func (e *Engine) raw(d roles.Direction, at string) []step {
	var list []step
	for _, r := range e.policy.Raw {
		if r.Chain == string(d) && r.At == at {
			list = append(list, step{stage: Raw, verdict: Undecided, match: everything(), place: r.Place, by: "raw text, which is not understood", raw: &r})
		}
	}
	return list
}

// end is what a chain does with the rest.
func (e *Engine) end(d roles.Direction) step {
	key, verdict := "inbound", e.policy.Default(d)
	if d == roles.Output {
		key = "outbound"
	}
	s := step{stage: Default, verdict: verdict, match: everything(), place: e.settled(key), by: key + " = " + string(verdict)}
	if decided, ok := e.policy.Decided[key]; ok && decided.By != "default" {
		s.by += " of " + decided.By
	}
	return s
}

func (e *Engine) settled(key string) inventory.Place { return e.policy.Decided[key].Place }
