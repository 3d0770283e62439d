package agree

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
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

// world has the root trees of releases.
var world *lab.World

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error {
		world = w
		if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
			return f.Value.Set("50")
		}
		return nil
	}))
}

// packetsEach are the packets that each ruleset is asked about.
const packetsEach = 50

// TestI11KernelAgrees: whatever a fleet file says, the kernel does with a packet what
// the verdict engine says, with the rules of either backend. One run draws as many
// fleets as -rapid.checks says, or 50, for each CPU.
func TestI11KernelAgrees(t *testing.T) {
	for i := range runtime.NumCPU() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rig := newRig(t)
			rapid.Check(t, func(t *rapid.T) { agree(context.Background(), t, rig) })
		})
	}
}

// question is a policy and packets to ask it about.
type question struct {
	file    string
	policy  roles.Policy
	packets []wire.Packet
}

func draw(t *rapid.T) question {
	d := drawFleet(t)
	d.sorted()
	q := question{}
	q.policy, q.file = compiled(t, d.text)
	for range packetsEach {
		if k := d.packet(t); k.Check() == nil && k.State() != 0 {
			q.packets = append(q.packets, k)
		}
	}
	return q
}

func agree(ctx context.Context, t *rapid.T, rig *wire.Rig) {
	q := draw(t)
	for _, way := range ways {
		found, err := disagreement(ctx, rig, q, way, verdict.New(q.policy), func(text string) string { return text })
		if err != nil || found != "" {
			t.Fatalf("%s: %v %s\n%s", way.name, err, found, q.file)
		}
	}
}

// disagreement is the first packet that the kernel decides otherwise than an engine,
// "" if there is none. Alter is for a ruleset with a bug.
func disagreement(ctx context.Context, rig *wire.Rig, q question, way way, engine *verdict.Engine, alter func(string) string) (string, error) {
	text, err := way.text(q.policy)
	if err != nil {
		return "", err
	}
	text = alter(text)
	if err := rig.Load(ctx, []byte(way.script(text)), way.program...); err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	fates, err := rig.Fates(ctx, q.packets)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, text)
	}
	if err := rig.Reset(ctx); err != nil {
		return "", err
	}
	for i, k := range q.packets {
		outcomes := engine.Packet(asked(k))
		if len(outcomes) != 1 {
			return "", fmt.Errorf("%s: %d outcomes", k, len(outcomes))
		}
		if want := fate(outcomes[0].Verdict); fates[i] != want {
			return fmt.Sprintf("%s: the kernel has %s, the engine says %s by %s\n%s", k, fates[i], want, outcomes[0].Why(), text), nil
		}
	}
	return "", nil
}

// TestBugsAreFound puts a bug into rulesets, and one into what the engine is asked:
// the kernel disagrees with either soon.
func TestBugsAreFound(t *testing.T) {
	rig := newRig(t)
	same := func(text string) string { return text }
	iifname := regexp.MustCompile(`(?m)^(\t\t)iifname (?:"(?:eth0|lan0|wan\.7)"|\{[^}]*\}) `)
	inIface := regexp.MustCompile(`(?m)^(-A FWPUSH-(?:IN|FWD)) -i (?:eth0|lan0|wan\.7) `)
	for name, bug := range map[string]struct {
		way    way
		alter  func(string) string
		engine func(roles.Policy) roles.Policy
	}{
		"nftables without interfaces": {ways[0], func(s string) string { return iifname.ReplaceAllString(s, "$1") }, nil},
		"iptables without interfaces": {ways[1], func(s string) string { return inIface.ReplaceAllString(s, "$1 ") }, nil},
		"nftables without the last word on ICMP": {ways[0], func(s string) string {
			return strings.Replace(s, "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept\n", "", 1)
		}, nil},
		"an engine without denies": {ways[0], same, func(p roles.Policy) roles.Policy {
			p.In = slices.DeleteFunc(slices.Clone(p.In), func(r roles.Rule) bool { return !r.Allows() })
			return p
		}},
		"an engine that takes lists of sources for any": {ways[0], same, func(p roles.Policy) roles.Policy {
			p.In = slices.Clone(p.In)
			for i := range p.In {
				p.In[i].From = nil
			}
			return p
		}},
	} {
		t.Run(name, func(t *testing.T) {
			gen := rapid.Custom(draw)
			for seed := range 500 {
				q := gen.Example(seed)
				policy := q.policy
				if bug.engine != nil {
					policy = bug.engine(policy)
				}
				found, err := disagreement(t.Context(), rig, q, bug.way, verdict.New(policy), bug.alter)
				if err != nil {
					t.Fatal(err)
				}
				if found != "" {
					t.Logf("found by the policy %d", seed)
					return
				}
			}
			t.Error("500 policies do not show it")
		})
	}
}

func newRig(t *testing.T) *wire.Rig {
	t.Helper()
	rig, err := wire.New(t.Context(), wire.Options{Interfaces: ifaceNames, Own: []netip.Prefix{netip.MustParsePrefix(own4 + "/32"), netip.MustParsePrefix(own6 + "/128")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	return rig
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
	text    func(roles.Policy) (string, error)
	script  func(text string) string
}

var ways = []way{
	{"nftables", []string{"nft", "-f", "-"}, func(p roles.Policy) (string, error) {
		rs, err := render.Nftables(p)
		return rs.Text, err
	}, func(text string) string { return text }},
	{"iptables, nft variant, ipset", []string{"sh", "-e"}, iptables(true), loader("nft")},
	{"iptables, legacy variant, no ipset", []string{"sh", "-e"}, iptables(false), loader("legacy")},
}

// load is the text of a policy and the script that loads it.
func (w way) load(t rapid.TB, p roles.Policy) (text, script string) {
	t.Helper()
	text, err := w.text(p)
	if err != nil {
		t.Fatal(err)
	}
	return text, w.script(text)
}

func iptables(ipset bool) func(roles.Policy) (string, error) {
	return func(p roles.Policy) (string, error) {
		rs, err := render.Iptables(p, ipset)
		return rs.Text, err
	}
}

// loader loads a text as the host's loader does where there are no rules of ours:
// section by section, with a jump to each chain.
func loader(variant string) func(string) string {
	return func(text string) string {
		var b strings.Builder
		for _, s := range render.Sections(text) {
			if s.Tool == "ipset" {
				b.WriteString("ipset restore <<'END'\n" + s.Text + "END\n")
				continue
			}
			jumps := ""
			for chain, ours := range map[string]string{"INPUT": "IN", "OUTPUT": "OUT", "FORWARD": "FWD", "PREROUTING": "PRE", "POSTROUTING": "POST"} {
				if strings.Contains(s.Text, ":FWPUSH-"+ours+" ") {
					jumps += "-I " + chain + " 1 -j FWPUSH-" + ours + "\n"
				}
			}
			fmt.Fprintf(&b, "%s-%s-restore --noflush <<'END'\n%s%sCOMMIT\nEND\n", s.Tool, variant, strings.TrimSuffix(s.Text, "COMMIT\n"), jumps)
		}
		return b.String()
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
