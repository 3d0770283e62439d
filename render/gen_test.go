package render_test

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go4.org/netipx"
	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// The generators draw from few values, so that rules overlap, names collide and
// families are missing often.

// comments are legal and try to be something else.
var comments = []string{"", "", `} accept`, `; flush ruleset`, `accept #`, `\`, `$x`, `*`, `ünïcödé`, "a b"}

var genComment = rapid.OneOf(
	rapid.SampledFrom(comments),
	rapid.StringOfN(rapid.RuneFrom([]rune(`abc {}[]();:,.\'$#@!*-+=/ é✓`)), 0, 40, 128),
)

var genAddr4 = rapid.Custom(func(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{10, rapid.Byte().Draw(t, "b"), 0, rapid.Byte().Draw(t, "d")})
})

var genAddr6 = rapid.Custom(func(t *rapid.T) netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	a[5], a[15] = rapid.Byte().Draw(t, "net"), rapid.Byte().Draw(t, "host")
	return netip.AddrFrom16(a)
})

func genRange(addr *rapid.Generator[netip.Addr]) *rapid.Generator[inventory.AddrRange] {
	return rapid.Custom(func(t *rapid.T) inventory.AddrRange {
		a := addr.Draw(t, "from")
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			return inventory.AddrRange{From: a, To: a}
		case 1:
			b := addr.Draw(t, "to")
			if b.Less(a) {
				a, b = b, a
			}
			return inventory.AddrRange{From: a, To: b}
		case 2: // the whole family
			p, _ := a.Prefix(0)
			return addrRange(p.String())
		}
		p, _ := a.Prefix(rapid.IntRange(1, a.BitLen()).Draw(t, "bits"))
		return addrRange(p.String())
	})
}

// peerNames collide once rendered, and one is called as our own set.
var peerNames = []string{"a-b", "a_b", "a_b_c", "mgmt", "web", "web9", "x", "db1.example.net"}

