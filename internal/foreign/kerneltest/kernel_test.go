package kerneltest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/foreign"
	"fwpush/internal/lab"
	"fwpush/internal/wire"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(*lab.World) error { return nil }))
}

// own are the addresses of the host under test.
const own4, own6 = "192.0.2.1", "2001:db8::1"

// packetsEach are the packets that each ruleset is asked about.
const packetsEach = 40

// TestTheKernelAgrees: what is said for sure of a packet is what the kernel does with it.
func TestTheKernelAgrees(t *testing.T) {
	rig, err := wire.New(t.Context(), wire.Options{Interfaces: []string{"eth0", "eth1"},
		Own: []netip.Prefix{netip.MustParsePrefix(own4 + "/32"), netip.MustParsePrefix(own6 + "/128")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	sure, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		defer func() {
			if err := rig.Reset(context.Background()); err != nil {
				t.Fatal(err)
			}
		}()
		text, rs := drawLoaded(t, rig)
		packets := rapid.SliceOfN(rapid.Custom(drawPacket), packetsEach, packetsEach).Draw(t, "packets")
		fates, err := rig.Fates(context.Background(), packets)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range packets {
			said := walked(rs, p)
			all++
			if said.Does != foreign.Unsure {
				sure++
			}
			if said.Does == foreign.Refuses && fates[i] == wire.Accepted || said.Does == foreign.Passes && fates[i] != wire.Accepted {
				t.Errorf("%v\nthe kernel: %v; said: %d by %v\n%s", p, fates[i], said.Does, said.By, text)
				return
			}
		}
	})
	if sure*2 < all {
		t.Errorf("only %d of %d answers were sure", sure, all)
	}
}

// hooks are what a packet meets.
var hooks = map[wire.Direction][]string{
	wire.Input:   {"prerouting", "input"},
	wire.Forward: {"prerouting", "forward", "postrouting"},
	wire.Output:  {"output", "postrouting"},
}

// walked is the fate on all hooks of a packet's way.
func walked(rs foreign.Ruleset, p wire.Packet) (fate foreign.Fate) {
	asked := foreign.Packets{IPv6: p.Src.Is6(), Src: foreign.One(p.Src), Dst: foreign.One(p.Dst), Proto: uint32(p.Proto), State: "new",
		In: p.In, Out: p.Out, Local: p.Direction == wire.Input,
		SrcPort: foreign.Range{Lo: uint32(p.SrcPort), Hi: uint32(p.SrcPort)}, DstPort: foreign.Range{Lo: uint32(p.DstPort), Hi: uint32(p.DstPort)}}
	if p.Proto == wire.ICMP || p.Proto == wire.ICMPv6 {
		typ := uint32(p.Type)
		asked.ICMPType = &typ
	}
	for _, hook := range hooks[p.Direction] {
		switch f := rs.Walk(hook, asked); {
		case f.Does == foreign.Refuses:
			return f
		case f.Does != foreign.Passes:
			fate = foreign.Fate{Does: foreign.Unsure, By: f.By}
		}
	}
	return fate
}

func drawPacket(t *rapid.T) wire.Packet {
	pick := func(list ...string) netip.Addr {
		return netip.MustParseAddr(rapid.SampledFrom(list).Draw(t, "address"))
	}
	p := wire.Packet{Src: pick("10.0.0.5", "10.1.2.3", "198.51.100.7", "203.0.113.9"), Dst: pick("172.16.0.9", "172.16.1.1")}
	own, icmp := own4, wire.Packet{Proto: wire.ICMP, Type: 8}
	if rapid.Bool().Draw(t, "v6") {
		p.Src, p.Dst = pick("fd00::5", "fd00:1::9", "2001:db8:7::7", "2001:db8:9::9"), pick("fd99::9", "2001:db8:99::1")
		own, icmp = own6, wire.Packet{Proto: wire.ICMPv6, Type: 128}
	}
	iface := rapid.SampledFrom([]string{"eth0", "eth1"})
	switch p.Direction = rapid.SampledFrom([]wire.Direction{wire.Input, wire.Input, wire.Forward, wire.Output}).Draw(t, "direction"); p.Direction {
	case wire.Input:
		p.In, p.Dst = iface.Draw(t, "in"), netip.MustParseAddr(own)
	case wire.Forward:
		p.In, p.Out = iface.Draw(t, "in"), iface.Draw(t, "out")
	case wire.Output:
		p.Out, p.Src = iface.Draw(t, "out"), netip.MustParseAddr(own)
	}
	switch p.Proto = rapid.SampledFrom([]uint8{wire.TCP, wire.TCP, wire.UDP, icmp.Proto, wire.GRE}).Draw(t, "proto"); p.Proto {
	case wire.TCP, wire.UDP:
		p.SrcPort = rapid.SampledFrom([]uint16{40000, 100}).Draw(t, "sport")
		p.DstPort = rapid.SampledFrom([]uint16{22, 53, 80, 85, 8050}).Draw(t, "dport")
	case icmp.Proto:
		p.Type = icmp.Type
	}
	return p
}

// drawLoaded loads rules of one program, or of two, and reads them as the host tells them.
func drawLoaded(t *rapid.T, rig *wire.Rig) (text string, rs foreign.Ruleset) {
	run := func(script string, program ...string) string {
		out, err := rig.Run(context.Background(), []byte(script), program...)
		if err != nil {
			t.Fatalf("%v\n%s", err, script)
		}
		text += string(out)
		return string(out)
	}
	var nft foreign.Ruleset
	var saves []foreign.Ruleset
	kind := rapid.SampledFrom([]string{"nft", "nft", "nft", "iptables", "iptables-legacy", "both"}).Draw(t, "kind")
	if kind != "iptables" && kind != "iptables-legacy" {
		loadNft(t, rig, drawNft(t))
		run("", "nft", "list", "ruleset")
		out, err := rig.Run(context.Background(), nil, "nft", "-j", "list", "ruleset")
		if err == nil {
			nft, err = foreign.ParseNft(string(out))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if kind != "nft" {
		variant := strings.TrimPrefix(strings.Replace(kind, "both", "", 1), "iptables")
		run("create bans4 hash:net family inet\nadd bans4 10.1.0.0/16\ncreate bans6 hash:net family inet6\nadd bans6 fd00:1::/32\n", "ipset", "restore")
		for i, tool := range []string{"iptables" + variant, "ip6tables" + variant} {
			run(drawSave(t, i == 1), tool+"-restore")
			save, err := foreign.ParseSave(run("", tool+"-save"), []foreign.Family{foreign.IPv4, foreign.IPv6}[i], variant != "")
			if err != nil {
				t.Fatal(err)
			}
			saves = append(saves, save)
		}
	}
	return text, foreign.Join(nft, saves...)
}

// refused is where nft says that it does not take a rule, since two of its words contradict each other.
var refused = regexp.MustCompile(`(?m)^/dev/stdin:(\d+):`)

// loadNft loads a script without the lines that nft refuses.
func loadNft(t *rapid.T, rig *wire.Rig, script string) {
	lines := strings.Split(script, "\n")
	for range len(lines) {
		out, err := rig.Run(context.Background(), []byte(strings.Join(lines, "\n")), "nft", "-f", "-")
		if err == nil {
			return
		}
		places := refused.FindAllStringSubmatch(string(out), -1)
		if places == nil {
			t.Fatalf("%v\n%s", err, script)
		}
		for _, m := range places {
			n, err := strconv.Atoi(m[1])
			if err != nil || strings.Contains(lines[n-1], "{ type") {
				t.Fatalf("%v\n%s", out, script)
			}
			lines[n-1] = ""
		}
	}
	t.Fatalf("nft takes no part of\n%s", script)
}

// drawWords draws one of each list, and joins what is not empty.
func drawWords(t *rapid.T, lists ...[]string) string {
	var words []string
	for _, list := range lists {
		if w := rapid.SampledFrom(list).Draw(t, "words"); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// mostly is a list of which half the draws are nothing.
func mostly(words ...string) []string { return append(make([]string, len(words)), words...) }

// drawSave is a script with every table, and chains that are jumped to.
func drawSave(t *rapid.T, v6 bool) string {
	srcs := mostly("-s 10.0.0.0/8", "! -s 10.1.0.0/16", "-s 198.51.100.7", "-m set --match-set bans4 src", "-m set ! --match-set bans4 src",
		"-m iprange --src-range 10.0.0.0-10.0.0.9", "-m iprange ! --src-range 10.0.0.0-10.0.0.9", "-d 192.0.2.1", "-s 10.0.0.5/255.0.0.255")
	icmp := "-p icmp -m icmp --icmp-type "
	types := []string{"8", "8/0", "3/1", "any", "0"}
	if v6 {
		srcs = mostly("-s fd00::/8", "! -s fd00:1::/32", "-s 2001:db8:7::7", "-m set --match-set bans6 src", "-m set ! --match-set bans6 src",
			"-m iprange --src-range fd00::-fd00::9", "-d 2001:db8::1")
		icmp, types = "-p ipv6-icmp -m icmp6 --icmpv6-type ", []string{"128", "128/0", "1/4", "129"}
	}
	protos := mostly("-p tcp", "! -p tcp", "-p udp", "-p gre", "-p 89", "-p tcp -m tcp --dport 22", "-p tcp -m tcp ! --dport 22", "-p tcp -m tcp --dport 80:90",
		"-p tcp -m multiport --dports 22,80:90", "-p tcp -m multiport ! --dports 22,80", "-p udp -m multiport --ports 53,40000", "-p tcp -m tcp --sport 1024:65535",
		"-p tcp -m tcp --syn", "-p tcp -m tcp ! --syn", "-p tcp -m tcp --tcp-flags SYN,ACK ACK", icmp+rapid.SampledFrom(types).Draw(t, "type"))
	others := mostly("-m conntrack --ctstate NEW", "-m conntrack ! --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate INVALID,UNTRACKED",
		"-m conntrack --ctstate DNAT", "-m conntrack ! --ctstate DNAT", "-m conntrack --ctstate NEW,SNAT", "-m conntrack --ctstatus NONE", "-m conntrack --ctstatus CONFIRMED", "-m conntrack ! --ctstatus SEEN_REPLY",
		"-m state --state NEW", "-m mark --mark 0x7", "-m mark ! --mark 0x7", "-m mark --mark 0x1/0x1", "-m length --length 1:20000", "-m length --length 1", "-m limit --limit 1/hour --limit-burst 1",
		"-m addrtype --dst-type LOCAL", "-m addrtype ! --dst-type LOCAL", "-m addrtype --src-type LOCAL", "-m pkttype --pkt-type unicast", "-m comment --comment \"x -j DROP\"",
		"-m recent --name r --set", "-m connlimit --connlimit-above 3", "-m conntrack --ctorigdstport 22", "-m conntrack --ctproto 6", "-m ttl --ttl-eq 64")
	if v6 {
		others[len(others)-1] = "-m hl --hl-eq 64"
	}
	rules := func(b *strings.Builder, chain string, ifaces []string, most int, targets ...string) {
		for range rapid.IntRange(0, most).Draw(t, "rules") {
			fmt.Fprintf(b, "-A %s %s\n", chain, drawWords(t, srcs, ifaces, protos, others, targets))
		}
	}
	in, out := mostly("-i eth0", "! -i eth1", "-i eth+", "-i et+", "! -i lo"), mostly("-o eth0", "! -o eth1", "-o eth+")
	ends := []string{"-j ACCEPT", "-j ACCEPT", "-j DROP", "-j REJECT", "-j one", "-j two", "-g one", "", "-j RETURN", "-j LOG --log-prefix \"-j DROP \"", "-j NFLOG"}
	var b strings.Builder
	for _, table := range []string{"raw", "mangle", "filter"} {
		fmt.Fprintf(&b, "*%s\n", table)
		policy := func(chain string) {
			p := "ACCEPT"
			if table == "filter" {
				p = rapid.SampledFrom([]string{"ACCEPT", "DROP"}).Draw(t, "policy")
			}
			fmt.Fprintf(&b, ":%s %s [0:0]\n", chain, p)
		}
		switch table {
		case "raw":
			policy("PREROUTING")
			policy("OUTPUT")
			rules(&b, "PREROUTING", in, 1, "-j CT --notrack", "-j DROP", "-j ACCEPT", "-j TRACE")
			rules(&b, "OUTPUT", out, 1, "-j CT --notrack", "-j DROP", "-j ACCEPT")
		case "mangle":
			policy("PREROUTING")
			policy("POSTROUTING")
			rules(&b, "PREROUTING", in, 1, "-j MARK --set-xmark 0x7/0xffffffff", "-j DROP", "-j RETURN", "-j CONNMARK --save-mark")
			rules(&b, "POSTROUTING", out, 1, "-j DROP", "-j ACCEPT")
		default:
			policy("INPUT")
			policy("FORWARD")
			policy("OUTPUT")
			b.WriteString(":one - [0:0]\n:two - [0:0]\n")
			rules(&b, "INPUT", in, 6, ends...)
			rules(&b, "FORWARD", append(in, out...), 4, ends...)
			rules(&b, "OUTPUT", out, 4, ends...)
			rules(&b, "one", mostly(""), 3, ends[:3]...)
			rules(&b, "two", mostly(""), 3, "-j ACCEPT", "-j DROP", "-j RETURN", "-j one", "-g one")
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}
