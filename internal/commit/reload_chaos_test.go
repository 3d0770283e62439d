//go:build chaos

package commit

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/chaos"
	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// The ports that are sent to: one that every ruleset lets the controller in at, and two that none does,
// of which one is open to others.
const (
	openPort   = 9000
	othersPort = 9001
	closedPort = 9999
)

// TestChaosReload sends to open and to closed ports, over both families, while two rulesets take turns in
// the forms that a push loads: 1,000 times where rules differ and 1,000 times where what is in sets does.
// Whatever it is loaded with, nothing that is forbidden may come through; and what is allowed may not be
// lost where the base chains are kept.
func TestChaosReload(t *testing.T) {
	for _, kind := range []string{"rules", "sets"} {
		for _, release := range []string{"bookworm", "trixie", "bullseye"} {
			for _, kept := range []bool{true, false} {
				form := map[bool]string{true: "kept", false: "recreated"}[kept]
				if kept && release == "bullseye" {
					continue // its nft cannot load it (N3)
				}
				t.Run(fmt.Sprintf("%s/nft of %s/%s", kind, release, form), func(t *testing.T) {
					f := newFlood(t, "")
					one, two := pair(t, kind, render.Nftables)
					load := f.nftOf(release)
					f.load(load, "one", one.Text)
					if kept {
						f.keep(load, one, two)
					} else {
						f.file("one", one.Text)
						f.file("two", two.Text)
					}
					f.reload(load, kept)
				})
			}
		}
		for _, variant := range []string{"nft", "legacy"} {
			for _, ipset := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/iptables-%s/ipset %t", kind, variant, ipset), func(t *testing.T) {
					f := newFlood(t, variant)
					one, two := pair(t, kind, func(p roles.Policy) (render.Ruleset, error) { return render.Iptables(p, ipset) })
					f.file("two", two.Text)
					f.file("load.sh", bootProgram(ModeCoexist))
					load := "xt() { sh /run/load.sh check /run/$1 " + variant + " " + variant + " </dev/null; }\nload=xt\n"
					f.load(load, "one", one.Text)
					f.reload(load, false)
				})
			}
		}
	}
}

// TestChaosReloadLeaks are the controls: without the rule that drops the rest, and with two loads where
// one would do, the same count sees packets come through.
func TestChaosReloadLeaks(t *testing.T) {
	one, two := pair(t, "rules", render.Nftables)
	t.Run("no final drop", func(t *testing.T) {
		f := newFlood(t, "")
		load := f.nftOf("bookworm")
		f.load(load, "one", dropless(t, one.Text))
		f.file("two", dropless(t, two.Text))
		if got := f.during(load + "$load one; $load two\n"); got.leaked == 0 {
			t.Error("nothing comes through: this tests nothing")
		}
	})
	t.Run("two loads", func(t *testing.T) {
		f := newFlood(t, "")
		load := f.nftOf("bookworm")
		f.load(load, "one", one.Text)
		if got := f.during(load + "i=0; while [ $i -lt 50 ]; do nft delete table inet fwpush; with one; i=$((i+1)); done\n"); got.leaked == 0 {
			t.Error("nothing comes through: this tests nothing")
		}
	})
}

// dropless lets pass what no rule drops.
func dropless(t *testing.T, text string) string {
	t.Helper()
	out := strings.ReplaceAll(text, "policy drop", "policy accept")
	out = regexp.MustCompile(`(?m)^\t\t(counter )?drop$`).ReplaceAllString(out, "")
	out = regexp.MustCompile(`(?m)^\t\tcounter name "?[a-z_]+"? drop$`).ReplaceAllString(out, "")
	if out == text {
		t.Fatalf("nothing is dropped at last:\n%s", text)
	}
	return out
}

// pair are two rulesets that differ in rules, or only in what is in their sets.
func pair(t *testing.T, kind string, print func(roles.Policy) (render.Ruleset, error)) (one, two render.Ruleset) {
	t.Helper()
	me := fmt.Sprintf("%q, %q", world.Addr4(), world.Addr6())
	texts := []string{
		fmt.Sprintf("in = [ { allow = \"udp/%d\" } ]\n", openPort),
		fmt.Sprintf("in = [ { allow = \"udp/%[1]d\", from = \"0.0.0.0/1\" }, { allow = [\"udp/%[1]d\", \"tcp/81\"], from = [\"128.0.0.0/1\", \"::/0\"] } ]\n", openPort),
	}
	if kind == "sets" {
		texts = nil
		for _, others := range []string{`"198.51.100.0/24", "2001:db8:1::/48"`, `"203.0.113.0/25", "203.0.113.200", "2001:db8:2::/48", "192.0.2.0/24"`} {
			texts = append(texts, fmt.Sprintf("in = [ { allow = \"udp/%d\", from = \"set:open\" }, { allow = \"udp/%d\", from = \"set:others\" } ]\n"+
				"[sets.open]\naddresses = [%s, %s]\n[sets.others]\naddresses = [%s]\n", openPort, othersPort, me, others, others))
		}
	}
	var list []render.Ruleset
	for _, text := range texts {
		fleet, found := inventory.Parse("fleet.toml", []byte("version = 1\n[management]\nfrom = ["+me+"]\n[hosts.h]\n"+text))
		policies, more := roles.CompileAll(fleet)
		for _, p := range append(found.Errors(), more.Errors()...) {
			t.Fatalf("%s\n%s", p.Msg, text)
		}
		rs, err := print(policies[0])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rs)
	}
	return list[0], list[1]
}

