package verdict_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

const prelude = `version = 1
[management]
from = ["10.0.0.0/24", "2001:db8::/120"]
`

// engine is that of a host of a fleet without errors.
func engine(t testing.TB, text, host string) *verdict.Engine {
	t.Helper()
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	policies, more := roles.CompileAll(fleet)
	for _, p := range append(problems.Errors(), more.Errors()...) {
		t.Fatalf("%s: %s\nin:\n%s", p.Place, p.Msg, text)
	}
	for _, p := range policies {
		if p.Host == host {
			return verdict.New(p)
		}
	}
	t.Fatalf("no host %s", host)
	return nil
}

// packet reads "in tcp 203.0.113.9 192.0.2.1 80", with "sport=67" or "eth1" behind
// it for where it comes in, or ">eth1" for where it goes out.
func packet(t testing.TB, s string) verdict.Packet {
	t.Helper()
	f := strings.Fields(s)
	k := verdict.Packet{
		Direction: map[string]roles.Direction{"in": roles.Input, "out": roles.Output, "fwd": roles.Forward, "pub": roles.Published}[f[0]],
		Src:       netip.MustParseAddr(f[2]), Dst: netip.MustParseAddr(f[3]), SrcPort: 50000,
	}
	rest := f[4:]
	number := func() uint16 {
		n, err := strconv.ParseUint(rest[0], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[1:]
		return uint16(n)
	}
	switch proto := f[1]; proto {
	case "ping":
		k.Proto, k.Type = space.ICMP, 8
		if k.Src.Is6() {
			k.Proto, k.Type = space.ICMPv6, 128
		}
	case "icmp":
		k.Proto, k.Type = space.ICMP, uint8(number())
	case "icmpv6":
		k.Proto, k.Type = space.ICMPv6, uint8(number())
	case "gre":
		k.Proto = 47
	case "igmp":
		k.Proto = 2
	default:
		k.Proto, k.DstPort = space.ProtoNumber(proto), number()
	}
	for _, word := range rest {
		if port, ok := strings.CutPrefix(word, "sport="); ok {
			n, _ := strconv.Atoi(port)
			k.SrcPort = uint16(n)
		} else if name, ok := strings.CutPrefix(word, ">"); ok {
			k.Out = name
		} else {
			k.In = word
		}
	}
	return k
}

func TestPacket(t *testing.T) {
	const fleet = prelude + `
[sets.bad]
addresses = ["198.51.100.0/24"]
[sets.other]
addresses = ["192.0.2.11"]
[services.rs]
icmpv6 = ["router-advertisement"]
[services.tunnel]
proto = ["gre"]
[services.stamp]
icmp = ["timestamp-request"]
[hosts.h]
addresses = ["192.0.2.1", "2001:db8:1::1"]
sshd_ports = [22, 2222]
outbound = "reject"
dhcp_client = true
in = [
  { deny = "all", from = "set:bad", name = "bad" },
  { reject = "tcp/8000-8010", from = "set:bad", name = "told" },
  { allow = "tcp/80-90", name = "web" },
  { allow = "tcp/5432", from = "set:other", to = "192.0.2.1", name = "pg" },
  { allow = "tcp/9000", iface = "eth1", name = "inner" },
  { allow = "udp/9001", family = "ipv6", name = "six" },
  { allow = ["tunnel", "stamp"], from = "set:other", name = "odd" },
]
out = [
  { deny = "tcp/25", name = "mail" },
  { drop = "tcp/26", name = "silent" },
  { allow = "dns", name = "dns" },
  { allow = "tcp/1-100", name = "low" },
]
[hosts.open]
addresses = ["192.0.2.2"]
inbound = "reject"
accept_ra = false
antispoof = false
out = [ { deny = "tcp/25", name = "mail" } ]
[hosts.quiet]
ping = false
outbound = "drop"
igmp = true
sends_ra = true
[hosts.plain]
[hosts.raw]
in = [ { deny = "tcp/1", name = "bad" }, { allow = "tcp/2", name = "good" } ]
[[raw]]
hosts = ["raw"]
chain = "input"
at = "before-default"
nft = "tcp dport 3 accept"
[hosts.docker]
addresses = ["192.0.2.7", "2001:db8:1::7"]
in = [ { allow = "tcp/8080", name = "own" } ]
published = [
  { allow = "tcp/8080-8081", from = "set:other", name = "app" },
  { allow = "tcp/8082", iface = "eth1", name = "inner" },
  { deny = "tcp/8081", name = "old" },
]
[hosts.shut]
inbound = "reject"
published = []
[hosts.gw]
addresses = ["192.0.2.9", "2001:db8:1::9", "10.20.0.1"]
forward = [
  { allow = "http", in_iface = "lan", out_iface = "wan", name = "web" },
  { deny = "all", from = "set:bad", name = "bad" },
]
in = [ { allow = "tcp/3128", name = "proxy" } ]
nat = [
  { dnat = true, to_addr = "10.20.0.7:8443", dport = "https", iface = "wan" },
  { dnat = true, to_addr = "10.20.0.7", dport = "tcp/22" },
  { dnat = true, to_addr = "10.20.0.7", dport = "tcp/8080", to = "any" },
  { redirect = 3128, dport = "http", iface = "lan", family = "ipv4" },
]
`
	for _, tt := range []struct {
		name, host, packet string
		want               inventory.Verdict
		why                string // the rule, or the stage in brackets
	}{
		{"web", "h", "in tcp 203.0.113.9 192.0.2.1 80", inventory.Accept, "web"},
		{"end of a range, IPv6", "h", "in tcp 2001:db8:9::9 2001:db8:1::1 90", inventory.Accept, "web"},
		{"behind the range", "h", "in tcp 203.0.113.9 192.0.2.1 91", inventory.Drop, "[default]"},
		{"other protocol", "h", "in udp 203.0.113.9 192.0.2.1 80", inventory.Drop, "[default]"},
		{"deny beats allow", "h", "in tcp 198.51.100.7 192.0.2.1 80", inventory.Drop, "bad"},
		{"deny beats ping", "h", "in ping 198.51.100.7 192.0.2.1", inventory.Drop, "bad"},
		{"drop beats reject", "h", "in tcp 198.51.100.7 192.0.2.1 8001", inventory.Drop, "bad"},
		{"all means every protocol", "h", "in gre 198.51.100.7 192.0.2.1", inventory.Drop, "bad"},
		{"ping", "h", "in ping 203.0.113.9 192.0.2.1", inventory.Accept, "[ping]"},
		{"ping off", "quiet", "in ping 203.0.113.9 192.0.2.1", inventory.Drop, "[default]"},
		{"from and to", "h", "in tcp 192.0.2.11 192.0.2.1 5432", inventory.Accept, "pg"},
		{"from, not to", "h", "in tcp 192.0.2.11 192.0.2.22 5432", inventory.Drop, "[default]"},
		{"to, not from", "h", "in tcp 192.0.2.12 192.0.2.1 5432", inventory.Drop, "[default]"},
		{"a peer without the family", "h", "in tcp 2001:db8:1::11 2001:db8:1::1 5432", inventory.Drop, "[default]"},
		{"interface", "h", "in tcp 203.0.113.9 192.0.2.1 9000 eth1", inventory.Accept, "inner"},
		{"other interface", "h", "in tcp 203.0.113.9 192.0.2.1 9000 eth0", inventory.Drop, "[default]"},
		{"family", "h", "in udp 2001:db8:9::9 2001:db8:1::1 9001", inventory.Accept, "six"},
		{"other family", "h", "in udp 203.0.113.9 192.0.2.1 9001", inventory.Drop, "[default]"},
		{"a protocol by number", "h", "in gre 192.0.2.11 192.0.2.1", inventory.Accept, "odd"},
		{"a type of ICMP", "h", "in icmp 192.0.2.11 192.0.2.1 13", inventory.Accept, "odd"},
		{"the same type over IPv6 is another", "h", "in icmpv6 2001:db8:9::9 2001:db8:1::1 13", inventory.Drop, "[state]"},

		{"published", "docker", "pub tcp 192.0.2.11 192.0.2.7 8080", inventory.Accept, "app"},
		{"published, from elsewhere", "docker", "pub tcp 203.0.113.9 192.0.2.7 8080", inventory.Drop, "[default]"},
		{"published, over IPv6", "docker", "pub tcp 2001:db8:9::9 2001:db8:1::7 8080", inventory.Drop, "[default]"},
		{"published, denied", "docker", "pub tcp 192.0.2.11 192.0.2.7 8081", inventory.Drop, "old"},
		{"published, by the interface", "docker", "pub tcp 203.0.113.9 192.0.2.7 8082 eth1", inventory.Accept, "inner"},
		{"published, by another", "docker", "pub tcp 203.0.113.9 192.0.2.7 8082 eth0", inventory.Drop, "[default]"},
		{"not published", "docker", "in tcp 203.0.113.9 192.0.2.7 8080", inventory.Accept, "own"},
		{"published to management", "docker", "pub tcp 10.0.0.7 192.0.2.7 22", inventory.Drop, "[default]"},
		{"published, what passes through", "docker", "fwd tcp 172.17.0.2 203.0.113.9 443", inventory.Accept, "[open]"},
		{"nothing published is open", "shut", "pub tcp 203.0.113.9 192.0.2.8 8080", inventory.Reject, "[default]"},
		{"published, no word about it", "h", "pub tcp 203.0.113.9 192.0.2.1 8080", inventory.Accept, "[open]"},
		{"published, forward decides", "gw", "pub tcp 203.0.113.9 192.0.2.9 8080", verdict.Undecided, "[open]"},

		{"management", "h", "in tcp 10.0.0.7 192.0.2.1 22", inventory.Accept, "[management]"},
		{"management, second port", "h", "in tcp 2001:db8::7 2001:db8:1::1 2222", inventory.Accept, "[management]"},
		{"management is for SSH only", "h", "in tcp 10.0.0.7 192.0.2.1 23", inventory.Drop, "[default]"},
		{"management is tcp", "h", "in udp 10.0.0.7 192.0.2.1 22", inventory.Drop, "[default]"},
		{"loopback", "h", "in udp 192.0.2.1 192.0.2.1 7 lo", inventory.Accept, "[loopback]"},
		{"antispoof", "h", "in tcp 192.0.2.1 192.0.2.1 80", inventory.Drop, "[antispoof]"},
		{"antispoof, IPv6", "h", "in tcp 2001:db8:1::1 2001:db8:1::1 80", inventory.Drop, "[antispoof]"},
		{"its own question to a group comes back", "h", "in udp 192.0.2.1 224.0.0.251 5353", inventory.Drop, "[default]"},
		{"no antispoof", "open", "in tcp 192.0.2.2 192.0.2.2 80", inventory.Reject, "[default]"},
		{"error", "quiet", "in icmp 203.0.113.9 192.0.2.1 3", inventory.Accept, "[icmp]"},
		{"too big beats a deny", "h", "in icmp 198.51.100.7 192.0.2.1 3", inventory.Accept, "[icmp]"},
		{"neighbour", "quiet", "in icmpv6 fe80::1 fe80::2 135", inventory.Accept, "[icmp]"},
		{"router", "quiet", "in icmpv6 fe80::1 fe80::2 134", inventory.Accept, "[icmp]"},
		{"router from afar", "quiet", "in icmpv6 2001:db8:9::9 fe80::2 134", inventory.Drop, "[default]"},
		{"router refused", "open", "in icmpv6 fe80::1 fe80::2 134", inventory.Reject, "[default]"},
		{"listener report before there is an address", "quiet", "in icmpv6 :: ff02::16 143", inventory.Accept, "[icmp]"},
		{"redirect", "h", "in icmpv6 fe80::1 fe80::2 137", inventory.Drop, "[state]"},
		{"an answer nobody asked for", "h", "in icmp 203.0.113.9 192.0.2.1 0", inventory.Drop, "[state]"},
		{"ICMP over IPv6", "h", "in icmp 2001:db8:9::9 2001:db8:1::1 8", inventory.Drop, "[state]"},
		{"dhcp answer", "h", "in udp 192.0.2.254 255.255.255.255 68 sport=67", inventory.Accept, "[dhcp]"},
		{"dhcp answer, not asked for", "quiet", "in udp 192.0.2.254 255.255.255.255 68 sport=67", inventory.Drop, "[default]"},
		{"dhcpv6 answer", "h", "in udp fe80::1 fe80::2 546 sport=547", inventory.Accept, "[dhcp]"},
		{"dhcpv6 answer from afar", "h", "in udp 2001:db8:9::1 fe80::2 546 sport=547", inventory.Drop, "[default]"},
		{"igmp", "quiet", "in igmp 192.0.2.254 224.0.0.1", inventory.Accept, "[igmp]"},
		{"igmp not wanted", "h", "in igmp 192.0.2.254 224.0.0.1", inventory.Drop, "[default]"},
		{"reject", "open", "in tcp 203.0.113.9 192.0.2.2 80", inventory.Reject, "[default]"},
		{"a group is never answered", "open", "in udp 203.0.113.9 224.0.0.251 5353", inventory.Drop, "[default]"},

		{"answer of sshd", "h", "out tcp 192.0.2.1 10.0.0.7 50000 sport=22", inventory.Accept, "[management]"},
		{"answer of sshd to a stranger", "h", "out tcp 192.0.2.1 203.0.113.9 50000 sport=22", inventory.Reject, "[default]"},
		{"dns out", "h", "out udp 192.0.2.1 203.0.113.53 53", inventory.Accept, "dns"},
		{"ntp stays open", "h", "out udp 192.0.2.1 203.0.113.53 123", inventory.Accept, "[lifeline]"},
		{"closed out", "h", "out udp 192.0.2.1 203.0.113.53 124", inventory.Reject, "[default]"},
		{"deny out", "h", "out tcp 192.0.2.1 203.0.113.25 25", inventory.Reject, "mail"},
		{"drop out", "h", "out tcp 192.0.2.1 203.0.113.25 26", inventory.Drop, "silent"},
		{"deny out of an open host", "open", "out tcp 192.0.2.2 203.0.113.25 25", inventory.Reject, "mail"},
		{"open out", "open", "out udp 192.0.2.2 203.0.113.53 124", inventory.Accept, "[default]"},
		{"open out, invalid", "open", "out icmp 192.0.2.2 203.0.113.53 0", inventory.Accept, "[default]"},
		{"ping out", "h", "out ping 192.0.2.1 203.0.113.9", inventory.Accept, "[ping]"},
		{"no ping out", "quiet", "out ping 192.0.2.1 203.0.113.9", inventory.Drop, "[default]"},
		{"dhcp question", "h", "out udp 0.0.0.0 255.255.255.255 67 sport=68", inventory.Accept, "[dhcp]"},
		{"dhcpv6 question", "h", "out udp fe80::2 ff02::1:2 547 sport=546", inventory.Accept, "[dhcp]"},
		{"router advertisement out", "quiet", "out icmpv6 fe80::2 ff02::1 134", inventory.Accept, "[icmp]"},
		{"router advertisement out, not wanted", "h", "out icmpv6 fe80::2 fe80::3 134", inventory.Reject, "[default]"},
		{"loopback out", "h", "out tcp 192.0.2.1 192.0.2.1 7 >lo", inventory.Accept, "[loopback]"},

		{"raw decides what comes to it", "raw", "in tcp 203.0.113.9 192.0.2.1 3", verdict.Undecided, "[raw]"},
		{"not what was denied before", "raw", "in tcp 203.0.113.9 192.0.2.1 1", inventory.Drop, "bad"},
		{"nor what was allowed", "raw", "in tcp 203.0.113.9 192.0.2.1 2", inventory.Accept, "good"},

		{"no word about forwarding", "plain", "fwd tcp 203.0.113.9 192.0.2.1 80", inventory.Accept, "[open]"},
		{"forward", "gw", "fwd tcp 10.20.0.8 203.0.113.9 80 br0 >wan", inventory.Drop, "[default]"},
		{"forward allowed", "gw", "fwd tcp 2001:db8:8::8 2001:db8:9::9 80 lan >wan", inventory.Accept, "web"},
		{"forward refused", "gw", "fwd tcp 10.20.0.8 203.0.113.9 443 lan >wan", inventory.Drop, "[default]"},
		{"forward the other way", "gw", "fwd tcp 203.0.113.9 10.20.0.8 80 wan >lan", inventory.Drop, "[default]"},
		{"forward of ping", "gw", "fwd ping 2001:db8:9::9 2001:db8:8::8", inventory.Accept, "[ping]"},
		{"forward of ping, IPv4", "gw", "fwd ping 203.0.113.9 10.20.0.8", inventory.Drop, "[default]"},
		{"forward of errors", "gw", "fwd icmp 203.0.113.9 10.20.0.8 3", inventory.Accept, "[icmp]"},
		{"redirect", "gw", "fwd tcp 10.20.0.8 203.0.113.9 80 lan >wan", inventory.Accept, "proxy"},
		{"dnat", "gw", "in tcp 203.0.113.9 192.0.2.9 443 wan", inventory.Accept, "[dnat]"},
		{"dnat elsewhere", "gw", "in tcp 203.0.113.9 192.0.2.9 443 eth9", inventory.Drop, "[default]"},
		{"dnat denied", "gw", "in tcp 198.51.100.7 192.0.2.9 443 wan", inventory.Drop, "bad"},
		{"dnat is of one family", "gw", "in tcp 2001:db8:9::9 2001:db8:1::9 443 wan", inventory.Drop, "[default]"},
		{"dnat takes what goes to the host", "gw", "fwd tcp 203.0.113.9 203.0.113.8 443 wan", inventory.Drop, "[default]"},
		{"dnat of any takes what goes elsewhere", "gw", "fwd tcp 203.0.113.9 203.0.113.8 8080", inventory.Accept, "[dnat]"},
		{"management comes before dnat", "gw", "in tcp 10.0.0.7 192.0.2.9 22", inventory.Accept, "[management]"},
		{"others are sent on", "gw", "in tcp 203.0.113.9 192.0.2.9 22", inventory.Accept, "[dnat]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := engine(t, fleet, tt.host).Packet(packet(t, tt.packet))
			if len(list) != 1 {
				t.Fatalf("%d outcomes: %+v", len(list), list)
			}
			got := list[0]
			why := "[" + string(got.Stage) + "]"
			if got.Rule != nil {
				why = got.Rule.Name
			}
			if got.Verdict != tt.want || why != tt.why {
				t.Errorf("got %s by %s, want %s by %s", got.Verdict, why, tt.want, tt.why)
			}
			if (got.Rule != nil) != (got.Stage == verdict.Allow || got.Stage == verdict.Deny) || got.Why() == "" {
				t.Errorf("rule %v at stage %s, %q", got.Rule, got.Stage, got.Why())
			}
		})
	}
}

