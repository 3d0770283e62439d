package proposal

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// drawSave is rules for all three hooks, of limits too, and of hooks that a role has no
// rules for.
func drawSave(t *rapid.T, v6 bool) string {
	srcs := []string{"", "", "", "-s 10.0.0.0/8", "-s 10.1.0.0/16", "! -s 10.1.2.0/24", "-d 192.0.2.1/32"}
	if v6 {
		srcs = []string{"", "", "", "-s fd00::/8", "-s fd00:1::/32", "! -s fd00:1:2::/48", "-d 2001:db8::1/128"}
	}
	protos := []string{"", "-p tcp", "-p udp", "-p tcp -m tcp --dport 22", "-p tcp -m tcp --dport 80:90", "-p udp -m udp --dport 53", "-p tcp -m tcp ! --dport 80"}
	ifaces := map[string][]string{"INPUT": {"", "", "-i eth0", "! -i eth1"}, "OUTPUT": {"", "", "-o eth0", "! -o eth1"}, "FORWARD": {"", "-i eth0", "-o eth1", "-i eth1 -o eth0"}, "one": {""}}
	limits := []string{"", "", "", "", "", "-m limit --limit 3/min", "-m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-name h",
		"-m connlimit --connlimit-above 5 --connlimit-mask 32 --connlimit-saddr", "-m recent --set --name r", "-m recent --rcheck --seconds 60 --hitcount 4 --name r"}
	var b strings.Builder
	b.WriteString("*raw\n:PREROUTING ACCEPT [0:0]\n")
	if rapid.IntRange(0, 9).Draw(t, "raw") == 0 {
		b.WriteString("-A PREROUTING -p udp -m udp --dport 53 -j DROP\n")
	}
	b.WriteString("COMMIT\n")
	for _, table := range []string{"mangle", "filter"} {
		drawTable(t, &b, table, srcs, protos, limits, ifaces)
	}
	return b.String()
}

// drawTable is one table, of which the first seldom refuses anything.
func drawTable(t *rapid.T, b *strings.Builder, table string, srcs, protos, limits []string, ifaces map[string][]string) {
	policies, rules := []string{"DROP", "ACCEPT"}, 5
	if table == "mangle" {
		policies, rules = []string{"ACCEPT"}, rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "mangle")
	}
	fmt.Fprintf(b, "*%s\n", table)
	for _, c := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		fmt.Fprintf(b, ":%s %s [0:0]\n", c, rapid.SampledFrom(policies).Draw(t, c))
	}
	b.WriteString(":one - [0:0]\n")
	for _, c := range []string{"INPUT", "FORWARD", "OUTPUT", "one"} {
		for range rapid.IntRange(0, rules).Draw(t, c) {
			words := []string{"-A", c}
			for _, list := range [][]string{srcs, ifaces[c], protos, limits} {
				if w := rapid.SampledFrom(list).Draw(t, "words"); w != "" {
					words = append(words, w)
				}
			}
			targets := []string{"ACCEPT", "ACCEPT", "DROP", "one"}
			switch {
			case strings.Contains(strings.Join(words, " "), "--set"):
				targets = []string{"DROP"} // which no packet gets past, though the module is opaque to package foreign
			case c == "one":
				targets[3] = "RETURN"
			}
			b.WriteString(strings.Join(append(words, "-j", rapid.SampledFrom(targets).Draw(t, "target")), " ") + "\n")
		}
	}
	b.WriteString("COMMIT\n")
}

// drawDoor is the first packet of something.
func drawDoor(t *rapid.T) verdict.Packet {
	d := rapid.SampledFrom([]roles.Direction{roles.Input, roles.Output, roles.Forward}).Draw(t, "direction")
	srcs, dsts := []string{"10.0.0.5", "10.1.9.9", "10.1.2.3", "203.0.113.9"}, []string{"192.0.2.1", "198.51.100.7"}
	if rapid.Bool().Draw(t, "v6") {
		srcs, dsts = []string{"fd00::5", "fd00:1::9", "fd00:1:2::3", "2001:db8:9::9"}, []string{"2001:db8::1", "2001:db8:8::8"}
	}
	p := verdict.Packet{Direction: d, Proto: rapid.SampledFrom([]uint8{space.TCP, space.TCP, space.UDP}).Draw(t, "proto"),
		Src: netip.MustParseAddr(rapid.SampledFrom(srcs).Draw(t, "src")), Dst: netip.MustParseAddr(rapid.SampledFrom(dsts).Draw(t, "dst")),
		SrcPort: 40000, DstPort: rapid.SampledFrom([]uint16{22, 25, 80, 85, 9}).Draw(t, "port")}
	if d != roles.Output {
		p.In = rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "in")
	}
	if d != roles.Input {
		p.Out = rapid.SampledFrom([]string{"eth0", "eth1"}).Draw(t, "out")
	}
	return p
}

// The role opens no door that the rules, as package foreign follows them, close or have a
// limit on, unless it says so.
func TestNoWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{drawSave(t, false), drawSave(t, true)}
		var saves []foreign.Ruleset
		for i, family := range []foreign.Family{foreign.IPv4, foreign.IPv6} {
			rs, err := foreign.ParseSave(texts[i], family, false)
			if err != nil {
				t.Fatal(err)
			}
			saves = append(saves, rs)
		}
		rules := foreign.Join(foreign.Ruleset{}, saves...)
		p, err := Make("web", Rules{Files: map[foreign.Family]string{foreign.IPv4: "v4", foreign.IPv6: "v6"}, Lines: true, Rules: rules, V6: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(texts, ""))
		}
		policy, err := p.Policy()
		if err != nil {
			t.Fatal(err)
		}
		engine := verdict.New(policy)
		lost := strings.Join(words(p.Lost), "\n")
		if strings.Contains(texts[0]+texts[1], "-A PREROUTING") != strings.Contains(lost, "-A PREROUTING") {
			t.Fatalf("rules of another hook are in %q", lost)
		}
		for range 30 {
			k := drawDoor(t)
			o := engine.Packet(k)[0]
			if o.Verdict != inventory.Accept || o.Stage == verdict.Lifeline {
				continue
			}
			port := foreign.Range{Lo: uint32(k.DstPort), Hi: uint32(k.DstPort)}
			fate := rules.Walk(string(k.Direction), foreign.Packets{IPv6: k.Src.Is6(), Src: foreign.One(k.Src), Dst: foreign.One(k.Dst), Proto: uint32(k.Proto),
				SrcPort: foreign.Range{Lo: 40000, Hi: 40000}, DstPort: port, In: k.In, Out: k.Out, State: "new"})
			limited := o.Limited() != "" || len(engine.Beside(o)) > 0
			told := slices.ContainsFunc(p.Opens, func(f Flow) bool { return f.Direction == k.Direction && f.Packets.Meets(k.Box()) })
			named := strings.Contains(lost, "left out with all behind it") || strings.Contains(lost, "no key where all else is let through") || strings.Contains(lost, mayEnter) && fate.Does != foreign.Refuses
			if !told && !named && (fate.Does == foreign.Refuses || fate.Does == foreign.Unsure && !limited) {
				t.Fatalf("%s %v is let in by %q, limited %t; the rules: %v\n%s\n%s\n%q", k.Direction, k, o.Why(), limited, fate, strings.Join(texts, ""), p.Text, lost)
			}
		}
	})
}
