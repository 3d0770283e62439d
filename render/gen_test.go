package render_test

import (
	"net/netip"
	"slices"

	"go4.org/netipx"
	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/roles"
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

func genRules(book []roles.Peer) *rapid.Generator[[]roles.Rule] {
	peerList := rapid.SliceOfN(rapid.SampledFrom(book), 0, 3)
	ports := rapid.Custom(func(t *rapid.T) inventory.PortRange {
		from := rapid.SampledFrom([]uint16{1, 22, 53, 80, 81, 83, 123, 443, 65535}).Draw(t, "port")
		return inventory.PortRange{
			Proto: rapid.SampledFrom([]string{"tcp", "udp", "sctp"}).Draw(t, "proto"),
			From:  from,
			To:    from + min(65535-from, rapid.SampledFrom([]uint16{0, 0, 1, 100}).Draw(t, "span")),
		}
	})
	line := 0
	rule := rapid.Custom(func(t *rapid.T) roles.Rule {
		line++
		r := roles.Rule{
			Deny:    rapid.IntRange(0, 3).Draw(t, "deny") == 0,
			From:    peerList.Draw(t, "from"),
			To:      peerList.Draw(t, "to"),
			Comment: genComment.Draw(t, "comment"),
			Place:   at(line),
		}
		switch rapid.IntRange(0, 6).Draw(t, "service") {
		case 0:
			r.All = true
		case 1:
			r.Ping = true
		default:
			r.Ports = rapid.SliceOfN(ports, 1, 4).Draw(t, "ports")
		}
		return r
	})
	return rapid.SliceOfN(rule, 0, 5)
}

var genPolicy = rapid.Custom(func(t *rapid.T) roles.Policy {
	book := genPeers.Draw(t, "book")
	verdict := func(label string, of ...inventory.Verdict) inventory.Verdict {
		return rapid.SampledFrom(of).Draw(t, label)
	}
	outbound := verdict("outbound", inventory.Accept, inventory.Drop, inventory.Reject)
	var lines []inventory.PortRange
	if outbound != inventory.Accept {
		lines = rapid.SampledFrom([][]inventory.PortRange{nil, lifelines, udp(123), append(tcp(53), udp(53)...)}).Draw(t, "lifelines")
	}
	return roles.Policy{
		Host:       "web1",
		Lifelines:  lines,
		Management: base().Management,
		Inbound:    verdict("inbound", inventory.Drop, inventory.Reject),
		Outbound:   outbound,
		Log:        inventory.Log{On: rapid.Bool().Draw(t, "log")},
		Ping:       rapid.Bool().Draw(t, "ping"),
		DHCPClient: rapid.Bool().Draw(t, "dhcp"),
		Antispoof:  rapid.Bool().Draw(t, "antispoof"),
		In:         genRules(book).Draw(t, "in"),
		Out:        genRules(book).Draw(t, "out"),
	}
})

// genPacket draws a new connection that may well meet a rule of the policy.
func genPacket(p roles.Policy) *rapid.Generator[roles.Packet] {
	return rapid.Custom(func(t *rapid.T) roles.Packet {
		k := roles.Packet{
			Direction: rapid.SampledFrom([]roles.Direction{roles.Input, roles.Output}).Draw(t, "direction"),
			Proto:     rapid.SampledFrom([]string{"tcp", "udp", "sctp", "ping", "gre"}).Draw(t, "proto"),
		}
		addr := genAddr4
		if rapid.Bool().Draw(t, "v6") {
			addr = genAddr6
		}
		k.Src, k.Dst = edge(p, addr).Draw(t, "src"), edge(p, addr).Draw(t, "dst")
		if k.Proto != "ping" && k.Proto != "gre" {
			port := rapid.SampledFrom([]uint16{1, 2, 22, 53, 67, 68, 80, 82, 123, 443, 546, 547, 65535})
			k.SrcPort, k.DstPort = port.Draw(t, "sport"), port.Draw(t, "dport")
		}
		return k
	})
}

// edge draws an address at or beside the end of a range of the policy.
func edge(p roles.Policy, other *rapid.Generator[netip.Addr]) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		a := other.Draw(t, "other")
		var ends []netip.Addr
		for _, r := range slices.Concat(p.In, p.Out) {
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
