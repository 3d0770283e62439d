package agree

import (
	"strings"
	"time"

	"fwpush/internal/wire"
	"fwpush/render"
)

// countVerdicts are the rows about what limits count.
var countVerdicts = map[string]func(*bench){
	"N20 a source of several peers is counted once": countedOnce,
	"N20 connections to several ports":              connectionsTogether,
	"N20 rules that could share a limit":            limitsApart,
	"N20 bursts of a day":                           slowRates,
	"N19 a limit that changes":                      changedLimit,
	"N20 a source that never stops":                 steadySource,
}

// newConns are packets of a neighbour to ports of the host, as new connections.
func newConns(proto uint8, n int, ports ...uint16) (list []wire.Packet) {
	for i := range n {
		p := to(proto, ports[i%len(ports)], 9)[0]
		p.SrcPort = 20000 + uint16(i)
		list = append(list, p)
	}
	return list
}

func (b *bench) passes(want int, list []wire.Packet) {
	b.Helper()
	if n := b.accepted(list...); n != want {
		b.Errorf("%d of %d pass, want %d", n, len(list), want)
	}
}

func countedOnce(b *bench) {
	const near = `["set:near", "host:nine", "10.9.0.8/30"]`
	sets := []string{"[sets.near]\naddresses = [\"10.9.0.0/24\", \"fd09::/64\"]", "[hosts.nine]\naddresses = [\"10.9.0.9\"]"}
	for _, rate := range []string{"10/h burst 10", "10/h global burst 10"} {
		b.eachWay(b.policy(`in = [ { allow = ["udp/80", "udp/90-99", "gre", "tcp/80"], from = `+near+`, rate = "`+rate+`" } ]`, sets...), func(string) {
			b.passes(10, newConns(wire.UDP, 30, 80, 92))
		})
	}
}

// connectionsTogether: three is three over all ports of a rule, and all peers. Nobody
// listens there, so the host resets them, and what is closed is not counted once the
// kernel has looked for it, which it does once a tick (nf_conncount.c): unless
// connection tracking never hears of the reset.
func connectionsTogether(b *bench) {
	b.eachWay(b.policy(`in = [ { allow = ["tcp/80", "tcp/90-99", "tcp/110-119"], from = ["set:near", "host:nine"], max_conns = 3 } ]`,
		"[sets.near]\naddresses = [\"10.9.0.0/24\", \"10.77.0.0/16\"]", "[hosts.nine]\naddresses = [\"10.9.0.9\"]"), func(string) {
		b.nft("table inet quiet { chain c { type filter hook output priority -350; tcp flags rst drop; }; }")
		b.passes(3, newConns(wire.TCP, 9, 80, 91, 112))
	})
}

// slowRates: iptables counts in units of which a day is the most there are.
func slowRates(b *bench) {
	b.eachWay(b.policy(`in = [ { allow = "udp/80", rate = "1/h burst 24" }, { allow = "udp/81", rate = "1/day burst 1" }, { allow = "udp/82", rate = "9999/day burst 9999" } ]`), func(string) {
		b.passes(24, newConns(wire.UDP, 30, 80))
		b.passes(1, newConns(wire.UDP, 6, 81))
		b.passes(30, newConns(wire.UDP, 30, 82))
	})
}

func limitsApart(b *bench) {
	b.eachWay(b.policy(`ping = "20/s global"
in = [
  { allow = "tcp/80", max_conns = 100, name = "web" }, { allow = "tcp/81", rate = "6/h burst 2", name = "web_conns" },
  { allow = "udp/80", rate = "6/h burst 3", name = "a4" }, { allow = "udp/81", rate = "6/h burst 4", name = "key-ping" },
]`), func(string) {
		b.passes(2, newConns(wire.TCP, 6, 81))
		b.passes(6, newConns(wire.TCP, 6, 80))
		b.passes(4, newConns(wire.UDP, 6, 81))
		b.passes(3, newConns(wire.UDP, 6, 80))
		b.expect(wire.Accepted, icmp(false, 8), icmp(false, 8), icmp(false, 8), icmp(false, 8), icmp(false, 8))
	})
}

// changedLimit: a push that changes a limit changes it for those who are counted.
func changedLimit(b *bench) {
	load := func(limit string) {
		b.Helper()
		rs, err := render.Nftables(b.policy(`in = [ { allow = "udp/80", ` + limit + `, name = "x" } ]`))
		if err != nil {
			b.Fatal(err)
		}
		live, err := render.ParseLayout(b.load("nft -s list table inet fwpush 2>/dev/null || :", "sh"))
		if err != nil {
			b.Fatal(err)
		}
		script, _ := render.LoadForm(rs, live, render.Version{Major: 1, Minor: 1})
		b.nft(script)
	}
	load(`rate = "60/min burst 7"`)
	b.passes(7, newConns(wire.UDP, 20, 80))
	load(`rate = "6/min burst 3"`)
	b.passes(3, newConns(wire.UDP, 20, 80))
	if all := b.all(); strings.Contains(all, "60/minute") {
		b.Errorf("the old limit is there:\n%s", all)
	}
}

// steadySource: one that is over its rate all the time gets its burst once. It is
// remembered for three seconds.
func steadySource(b *bench) {
	b.eachWay(b.policy(`in = [ { allow = "udp/80", rate = "20/s burst 20" } ]`), func(way string) {
		begin, passed := time.Now(), 0
		for time.Since(begin) < 7*time.Second {
			passed += b.accepted(newConns(wire.UDP, 40, 80)...)
		}
		if most := 21 + int(20*time.Since(begin).Seconds()); passed > most {
			b.Errorf("%s: %d packets pass, at most %d should", way, passed, most)
		}
	})
}
