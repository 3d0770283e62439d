package wire_test

import (
	"net/netip"
	"strings"
	"testing"

	"fwpush/internal/wire"
)

// TestPacketsThatDoNotExist has a row for each reason. Every packet starts as one that does.
func TestPacketsThatDoNotExist(t *testing.T) {
	addr := netip.MustParseAddr
	in4, in6 := syn4, syn6
	out4, out6 := syn4, syn6
	through4, through6 := syn4, syn6
	for _, p := range []*wire.Packet{&out4, &out6} {
		p.Direction, p.In, p.Out, p.Src, p.Dst = wire.Output, "", "eth0", p.Dst, p.Src
	}
	for p, to := range map[*wire.Packet]string{&through4: "198.51.100.7", &through6: "2001:db8:ffff::7"} {
		p.Direction, p.Out, p.Dst = wire.Forward, "wan0", addr(to)
	}
	expect(t, newRig(t, wire.Options{}), []wire.Packet{in4, in6, out4, out6, through4, through6},
		[]wire.Fate{wire.Accepted, wire.Accepted, wire.Accepted, wire.Accepted, wire.Accepted, wire.Accepted})
	for _, c := range []struct {
		from wire.Packet
		turn func(*wire.Packet)
		why  string
	}{
		{in4, func(p *wire.Packet) { p.Direction = 3 }, "no such direction"},
		{in4, func(p *wire.Packet) { p.In = "" }, "input has In alone"},
		{in4, func(p *wire.Packet) { p.Out = "eth0" }, "input has In alone"},
		{out4, func(p *wire.Packet) { p.Out = "" }, "output Out alone"},
		{out4, func(p *wire.Packet) { p.In = "eth0" }, "output Out alone"},
		{through4, func(p *wire.Packet) { p.In = "" }, "forward both"},
		{through4, func(p *wire.Packet) { p.Out = "" }, "forward both"},
		{through4, func(p *wire.Packet) { p.In = "lo" }, "nothing is forwarded from or to lo"},
		{through4, func(p *wire.Packet) { p.Out = "lo" }, "nothing is forwarded from or to lo"},
		{in4, func(p *wire.Packet) { p.Src = netip.Addr{} }, "two addresses"},
		{in4, func(p *wire.Packet) { p.Dst = netip.Addr{} }, "two addresses"},
		{in6, func(p *wire.Packet) { p.Src = addr("fe80::2%eth0") }, "without a zone"},
		{in6, func(p *wire.Packet) { p.Dst = addr("fe80::1%eth0") }, "without a zone"},
		{in4, func(p *wire.Packet) { p.Dst = own6 }, "both addresses must be"},
		{in6, func(p *wire.Packet) { p.Src = addr("::ffff:192.0.2.1") }, "disguise"},
		{in6, func(p *wire.Packet) { p.Dst = addr("::ffff:192.0.2.1") }, "disguise"},
		{in4, func(p *wire.Packet) { p.Src = addr("224.0.0.1") }, "nothing comes from a group"},
		{in6, func(p *wire.Packet) { p.Src = addr("ff02::1") }, "nothing comes from a group"},
		{in4, func(p *wire.Packet) { p.Src = addr("255.255.255.255") }, "nothing comes from a group"},
		{in4, func(p *wire.Packet) { p.Proto = wire.GRE }, "only TCP, UDP and SCTP have ports"},
		{in4, func(p *wire.Packet) { p.Type = 8 }, "have a type and a code"},
		{in4, func(p *wire.Packet) { p.Code = 1 }, "have a type and a code"},
		{in4, func(p *wire.Packet) { *p = icmp(*p, wire.ICMPv6, 128) }, "have a type and a code"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, wire.ICMP, 8) }, "have a type and a code"},
		{through4, func(p *wire.Packet) { p.HopLimit = 1 }, "a router ends it"},
		{through4, func(p *wire.Packet) { p.Dst = addr("224.0.0.1") }, "does not route to groups"},
		{through4, func(p *wire.Packet) { p.Dst = addr("255.255.255.255") }, "does not route to groups"},
		{through6, func(p *wire.Packet) { p.Dst = addr("ff0e::1") }, "does not route to groups"},
		{in4, func(p *wire.Packet) { *p = icmp(*p, 0, 0) }, "protocol 0 has no raw socket"},
		{out4, func(p *wire.Packet) { p.Dst = addr("0.1.2.3") }, "nothing goes to 0.0.0.0/8"},
		{in4, func(p *wire.Packet) { p.Src = addr("0.0.0.0") }, "from 0.0.0.0/8"},
		{in4, func(p *wire.Packet) { p.Src, p.Dst = addr("0.0.0.1"), addr("255.255.255.255") }, "from 0.0.0.0/8"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, 0, 0) }, "0 is no protocol of IPv6"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, 43, 0) }, "43 is no protocol of IPv6"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, 44, 0) }, "44 is no protocol of IPv6"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, wire.AH, 0) }, "51 is no protocol of IPv6"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, 59, 0) }, "59 is no protocol of IPv6"},
		{in6, func(p *wire.Packet) { *p = icmp(*p, 60, 0) }, "60 is no protocol of IPv6"},
		{out6, func(p *wire.Packet) { p.Dst = addr("::") }, "nothing goes to ::"},
		{in6, func(p *wire.Packet) { p.Src = addr("::1") }, "::1 is on lo alone"},
		{in6, func(p *wire.Packet) { p.Dst = addr("::1") }, "::1 is on lo alone"},
		{out6, func(p *wire.Packet) { p.Src = addr("::1") }, "::1 is on lo alone"},
		{through6, func(p *wire.Packet) { p.Src = addr("::") }, "no router forwards it"},
		{through6, func(p *wire.Packet) { p.Src = addr("fe80::2") }, "no router forwards it"},
		{through6, func(p *wire.Packet) { p.Dst = addr("fe80::2") }, "no router forwards it"},
	} {
		p := c.from
		c.turn(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: %v; want %q", p, err, c.why)
		}
	}
}