// genPeers draws a book of peers: the same name has the same addresses.
var genPeers = rapid.Custom(func(t *rapid.T) []roles.Peer {
	var book []roles.Peer
	kinds := []roles.PeerKind{roles.SetPeer, roles.HostPeer, roles.RolePeer, roles.Literal}
	for range rapid.IntRange(1, 6).Draw(t, "peers") {
		p := roles.Peer{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
		if p.Kind != roles.Literal {
			p.Name = rapid.SampledFrom(peerNames).Draw(t, "name")
		}
		if p.Kind == roles.HostPeer || p.Kind == roles.RolePeer {
			p.Net = rapid.SampledFrom([]string{"", "lan", "c", "c_d"}).Draw(t, "net")
		}
		known := func(o roles.Peer) bool { return o.Kind == p.Kind && o.Name == p.Name && o.Net == p.Net }
		if p.Kind != roles.Literal && slices.ContainsFunc(book, known) {
			continue
		}
		p.V4 = merged(rapid.SliceOfN(genRange(genAddr4), 0, 3).Draw(t, "v4"))
		p.V6 = merged(rapid.SliceOfN(genRange(genAddr6), 0, 3).Draw(t, "v6"))
		book = append(book, p)
	}
	return book
})

// merged is what a Policy promises of its peers.
func merged(list []inventory.AddrRange) []inventory.AddrRange {
	var b netipx.IPSetBuilder
	for _, r := range list {
		b.AddRange(netipx.IPRangeFrom(r.From, r.To))
	}
	set, err := b.IPSet()
	if err != nil {
		panic(err)
	}
	var out []inventory.AddrRange
	for _, r := range set.Ranges() {
		out = append(out, inventory.AddrRange{From: r.From(), To: r.To()})
	}
	return out
}

func genRules(d roles.Direction, book []roles.Peer) *rapid.Generator[[]roles.Rule] {
	peerList := rapid.SliceOfN(rapid.SampledFrom(book), 0, 3)
	ports := rapid.Custom(func(t *rapid.T) inventory.PortRange {
		from := rapid.SampledFrom([]uint16{1, 22, 53, 80, 81, 83, 123, 443, 65535}).Draw(t, "port")
		return inventory.PortRange{
			Proto: rapid.SampledFrom([]string{"tcp", "udp", "sctp"}).Draw(t, "proto"),
			From:  from,
			To:    from + min(65535-from, rapid.SampledFrom([]uint16{0, 0, 1, 100}).Draw(t, "span")),
		}
	})
	ifaces := rapid.SliceOfNDistinct(rapid.SampledFrom(ifaceNames), 0, 2, rapid.ID)
	line := 0
	rule := rapid.Custom(func(t *rapid.T) roles.Rule {
		line++
		r := roles.Rule{
			Verb:    rapid.SampledFrom(verbs).Draw(t, "verb"),
			From:    peerList.Draw(t, "from"),
			To:      peerList.Draw(t, "to"),
			Comment: genComment.Draw(t, "comment"),
			Name:    fmt.Sprintf("r%d-%s", line, d),
			Counted: rapid.Bool().Draw(t, "named"),
			Place:   at(line),
		}
		if rapid.IntRange(0, 3).Draw(t, "with a family") == 0 {
			r.Family = rapid.SampledFrom([]inventory.Family{inventory.IPv4, inventory.IPv6}).Draw(t, "family")
		}
		if d != roles.Output {
			r.InIfaces = ifaces.Draw(t, "in")
		}
		switch d {
		case roles.Published:
			r.To = nil
		case roles.Output, roles.Forward:
			r.OutIfaces = ifaces.Draw(t, "out")
		}
		switch rapid.IntRange(0, 7).Draw(t, "service") {
		case 0:
			r.All = true
		case 1:
			r.ICMP, r.ICMPv6 = []uint8{8}, []uint8{128}
		case 2:
			r.ICMP = rapid.SampledFrom([][]uint8{nil, {13}, {8, 17}}).Draw(t, "icmp")
			r.ICMPv6 = rapid.SampledFrom([][]uint8{{128}, {139}, {134, 139}}).Draw(t, "icmpv6")
		case 3:
			r.Protos = rapid.SampledFrom([][]uint8{{47}, {50, 51}, {112}}).Draw(t, "protocols")
		default:
			r.Ports = rapid.SliceOfN(ports, 1, 4).Draw(t, "ports")
		}
		if r.Allows() && rapid.IntRange(0, 3).Draw(t, "limited") == 0 {
			r.Rate = inventory.Rate{N: 6, Per: time.Minute, Burst: 3, Scope: rapid.SampledFrom([]inventory.Scope{inventory.PerSource, inventory.PerNet, inventory.Global}).Draw(t, "scope")}
		}
		if r.Allows() && rapid.IntRange(0, 5).Draw(t, "counted") == 0 && len(r.Ports) > 0 && !slices.ContainsFunc(r.Ports, func(p inventory.PortRange) bool { return p.Proto != "tcp" }) {
			r.MaxConns = 10
		}
		if rapid.IntRange(0, 5).Draw(t, "ends") == 0 {
			r.Expires = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		r.Log.On = rapid.IntRange(0, 5).Draw(t, "logged") == 0
		return r
	})
	return rapid.SliceOfN(rule, 0, 5)
}

var (
	verbs      = []inventory.Verb{inventory.AllowVerb, inventory.AllowVerb, inventory.AllowVerb, inventory.DenyVerb, inventory.DropVerb, inventory.RejectVerb}
	ifaceNames = []string{"eth1", "lan0", "wan.7"}
)

var genPolicy = rapid.Custom(func(t *rapid.T) roles.Policy {
	book := genPeers.Draw(t, "book")
	say := func(label string, of ...inventory.Verdict) inventory.Verdict {
		return rapid.SampledFrom(of).Draw(t, label)
	}
	outbound := say("outbound", inventory.Accept, inventory.Drop, inventory.Reject)
	var lines []inventory.PortRange
	if outbound != inventory.Accept {
		lines = rapid.SampledFrom([][]inventory.PortRange{nil, lifelines, udp(123), append(tcp(53), udp(53)...)}).Draw(t, "lifelines")
	}
	return roles.Policy{
		Host:       "web1",
		Lifelines:  lines,
		Management: base().Management,
		Inbound:    say("inbound", inventory.Drop, inventory.Reject),
		Outbound:   outbound,
		Log:        inventory.Log{On: rapid.Bool().Draw(t, "log")},
		Ping:       inventory.Ping{On: rapid.Bool().Draw(t, "ping")},
		IGMP:       rapid.Bool().Draw(t, "igmp"),
		AcceptRA:   rapid.Bool().Draw(t, "accept_ra"),
		SendsRA:    rapid.Bool().Draw(t, "sends_ra"),
		Forwards:   rapid.Bool().Draw(t, "forwards"),
		Forward:    genRules(roles.Forward, book).Draw(t, "forward"),
		Publishes:  rapid.Bool().Draw(t, "publishes"),
		Published:  genRules(roles.Published, book).Draw(t, "published"),
		DHCPClient: rapid.Bool().Draw(t, "dhcp"),
		Antispoof:  rapid.Bool().Draw(t, "antispoof"),
		In:         genRules(roles.Input, book).Draw(t, "in"),
		Out:        genRules(roles.Output, book).Draw(t, "out"),
	}
})

// genPacket draws a new connection that may well meet a rule of the policy.
func genPacket(p roles.Policy) *rapid.Generator[verdict.Packet] {
	return rapid.Custom(func(t *rapid.T) verdict.Packet {
		k := verdict.Packet{
			Direction: rapid.SampledFrom(roles.Directions[:]).Draw(t, "direction"),
			Proto:     rapid.SampledFrom([]uint8{space.TCP, space.TCP, space.UDP, space.SCTP, space.ICMP, 47, 51, 112, 2}).Draw(t, "proto"),
		}
		addr := genAddr4
		if rapid.Bool().Draw(t, "v6") {
			addr = genAddr6
		}
		k.Src, k.Dst = edge(p, addr).Draw(t, "src"), edge(p, addr).Draw(t, "dst")
		name := rapid.SampledFrom(append(ifaceNames, "eth0"))
		if k.Direction != roles.Output {
			k.In = name.Draw(t, "in")
		}
		if k.Direction != roles.Input {
			k.Out = name.Draw(t, "out")
		}
		switch {
		case k.Proto == space.ICMP && k.Src.Is6():
			k.Proto, k.Type = space.ICMPv6, rapid.SampledFrom([]uint8{1, 2, 128, 129, 133, 134, 135, 137, 139, 143}).Draw(t, "type")
		case k.Proto == space.ICMP:
			k.Type = rapid.SampledFrom([]uint8{0, 3, 5, 8, 11, 13, 17}).Draw(t, "type")
		case space.ProtoWord(k.Proto) != "":
			port := rapid.SampledFrom([]uint16{1, 2, 22, 53, 67, 68, 80, 82, 123, 443, 546, 547, 65535})
			k.SrcPort, k.DstPort = port.Draw(t, "sport"), port.Draw(t, "dport")
		}
		if k.Direction == roles.Published { // something that a connection begins with, to the host
			k.Dst = container(k.Dst.Is6())
			if k.Proto == space.ICMP {
				k.Type = 8
			} else if k.Proto == space.ICMPv6 {
				k.Type = 128
			}
		}
		return k
	})
}

// edge draws an address at or beside the end of a range of the policy.
func edge(p roles.Policy, other *rapid.Generator[netip.Addr]) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		a := other.Draw(t, "other")
		var ends []netip.Addr
		for _, r := range p.AllRules() {
			for _, q := range slices.Concat(r.From, r.To, p.Management.Peers) {
				for _, x := range slices.Concat(q.V4, q.V6) {
					ends = append(ends, x.From, x.To, x.From.Prev(), x.To.Next())
				}
			}
		}
		ends = slices.DeleteFunc(ends, func(e netip.Addr) bool {
			broadcast := e == netip.AddrFrom4([4]byte{255, 255, 255, 255}) // dropped, never answered
			return !e.IsValid() || e.Is4() != a.Is4() || e.IsMulticast() || e.Is4In6() || broadcast
		})
		if len(ends) == 0 || rapid.Bool().Draw(t, "elsewhere") {
			return a
		}
		return rapid.SampledFrom(ends).Draw(t, "end")
	})
}
