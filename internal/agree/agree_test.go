package agree

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/lab"
	"fwpush/internal/wire"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

func TestMain(m *testing.M) {
	code, err := lab.Enter(func(*lab.World) int { return m.Run() })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// packetsEach are the packets that each ruleset is asked about.
const packetsEach = 50

// TestKernelAgrees: whatever a fleet file says, the kernel does with a packet what
// the verdict engine says, with the rules of either backend. One run draws as many
// fleets as -rapid.checks says, for each CPU.
func TestKernelAgrees(t *testing.T) {
	for i := range runtime.NumCPU() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			rig, err := wire.New(ctx, wire.Options{Interfaces: ifaceNames, Own: []netip.Prefix{netip.MustParsePrefix(own4 + "/32"), netip.MustParsePrefix(own6 + "/128")}})
			if err != nil {
				t.Fatal(err)
			}
			defer rig.Close()
			rapid.Check(t, func(t *rapid.T) { agree(ctx, t, rig) })
		})
	}
}

func agree(ctx context.Context, t *rapid.T, rig *wire.Rig) {
	d := drawFleet(t)
	d.sorted()
	var p roles.Policy
	p, d.text = compiled(t, d.text)
	engine := verdict.New(p)
	var packets []wire.Packet
	for range packetsEach {
		if k := d.packet(t); k.Check() == nil && k.State() != 0 {
			packets = append(packets, k)
		}
	}
	for _, way := range ways {
		text, load := way.load(t, p)
		if err := rig.Load(ctx, []byte(load), way.program...); err != nil {
			t.Fatalf("%s: %v\n%s\n%s", way.name, err, d.text, text)
		}
		fates, err := rig.Fates(ctx, packets)
		if err != nil {
			t.Fatalf("%s: %v\n%s\n%s", way.name, err, d.text, text)
		}
		if err := rig.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		for i, k := range packets {
			outcomes := engine.Packet(asked(k))
			if len(outcomes) != 1 {
				t.Fatalf("%s: %d outcomes", k, len(outcomes))
			}
			if want := fate(outcomes[0].Verdict); fates[i] != want {
				t.Fatalf("%s: the kernel has %s, the engine says %s by %s (%s)\n%s\n%s", k, fates[i], want, outcomes[0].Why(), way.name, d.text, text)
			}
		}
	}
}

func fate(v inventory.Verdict) wire.Fate {
	switch v {
	case inventory.Accept:
		return wire.Accepted
	case inventory.Reject:
		return wire.Rejected
	}
	return wire.Dropped
}

// compiled is the policy of the host under test, and the file without the rules
// that fwpush refuses because they match nothing. Each stands on a line of its own.
func compiled(t *rapid.T, text string) (roles.Policy, string) {
	for {
		fleet, problems := inventory.Parse("fleet.toml", []byte(text))
		if len(problems.Errors()) > 0 {
			t.Fatalf("%v\n%s", problems.Errors(), text)
		}
		i := slices.IndexFunc(fleet.Hosts, func(h inventory.Host) bool { return h.Name == "h" })
		p, problems := roles.Compile(fleet, fleet.Hosts[i])
		lines := strings.Split(text, "\n")
		for _, e := range problems.Errors() {
			if !strings.HasPrefix(e.Msg, "the rule matches nothing") {
				t.Fatalf("%v\n%s", problems.Errors(), text)
			}
			lines[e.Place.Line-1] = ""
		}
		if len(problems.Errors()) == 0 {
			return p, text
		}
		text = strings.Join(lines, "\n")
	}
}

// asked is the packet as the engine knows it.
func asked(k wire.Packet) verdict.Packet {
	return verdict.Packet{
		Direction: map[wire.Direction]roles.Direction{wire.Input: roles.Input, wire.Output: roles.Output, wire.Forward: roles.Forward}[k.Direction],
		Proto:     k.Proto, Src: k.Src, Dst: k.Dst, SrcPort: k.SrcPort, DstPort: k.DstPort, Type: k.Type, Code: k.Code, In: k.In, Out: k.Out,
	}
}

// way is one of the ways in which a policy can be loaded.
type way struct {
	name    string
	program []string
	load    func(t *rapid.T, p roles.Policy) (text, script string)
}