// What a packet without an interface meets depends on the interface.
func TestInterfaceNotTold(t *testing.T) {
	e := engine(t, prelude+"[hosts.h]\nin = [ { allow = \"tcp/80\", iface = \"eth1\" } ]\n", "h")
	list := e.Packet(packet(t, "in tcp 203.0.113.9 192.0.2.1 80"))
	if len(list) != 2 || list[0].Verdict != inventory.Accept || !list[0].Packets.In.Equal(space.NamesOf("eth1")) ||
		list[1].Verdict != inventory.Drop || !list[1].Packets.In.Equal(space.NamesOf("eth1", "lo").Not()) {
		t.Errorf("got %+v", list)
	}
}

// Hosts of a fleet whose rules name the same peers have their addresses once.
func TestListsAreShared(t *testing.T) {
	var list []inventory.AddrRange
	for i := range byte(9) {
		a := netip.AddrFrom4([4]byte{10, 0, i, 1})
		list = append(list, inventory.AddrRange{From: a, To: a})
	}
	both := []roles.Peer{{Kind: roles.SetPeer, Name: "a", V4: list[:5]}, {Kind: roles.SetPeer, Name: "b", V4: list[5:]}}
	rule := roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, From: both}
	lists := verdict.Lists{}
	web, db := lists.Engine(roles.Policy{In: []roles.Rule{rule}}, nil), lists.Engine(roles.Policy{In: []roles.Rule{rule}}, nil)
	one, other := web.Packets(rule)[0].Src, db.Packets(rule)[0].Src
	if len(one) != 9 || &one[0] != &other[0] {
		t.Errorf("%v and %v are two", one, other)
	}
	rule.From = both[:1]
	if part := db.Packets(rule)[0].Src; len(part) != 5 {
		t.Errorf("of the first alone: %v", part)
	}
}