// icmp makes a packet without ports.
func icmp(p wire.Packet, proto, kind uint8) wire.Packet {
	p.Proto, p.Type, p.SrcPort, p.DstPort = proto, kind, 0, 0
	return p
}

// TestPacketsThatDoNotFit are refused by the host they are sent at.
func TestPacketsThatDoNotFit(t *testing.T) {
	r := newRig(t, wire.Options{})
	foreign, through, out, loop, nowhere := syn4, syn4, syn4, syn4, syn4
	foreign.Dst = netip.MustParseAddr("198.51.100.7")
	through.Direction, through.Out = wire.Forward, "wan0"
	out.Direction, out.In, out.Out = wire.Output, "", "eth0"
	loop.Direction, loop.In, loop.Out, loop.Dst = wire.Output, "", "lo", netip.MustParseAddr("192.0.2.1")
	nowhere.In = "eth7"
	for _, c := range []struct {
		p   wire.Packet
		why string
	}{
		{foreign, "198.51.100.7 is not an address of the host"},
		{through, "reaches its own addresses by lo"},
		{out, "reaches its own addresses by lo"},
		{loop, "reaches its own addresses by lo"},
		{nowhere, "there is no interface eth7"},
	} {
		if _, err := r.Fates(t.Context(), []wire.Packet{c.p}); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: %v; want %q", c.p, err, c.why)
		}
	}
}

// TestOptionsThatMakeNoRig has a row for each reason.
func TestOptionsThatMakeNoRig(t *testing.T) {
	eth := []string{"eth0"}
	for _, c := range []struct {
		o   wire.Options
		why string
	}{
		{wire.Options{}, "0 interfaces"},
		{wire.Options{Interfaces: []string{"a", "b", "c", "d", "e", "f", "g", "h"}}, "8 interfaces"},
		{wire.Options{Interfaces: []string{""}}, "no name that Linux takes"},
		{wire.Options{Interfaces: []string{"sixteen-letters-"}}, "no name that Linux takes"},
		{wire.Options{Interfaces: []string{"a/b"}}, "no name that Linux takes"},
		{wire.Options{Interfaces: []string{"a\nb"}}, "no name that Linux takes"},
		{wire.Options{Interfaces: []string{".."}}, "no name that Linux takes"},
		{wire.Options{Interfaces: []string{"lo"}}, "is there already"},
		{wire.Options{Interfaces: []string{"eth0", "eth0"}}, "is there already"},
		{wire.Options{Interfaces: eth, Own: []netip.Prefix{{}}}, "not a prefix"},
		{wire.Options{Interfaces: eth, Own: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}, "bits are set behind its length"},
	} {
		if r, err := wire.New(t.Context(), c.o); err == nil || r != nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: %v; want %q", c.o.Interfaces, err, c.why)
		}
	}
}
