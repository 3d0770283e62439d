package agree

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// TestPitfallsOnHosts has the rows for which a packet is not enough: connections that
// are older than the rules, floods, a router. The test is the host's neighbour.
func TestPitfallsOnHosts(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *host){
		"N2 a reload under flood":                 reloadUnderFlood,
		"C2 IPv6 after the neighbours are forgot": neighboursForgotten,
		"C7 a connection that the rules forbid":   forbiddenConnection,
		"C8 a connection older than conntrack":    olderThanConntrack,
		"C8 no memory of what is open":            strictTCP,
		"C11 a published port of a container":     publishedPort,
		"C11 rules for published ports":           publishedRules,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number, _, _ := strings.Cut(name, " ")
			test(t, newHost(t, strings.ToLower(number)+"-"+strconv.Itoa(len(name))))
		})
	}
}

type host struct {
	*lab.Host
	t *testing.T
}

func newHost(t *testing.T, name string) *host {
	t.Helper()
	h, err := world.Host(t.Context(), lab.HostOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &host{h, t}
}

func (h *host) sh(script string) string {
	h.t.Helper()
	out, said, err := h.Exec(h.t.Context(), script, "sh", "-eu")
	if err != nil {
		h.t.Fatalf("%v: %s", err, said)
	}
	return out
}

func (h *host) nft(text string) {
	h.t.Helper()
	if _, _, err := h.Exec(h.t.Context(), text, "nft", "-f", "-"); err != nil {
		h.t.Fatal(err)
	}
}

// ours is the text for a host that the addresses may manage.
func ours(t *testing.T, management, lines string) roles.Policy {
	t.Helper()
	text := "version = 1\n[management]\nfrom = [" + management + "]\n[hosts.h]\naddresses = [\"192.0.2.99\"]\n" + lines
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	p, more := roles.Compile(fleet, fleet.Hosts[0])
	for _, e := range append(problems.Errors(), more.Errors()...) {
		t.Fatalf("%s\n%s", e.Msg, text)
	}
	return p
}

func nftables(t *testing.T, p roles.Policy) string {
	t.Helper()
	rs, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return rs.Text
}

const nobody = `"203.0.113.1"`

func me() string { return fmt.Sprintf("%q, %q", world.Addr4(), world.Addr6()) }

// greeted opens a connection and reads the greeting of sshd.
func (h *host) greeted(addr netip.Addr) (net.Conn, *bufio.Reader) {
	h.t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(h.t.Context(), "tcp", netip.AddrPortFrom(addr, uint16(h.Port())).String())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	r := bufio.NewReader(conn)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "SSH-2.0-") {
		h.t.Fatalf("%q, %v", line, err)
	}
	return conn, r
}

// lives says whether sshd answers on a connection that was greeted.
func lives(conn net.Conn, r io.Reader) bool {
	if conn.SetDeadline(time.Now().Add(3*time.Second)) != nil {
		return false
	}
	if _, err := conn.Write([]byte("SSH-2.0-test\r\n")); err != nil {
		return false
	}
	_, err := io.ReadFull(r, make([]byte, 100)) // the keys it offers
	return err == nil
}

// knocks says whether anything answers a first packet.
func knocks(ctx context.Context, addr netip.Addr, port uint16) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", netip.AddrPortFrom(addr, port).String())
	if err == nil {
		c.Close()
	}
	return err == nil || strings.Contains(err.Error(), "refused")
}

// reloadUnderFlood sends to an open and to a closed port while two rulesets take turns.
// What gets by is counted by a table behind ours, which refuses nothing.
func reloadUnderFlood(t *testing.T, h *host) {
	one := nftables(t, ours(t, me(), `in = [ { allow = "udp/9000" } ]`))
	two := nftables(t, ours(t, me(), `in = [ { allow = ["udp/9000", "udp/9002"], from = "0.0.0.0/1" }, { allow = "udp/9000", from = "128.0.0.0/1" } ]`))
	h.nft("table inet count { chain c { type filter hook input priority 300; udp dport 9000 counter; udp dport 9999 counter; }; }")
	h.nft(one)
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	counted := func() (open, closed int64) {
		m := regexp.MustCompile(`dport (9000|9999) counter packets (\d+)`).FindAllStringSubmatch(h.sh("nft list table inet count"), -1)
		if len(m) != 2 {
			t.Fatalf("counters: %q", m)
		}
		open, _ = strconv.ParseInt(m[0][2], 10, 64)
		closed, _ = strconv.ParseInt(m[1][2], 10, 64)
		return open, closed
	}
	flood := func(during func()) (open, closed int64) {
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				for range 5 {
					for port, n := range map[uint16]*int64{9000: &open, 9999: &closed} {
						if _, err := conn.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.Addr4(), port))); err == nil {
							*n++
						}
					}
				}
				time.Sleep(200 * time.Microsecond)
			}
		}()
		during()
		stop.Store(true)
		<-done
		return open, closed
	}
	h.sh("cat >/run/one <<'X'\n" + one + "X\ncat >/run/two <<'X'\n" + two + "X\n")
	const reloads = 200 // of each
	open, closed := flood(func() {
		h.sh(fmt.Sprintf("i=0; while [ $i -lt %d ]; do nft -f /run/two; nft -f /run/one; i=$((i+1)); done", reloads))
	})
	if open < 1000 || closed < 1000 {
		t.Fatalf("only %d and %d packets were sent", open, closed)
	}
	gotOpen, gotClosed := counted()
	if gotOpen != open || gotClosed != 0 {
		t.Errorf("of %d packets to an open port %d came, of %d to a closed one %d", open, gotOpen, closed, gotClosed)
	}
	// Two loads where one would do let packets through: so would a text that is not atomic.
	flood(func() {
		h.sh("i=0; while [ $i -lt 20 ]; do nft delete table inet fwpush; nft -f /run/one; i=$((i+1)); done")
	})
	if _, leaked := counted(); leaked == 0 {
		t.Error("nothing comes through between two commands either: this tests nothing")
	}
}

