package kerneltest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/cmd/fwpush/internal/proposal"
	"fwpush/internal/foreign"
	"fwpush/internal/lab"
	"fwpush/internal/wire"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(*lab.World) error { return nil }))
}

// own are the addresses of the host under test.
const own4, own6 = "192.0.2.1", "2001:db8::1"

// drawRules is a script of the kind that people write: chains, jumps, accepts before and
// behind refusals that cut each other, limits, and now and then a condition that no fleet
// file has.
func drawRules(t *rapid.T, v6 bool) string {
	srcs := []string{"", "", "", "-s 10.0.0.0/8", "-s 10.1.0.0/16", "! -s 10.1.2.0/24", "-s 198.51.100.7", "-d 192.0.2.1"}
	icmp := []string{"-p icmp", "-p icmp -m icmp --icmp-type 8"}
	if v6 {
		srcs = []string{"", "", "", "-s fd00::/8", "-s fd00:1::/32", "! -s fd00:1:2::/48", "-s 2001:db8:7::7", "-d 2001:db8::1"}
		icmp = []string{"-p ipv6-icmp", "-p ipv6-icmp -m icmp6 --icmpv6-type 128"}
	}
	protos := append(icmp, "", "-p tcp", "-p udp", "-p tcp -m tcp --dport 22", "-p tcp -m tcp --dport 80:90", "-p tcp -m multiport --dports 80,443,8000:8100",
		"-p udp -m udp --dport 53", "-p tcp -m tcp ! --dport 80", "-p gre", "-p tcp -m tcp --sport 1024:65535 --dport 25")
	ifaces := []string{"", "", "", "", "-i eth0", "-i eth1", "! -i eth1"}
	others := []string{"", "", "", "", "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m conntrack --ctstate INVALID",
		"-m length --length 1:20000", "-m mark --mark 0x7"}
	targets := []string{"ACCEPT", "ACCEPT", "ACCEPT", "DROP", "REJECT", "one", "two"}
	rule := func(chain string, targets []string) string {
		words := []string{"-A", chain}
		for _, list := range [][]string{srcs, ifaces, protos, others} {
			if w := rapid.SampledFrom(list).Draw(t, "words"); w != "" {
				words = append(words, w)
			}
		}
		return strings.Join(append(words, "-j", rapid.SampledFrom(targets).Draw(t, "target")), " ") + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*filter\n:INPUT %s [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:one - [0:0]\n:two - [0:0]\n", rapid.SampledFrom([]string{"DROP", "DROP", "ACCEPT"}).Draw(t, "policy"))
	for range rapid.IntRange(1, 8).Draw(t, "rules") {
		b.WriteString(rule("INPUT", targets))
	}
	for range rapid.IntRange(0, 3).Draw(t, "one") {
		b.WriteString(rule("one", append([]string{"RETURN"}, targets[:5]...)))
	}
	for range rapid.IntRange(0, 3).Draw(t, "two") {
		b.WriteString(rule("two", []string{"ACCEPT", "DROP", "RETURN", "one"}))
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func drawPacket(t *rapid.T) wire.Packet {
	v6 := rapid.Bool().Draw(t, "v6")
	srcs, dst, icmp, typ := []string{"10.0.0.5", "10.1.9.9", "10.1.2.3", "198.51.100.7", "203.0.113.9"}, own4, uint8(wire.ICMP), uint8(8)
	if v6 {
		srcs, dst, icmp, typ = []string{"fd00::5", "fd00:1::9", "fd00:1:2::3", "2001:db8:7::7", "2001:db8:9::9"}, own6, wire.ICMPv6, 128
	}
	p := wire.Packet{Direction: wire.Input, In: rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "in"),
		Src: netip.MustParseAddr(rapid.SampledFrom(srcs).Draw(t, "src")), Dst: netip.MustParseAddr(dst)}
	switch p.Proto = rapid.SampledFrom([]uint8{wire.TCP, wire.TCP, wire.TCP, wire.UDP, icmp, wire.GRE}).Draw(t, "proto"); p.Proto {
	case wire.TCP, wire.UDP:
		p.SrcPort = rapid.SampledFrom([]uint16{40000, 40000, 100}).Draw(t, "sport")
		p.DstPort = rapid.SampledFrom([]uint16{22, 25, 53, 80, 85, 443, 8050, 9}).Draw(t, "dport")
	case icmp:
		p.Type = typ
	}
	return p
}

// words are lines.
func words[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}

// Whatever stands in a script, the kernel with its rules and the role that is proposed for
// them let in the same, but for what the proposal says itself that it opens or closes. It
// opens nothing unless a rule that refuses was not understood.
func TestTheKernelAgrees(t *testing.T) {
	rig, err := wire.New(t.Context(), wire.Options{Interfaces: []string{"eth0", "eth1"}, Own: []netip.Prefix{netip.MustParsePrefix(own4 + "/32"), netip.MustParsePrefix(own6 + "/128")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	rapid.Check(t, func(t *rapid.T) { agrees(context.Background(), t, rig) })
}

func agrees(ctx context.Context, t *rapid.T, rig *wire.Rig) {
	defer func() {
		if err := rig.Reset(ctx); err != nil {
			t.Fatal(err)
		}
	}()
	variant := rapid.SampledFrom([]string{"", "-legacy"}).Draw(t, "variant")
	var saves []foreign.Ruleset
	var texts []string
	for i, tool := range []string{"iptables" + variant, "ip6tables" + variant} {
		script := drawRules(t, i == 1)
		if err := rig.Load(ctx, []byte(script), tool+"-restore"); err != nil {
			t.Fatalf("%v\n%s", err, script)
		}
		text, err := rig.Run(ctx, nil, tool+"-save")
		if err != nil {
			t.Fatal(err)
		}
		save, err := foreign.ParseSave(string(text), []foreign.Family{foreign.IPv4, foreign.IPv6}[i], false)
		if err != nil {
			t.Fatal(err)
		}
		saves, texts = append(saves, save), append(texts, string(text))
	}
	p, err := proposal.Make("web", proposal.Rules{Files: map[foreign.Family]string{foreign.IPv4: "v4", foreign.IPv6: "v6"}, Lines: true, Rules: foreign.Join(foreign.Ruleset{}, saves...), V6: true})
	if err != nil {
		t.Fatalf("%v of\n%s\n%s", err, strings.Join(texts, ""), p.Text)
	}
	policy, err := p.Policy()
	if err != nil {
		t.Fatal(err)
	}
	unsure := strings.Contains(strings.Join(words(p.Lost), "\n"), "what it refuses may be let in") || strings.Contains(strings.Join(words(p.Lost), "\n"), "left out with all behind it")
	if len(p.Opens) > 0 {
		t.Fatalf("opens %q of\n%s\n%s", words(p.Opens), strings.Join(texts, ""), p.Text)
	}
	if len(p.Closes) > 0 && len(p.Lost) == 0 {
		t.Fatalf("closes %q, and names no rule, of\n%s\n%s", words(p.Closes), strings.Join(texts, ""), p.Text)
	}
	var packets []wire.Packet
	for range 40 {
		if k := drawPacket(t); k.Check() == nil {
			packets = append(packets, k)
		}
	}
	fates, err := rig.Fates(ctx, packets)
	if err != nil {
		t.Fatal(err)
	}
	engine := verdict.New(policy)
	for i, k := range packets {
		box := verdict.Packet{Direction: roles.Input, Proto: k.Proto, Src: k.Src, Dst: k.Dst, SrcPort: k.SrcPort, DstPort: k.DstPort, Type: k.Type, In: k.In}
		lets := engine.Packet(box)[0].Verdict == inventory.Accept
		did := fates[i] == wire.Accepted
		closes := false
		for _, f := range p.Closes {
			closes = closes || f.Direction == roles.Input && space.Region{box.Box()}.Meets(space.Region{f.Packets})
		}
		open6 := k.Src.Is6() && strings.Contains(strings.Join(p.Notes, "\n"), "IPv6 is open")
		switch {
		case lets == did, lets && unsure, !lets && (closes || open6 || len(p.Lost) > 0):
		default:
			t.Fatalf("%s: the rules have %s, the role lets it in: %t\n%s\n%s\n%q\n%q", k, fates[i], lets, strings.Join(texts, ""), p.Text, words(p.Lost), words(p.Closes))
		}
	}
}