var ways = []way{
	{"nftables", []string{"nft", "-f", "-"}, func(t *rapid.T, p roles.Policy) (string, string) {
		rs, err := render.Nftables(p)
		if err != nil {
			t.Fatal(err)
		}
		return rs.Text, rs.Text
	}},
	{"iptables, nft variant, ipset", []string{"sh", "-e"}, iptables("nft", true)},
	{"iptables, legacy variant, no ipset", []string{"sh", "-e"}, iptables("legacy", false)},
}

// iptables loads a container as its loader does on a host without rules of ours:
// section by section, with a jump to each chain.
func iptables(variant string, ipset bool) func(t *rapid.T, p roles.Policy) (string, string) {
	return func(t *rapid.T, p roles.Policy) (string, string) {
		rs, err := render.Iptables(p, ipset)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, section := range strings.Split(rs.Text, "#: ")[1:] {
			head, body, _ := strings.Cut(section, "\n")
			tool, table, _ := strings.Cut(head, " ")
			if tool == "ipset" {
				b.WriteString("ipset restore <<'END'\n" + body + "END\n")
				continue
			}
			jumps := ""
			for chain, ours := range map[string]string{"INPUT": "IN", "OUTPUT": "OUT", "FORWARD": "FWD", "PREROUTING": "PRE", "POSTROUTING": "POST"} {
				if strings.Contains(body, ":FWPUSH-"+ours+" ") {
					jumps += "-I " + chain + " 1 -j FWPUSH-" + ours + "\n"
				}
			}
			_ = table
			fmt.Fprintf(&b, "%s-%s-restore --noflush <<'END'\n%s%sCOMMIT\nEND\n", tool, variant, strings.TrimSuffix(body, "COMMIT\n"), jumps)
		}
		return rs.Text, b.String()
	}
}

// packet draws one that may well meet a rule.
func (d *drawn) packet(t *rapid.T) wire.Packet {
	six := rapid.Bool().Draw(t, "six")
	other := func(label string) netip.Addr {
		return address(six, rapid.SampledFrom(d.edges).Draw(t, label))
	}
	k := wire.Packet{
		Direction: rapid.SampledFrom([]wire.Direction{wire.Input, wire.Output, wire.Forward}).Draw(t, "direction"),
		Src:       other("source"), Dst: other("destination"),
		Proto: rapid.SampledFrom([]uint8{space.TCP, space.TCP, space.TCP, space.UDP, space.UDP, space.SCTP, space.ICMP, space.ICMP, 47, 50, 51}).Draw(t, "protocol"),
	}
	names := rapid.SampledFrom(ifaceNames)
	if k.Direction != wire.Output {
		k.In = names.Draw(t, "in")
	} else {
		k.Src = address(six, own)
	}
	if k.Direction != wire.Input {
		k.Out = names.Draw(t, "out")
	} else {
		k.Dst = address(six, own)
		if six && rapid.IntRange(0, 20).Draw(t, "spoofed") == 0 {
			k.Src = address(six, own)
		}
	}
	if k.Direction == wire.Forward && k.In == k.Out {
		k.Out = ifaceNames[(slices.Index(ifaceNames, k.In)+1)%len(ifaceNames)]
	}
	switch {
	case space.ProtoWord(k.Proto) != "":
		k.DstPort = rapid.SampledFrom(d.ports).Draw(t, "port")
		k.SrcPort = rapid.SampledFrom([]uint16{22, 67, 68, 546, 547, 40000}).Draw(t, "source port")
	case k.Proto == space.ICMP && six:
		k.Proto = space.ICMPv6
		k.Type = rapid.SampledFrom([]uint8{1, 2, 3, 4, 128, 129, 133, 134, 135, 136, 137, 139, 143}).Draw(t, "type")
		k.HopLimit = hops(k)
	case k.Proto == space.ICMP:
		k.Type = rapid.SampledFrom([]uint8{0, 3, 5, 8, 9, 11, 12, 13, 17}).Draw(t, "type")
	}
	return k
}

// hops is the hop limit that neighbours send with (RFC 4861, RFC 3810).
func hops(k wire.Packet) uint8 {
	switch {
	case k.Direction == wire.Forward:
		return 0
	case k.Type >= 133 && k.Type <= 137:
		return 255
	case k.Type == 143:
		return 1
	}
	return 0
}