// flood is a host that is sent packets. What gets by the rules is counted behind them, by a table that
// refuses nothing.
type flood struct {
	*host
	conns map[netip.Addr]net.PacketConn
}

func newFlood(t *testing.T, variant string) *flood {
	t.Helper()
	f := &flood{newHost(t, lab.HostOptions{}), map[netip.Addr]net.PacketConn{}}
	if variant != "" {
		f.variant(variant)
	}
	f.sh(fmt.Sprintf("nft -f - <<'X'\ntable inet count {\n chain c {\n  type filter hook input priority 300;\n  udp dport %d counter\n  udp dport { %d, %d } counter\n }\n}\nX\n",
		openPort, othersPort, closedPort))
	for addr, network := range map[netip.Addr]string{f.Addr4(): "udp4", f.Addr6(): "udp6"} {
		conn, err := net.ListenPacket(network, ":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		f.conns[addr] = conn
	}
	return f
}

func (f *flood) file(name, text string) {
	f.t.Helper()
	if err := f.WriteFile(f.t.Context(), "/run/"+name, text); err != nil {
		f.t.Fatal(err)
	}
}

// nftOf is the shell's word to load a file by the nft of a release, in the host's own namespace.
func (f *flood) nftOf(release string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Minute)
	defer cancel()
	root, err := world.Root(ctx, release)
	if err != nil {
		f.t.Fatal(err)
	}
	f.sh("mount --bind /run " + root + "/run") // nft 0.9.8 wants a file, or /dev/stdin
	return "nft() { chroot " + root + " nft \"$@\"; }\nwith() { nft -f \"/run/$1\"; }\nload=with\n"
}

func (f *flood) load(load, name, text string) {
	f.t.Helper()
	f.file(name, text)
	f.sh("set -e\n" + load + "$load " + name)
}

// keep writes the two texts in the forms that keep base chains, each made over the listing of the other.
func (f *flood) keep(load string, one, two render.Ruleset) {
	f.t.Helper()
	over := func(rules render.Ruleset) string {
		live := f.sh(load + "nft -s list table inet fwpush")
		text := keptForm(rules, Facts{Running: live + "\n", NFT: f.sh(load + "nft --version")})
		if text == "" {
			f.t.Fatalf("no base chain is kept over\n%s", live)
		}
		return text
	}
	f.load(load, "two", over(two))
	f.load(load, "one", over(one))
}

// count is packets that were sent, and how many of the allowed ones were lost and of the others came.
type count struct{ allowed, forbidden, lost, leaked int64 }

// reload lets the two files take turns and says what came of it.
func (f *flood) reload(load string, kept bool) {
	f.t.Helper()
	const each = 20
	run := chaos.Start(f.t, 1000/each, 10*time.Minute)
	var all count
	began := time.Now()
	for _, ok := run.Next(); ok; _, ok = run.Next() {
		got := f.during(load + fmt.Sprintf("set -e; i=0; while [ $i -lt %d ]; do $load two; $load one; i=$((i+2)); done\n", each))
		all.allowed += got.allowed
		all.forbidden += got.forbidden
		all.lost += got.lost
		all.leaked += got.leaked
	}
	f.t.Logf("%d reloads in %v: %d allowed packets, %d lost; %d forbidden ones, %d came through",
		run.Rounds()*each, time.Since(began).Round(time.Second), all.allowed, all.lost, all.forbidden, all.leaked)
	switch {
	case all.leaked > 0:
		f.t.Errorf("%d forbidden packets came through", all.leaked)
	case kept && all.lost > 0:
		f.t.Errorf("%d allowed packets were lost though the base chains are kept", all.lost)
	case all.allowed < int64(run.Rounds())*each || all.forbidden < int64(run.Rounds())*each:
		f.t.Error("too few packets for the reloads")
	}
}

// during sends until the script has ended, and waits for the last packets.
func (f *flood) during(script string) count {
	f.t.Helper()
	open, closed := f.counted()
	var sent count
	var stop atomic.Bool
	done := make(chan error)
	go func() { done <- f.send(&sent, &stop) }()
	f.sh(script)
	stop.Store(true)
	if err := <-done; err != nil {
		f.t.Fatal(err)
	}
	// What is on its way yet comes within moments; what is lost never does.
	for end := time.Now().Add(time.Second); ; time.Sleep(20 * time.Millisecond) {
		gotOpen, gotClosed := f.counted()
		sent.lost, sent.leaked = sent.allowed-(gotOpen-open), gotClosed-closed
		if sent.lost == 0 || time.Now().After(end) {
			return sent
		}
	}
}

func (f *flood) send(sent *count, stop *atomic.Bool) error {
	for !stop.Load() {
		for addr, conn := range f.conns {
			for port, n := range map[uint16]*int64{openPort: &sent.allowed, othersPort: &sent.forbidden, closedPort: &sent.forbidden} {
				if _, err := conn.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, port))); err != nil {
					return err
				}
				*n++
			}
		}
		time.Sleep(100 * time.Microsecond) // as many as the host can take in
	}
	return nil
}

var countedPackets = regexp.MustCompile(`counter packets (\d+)`)

func (f *flood) counted() (open, closed int64) {
	f.t.Helper()
	m := countedPackets.FindAllStringSubmatch(f.sh("nft list table inet count"), -1)
	if len(m) != 2 {
		f.t.Fatalf("counters: %q", m)
	}
	open, _ = strconv.ParseInt(m[0][1], 10, 64)
	closed, _ = strconv.ParseInt(m[1][1], 10, 64)
	return open, closed
}
