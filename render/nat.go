package render

import (
	"fmt"

	"fwpush/inventory"
	"fwpush/roles"
)

// translations are the chains of nat. Before a destination is changed the
// management pair is let alone: no entry can send it elsewhere.
func (r *renderer) translations() []chain {
	pre := chain{name: "prerouting", hook: hook{"nat", "prerouting", "dstnat", inventory.Accept}}
	post := chain{name: "postrouting", hook: hook{"nat", "postrouting", "srcnat", inventory.Accept}}
	for _, n := range r.p.NAT {
		if n.Kind == inventory.DNAT || n.Kind == inventory.Redirect {
			pre.add(r.nat(n)...)
		} else {
			post.add(r.nat(n)...)
		}
	}
	var out []chain
	if len(pre.stmts) > 0 {
		guard := r.managementPair(roles.Input)
		for i := range guard {
			guard[i].local = true
		}
		pre.stmts = append(guard, pre.stmts...)
		out = append(out, pre)
	}
	if len(post.stmts) > 0 {
		out = append(out, post)
	}
	return out
}

func (r *renderer) nat(n roles.NAT) []stmt {
	do := action{port: n.ToPort}
	if n.ToAddr.IsValid() {
		do.to = n.ToAddr.String()
	}
	rule := roles.Rule{Traffic: roles.Traffic{All: len(n.Ports) == 0, Ports: n.Ports}, From: n.From, To: n.To, InIfaces: n.InIfaces, OutIfaces: n.OutIfaces, Family: n.Family}
	switch n.Kind {
	case inventory.Masquerade:
		do.kind = masqed
	case inventory.SNAT:
		do.kind = snat
	case inventory.DNAT:
		do.kind = dnat
	case inventory.Redirect:
		do.kind = redirect
	}
	var out []stmt
	for _, c := range r.conds(rule) {
		// Without a destination of its own a dnat is about connections to this host.
		c.local = n.Kind == inventory.DNAT && len(n.To) == 0
		out = append(out, stmt{cond: c, do: do, comment: n.Comment, places: placesOf(n.Place)})
	}
	return out
}

// forwarded lets through what dnat has sent on: that, and nothing that the nat of
// somebody else did.
func (r *renderer) forwarded() []stmt {
	var out []stmt
	for _, n := range r.p.NAT {
		if n.Kind != inventory.DNAT {
			continue
		}
		rule := roles.Rule{Traffic: roles.Traffic{All: len(n.Ports) == 0, Ports: n.Ports}, From: n.From, InIfaces: n.InIfaces, Family: inventory.IPv4}
		if n.ToAddr.Is6() {
			rule.Family = inventory.IPv6
		}
		for _, c := range r.conds(rule) {
			c.dst, c.state = one(n.ToAddr), translated
			if n.ToPort > 0 {
				c.ports = single(c.proto, n.ToPort)
			}
			out = append(out, stmt{cond: c, do: action{kind: accept}, places: placesOf(n.Place)})
		}
	}
	return out
}

// target is where nat sends a packet, in the words of both backends.
func (a action) target(f family) string {
	switch {
	case a.port == 0:
		return a.to
	case a.to == "":
		return fmt.Sprintf(":%d", a.port)
	case f == ip6:
		return fmt.Sprintf("[%s]:%d", a.to, a.port)
	}
	return fmt.Sprintf("%s:%d", a.to, a.port)
}