// neighboursForgotten has the rules of iptables; render has a test for those of nft.
func neighboursForgotten(t *testing.T, h *host) {
	p := ours(t, me(), `outbound = "drop"`)
	for _, way := range ways[1:] {
		_, script := way.load(t, p)
		h.sh(script)
		for range 2 {
			for _, addr := range []netip.Addr{h.Addr4(), h.Addr6()} {
				if !knocks(t.Context(), addr, 22) {
					t.Errorf("%s: %s does not answer", way.name, addr)
				}
			}
			h.sh("ip -6 neigh flush all")
		}
		// Without the rules for neighbours the same address is lost.
		h.sh("v=ip6tables-nft; $v-save | grep -q FWPUSH || v=ip6tables-legacy; $v -I OUTPUT -p icmpv6 -j DROP; $v -I INPUT -p icmpv6 -j DROP; ip -6 neigh flush all")
		if knocks(t.Context(), h.Addr6(), 22) {
			t.Errorf("%s: IPv6 lives without its neighbours: this tests nothing", way.name)
		}
		h.sh("for v in nft legacy; do for i in iptables ip6tables; do $i-$v -F; $i-$v -X; done; done; ipset destroy")
	}
}

// forbiddenConnection: what is open stays open.
func forbiddenConnection(t *testing.T, h *host) {
	for _, addr := range []netip.Addr{h.Addr4(), h.Addr6()} {
		h.nft(nftables(t, ours(t, nobody, `in = [ { allow = "ssh" } ]`)))
		conn, r := h.greeted(addr)
		h.nft(nftables(t, ours(t, nobody, "")))
		if !lives(conn, r) {
			t.Errorf("%s: an open connection ends with the rule that let it in", addr)
		}
		if knocks(t.Context(), addr, 22) {
			t.Errorf("%s: a new connection passes", addr)
		}
	}
}

// olderThanConntrack: a connection that nobody has tracked is new with its next packet,
// and dies where nothing admits new ones.
func olderThanConntrack(t *testing.T, h *host) {
	const count = "cat /proc/sys/net/netfilter/nf_conntrack_count"
	for i, c := range []struct {
		management string
		lives      bool
	}{{nobody, false}, {me(), true}} {
		h := newHost(t, h.Name()+strings.Repeat("b", i+1))
		conn, r := h.greeted(h.Addr4())
		if got := h.sh(count); got != "0\n" {
			t.Fatalf("%q connections are tracked without a rule", got)
		}
		h.nft(nftables(t, ours(t, c.management, "")))
		if got := lives(conn, r); got != c.lives {
			t.Errorf("managed from %s: the old connection lives: %v", c.management, got)
		}
	}
}

// strictTCP: with tcp_loose off such a connection is invalid, and only a rule above
// those about states keeps it.
func strictTCP(t *testing.T, h *host) {
	for i, c := range []struct {
		text  string
		lives bool
	}{
		{"table inet fwpush { chain c { type filter hook input priority 0; policy drop; ct state established accept; ct state invalid drop; tcp dport 22 accept; }; }", false},
		{nftables(t, ours(t, me(), "")), true},
	} {
		h := newHost(t, h.Name()+strings.Repeat("b", i+1))
		h.sh("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose")
		conn, r := h.greeted(h.Addr4())
		h.nft(c.text)
		if got := lives(conn, r); got != c.lives {
			t.Errorf("the old connection lives: %v, with\n%s", got, c.text)
		}
		if !knocks(t.Context(), h.Addr4(), 22) {
			t.Error("a new connection does not pass")
		}
	}
}
