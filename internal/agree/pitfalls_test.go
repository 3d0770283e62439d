package agree

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/wire"
	"fwpush/inventory"
	"fwpush/roles"
)

// suites are the releases whose programs are asked.
var suites = []string{"bullseye", "bookworm", "trixie"}

// bench is a rig for one row, and the release whose programs run in it.
type bench struct {
	*testing.T
	rig   *wire.Rig
	suite string // "" for the machine's own
}

// TestPitfalls has what is known to go wrong with nftables and with ICMP, one row or
// more for each number of the list of pitfalls. The kernel decides.
func TestPitfalls(t *testing.T) {
	for _, rows := range []map[string]func(*bench){nftVerdicts, icmpVerdicts, countVerdicts} {
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rows[name](newBench(t, ""))
			})
		}
	}
	// What nft and iptables say is asked of each release.
	for _, name := range slices.Sorted(maps.Keys(nftWords)) {
		for _, suite := range suites {
			t.Run(name+", "+suite, func(t *testing.T) {
				t.Parallel()
				nftWords[name](newBench(t, suite))
			})
		}
	}
}

func newBench(t *testing.T, suite string) *bench {
	t.Helper()
	o := wire.Options{Interfaces: ifaceNames, Own: []netip.Prefix{netip.MustParsePrefix(own4 + "/32"), netip.MustParsePrefix(own6 + "/128")}}
	if suite != "" {
		root, err := world.Root(t.Context(), suite)
		if err != nil {
			t.Fatal(err)
		}
		o.Root = root
	}
	rig, err := wire.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	return &bench{t, rig, suite}
}

// load runs a program that must succeed, and tells what it wrote.
func (b *bench) load(script string, program ...string) string {
	b.Helper()
	out, err := b.rig.Run(b.Context(), []byte(script), program...)
	if err != nil {
		b.Fatalf("%v\nof\n%.2000s", err, script)
	}
	return string(out)
}

func (b *bench) nft(script string) {
	b.Helper()
	b.load(script, "nft", "-f", "-")
}

func (b *bench) sh(script string) string {
	b.Helper()
	return b.load(script, "sh", "-eu")
}

// refused runs a program that must fail with a word.
func (b *bench) refused(word, script string, program ...string) {
	b.Helper()
	if _, err := b.rig.Run(b.Context(), []byte(script), program...); err == nil || !strings.Contains(err.Error(), word) {
		b.Errorf("%v: %v, want %q, of\n%.2000s", program, err, word, script)
	}
}

// all is everything that nft knows of.
func (b *bench) all() string {
	b.Helper()
	return b.load("", "nft", "-s", "list", "ruleset")
}

func (b *bench) reset() {
	b.Helper()
	if err := b.rig.Reset(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// expect sends packets and wants one fate of all of them.
func (b *bench) expect(want wire.Fate, packets ...wire.Packet) {
	b.Helper()
	fates, err := b.rig.Fates(b.Context(), packets)
	if err != nil {
		b.Fatal(err)
	}
	for i, f := range fates {
		if f != want {
			b.Errorf("%v: %v, want %v", packets[i], f, want)
		}
	}
}

// accepted counts how many packets were.
func (b *bench) accepted(packets ...wire.Packet) int {
	b.Helper()
	fates, err := b.rig.Fates(b.Context(), packets)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for _, f := range fates {
		if f == wire.Accepted {
			n++
		}
	}
	return n
}

// policy is that of a host with the lines, in a fleet that more may be said of.
func (b *bench) policy(lines string, more ...string) roles.Policy {
	b.Helper()
	text := "version = 1\n[management]\nfrom = [\"10.9.0.7\", \"fd09::7\"]\n[hosts.h]\naddresses = [\"" + own4 + "\", \"" + own6 + "\"]\n" + lines + "\n" + strings.Join(more, "\n")
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	if len(problems.Errors()) > 0 {
		b.Fatalf("%v\n%s", problems.Errors(), text)
	}
	i := slices.IndexFunc(fleet.Hosts, func(h inventory.Host) bool { return h.Name == "h" })
	p, problems := roles.Compile(fleet, fleet.Hosts[i])
	if len(problems.Errors()) > 0 {
		b.Fatalf("%v\n%s", problems.Errors(), text)
	}
	return p
}

// ours is the text of a policy for nft.
func (b *bench) ours(lines string, more ...string) string {
	b.Helper()
	text, _ := ways[0].load(b, b.policy(lines, more...))
	return text
}

// eachWay loads a policy in every way, and asks about each.
func (b *bench) eachWay(p roles.Policy, ask func(way string)) {
	b.Helper()
	for _, way := range ways {
		_, load := way.load(b, p)
		b.load(load, way.program...)
		ask(way.name)
		if b.Failed() {
			b.Fatalf("with %s", way.name)
		}
		b.reset()
	}
}

// to is the first packet of a connection to a port of the host, from the host with a
// number, in each family.
func to(proto uint8, port uint16, from int) []wire.Packet {
	var both []wire.Packet
	for _, six := range []bool{false, true} {
		both = append(both, wire.Packet{Direction: wire.Input, In: ifaceIn, Proto: proto, SrcPort: 40000, DstPort: port,
			Src: address(six, from), Dst: address(six, own)})
	}
	return both
}

// out is the same in the other direction.
func out(proto uint8, port uint16, dst int) []wire.Packet {
	both := to(proto, port, dst)
	for i := range both {
		p := &both[i]
		p.Direction, p.In, p.Out, p.Src, p.Dst = wire.Output, "", ifaceIn, p.Dst, p.Src
	}
	return both
}
