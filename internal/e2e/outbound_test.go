package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refusedPackets is what the counters of the last rules of the output chain
// say, those that refuse what nothing has allowed.
func (h *host) refusedPackets(t *testing.T) int {
	t.Helper()
	n := 0
	for line := range strings.SplitSeq(h.sh(t, "nft list chain inet fwpush output"), "\n") {
		m := regexp.MustCompile(`^\s+(meta l4proto tcp )?counter packets (\d+) bytes \d+ (drop|reject)`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		packets, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		n += packets
	}
	return n
}

// TestC6OutboundClosed pushes roles that let nothing out but DNS and NTP, and looks
// at what does get out.
func TestC6OutboundClosed(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "outbound", 3)
	drops, rejects, peer := hosts[0], hosts[1], hosts[2]
	closed := hosts[:2]
	f := fleet{parts: []string{fmt.Sprintf(`[sets.peer]
addresses = [%s]

[roles.closed]
in = [ { allow = "http" } ]
`, addresses(peer.both()))}}
	// Where a role says nothing of DNS and NTP they are left open.
	f.add(drops, `"closed"`, `outbound = "drop"`)
	f.add(rejects, `"closed"`, `outbound = "reject"`, `inbound = "reject"`, `out = [ { allow = ["dns", "ntp"], to = "set:peer" } ]`)
	c := newController(t, f.String())
	for _, port := range []int{53, 9999} {
		peer.serve(t, port, hangUp)
	}
	for _, port := range []int{53, 123, 9998} {
		peer.answerUDP(t, port)
	}
	for _, h := range closed {
		h.serve(t, 80, greet)
		h.serve(t, 3306, hangUp)
		// All of it gets out before the push.
		for _, to := range peer.both() {
			if got := h.net.probe(at(to, 9999)); got != "open" {
				t.Fatalf("%s to %s: %s", h.Name(), to, got)
			}
			if err := h.net.askUDP(at(to, 9998)); err != nil {
				t.Fatal(err)
			}
		}
	}

	t.Run("the first stateful load does not hang the session that pushes", func(t *testing.T) {
		for _, h := range closed {
			// A connection that is open now and not tracked: with the first rule
			// about states the next packet of it counts as new.
			conn, err := peer.net.dial("tcp", at(h.Addr4(), 80))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := h.sh(t, "cat /proc/sys/net/netfilter/nf_conntrack_count"); got != "0" {
				t.Fatalf("%s tracks %s connections already", h.Name(), got)
			}
		}
		r := c.runJSON(t, 0, "apply", "-y")
		r.expect(t, all(closed, "confirmed"))
		for _, said := range r.Hosts {
			// A session that hangs would be given up and another one made.
			if said.Connections != 2 || said.Execs != 2 || said.Seconds > 10 {
				t.Errorf("%s: %d connections, %d executions, %.1f s", said.Name, said.Connections, said.Execs, said.Seconds)
			}
		}
	})

	for _, h := range closed {
		t.Run(h.Name(), func(t *testing.T) {
			for i, to := range peer.both() {
				if got := h.net.probe(at(to, 53)); got != "open" {
					t.Errorf("DNS over TCP to %s: %s", to, got)
				}
				for _, port := range []int{53, 123} {
					if err := h.net.askUDP(at(to, port)); err != nil {
						t.Errorf("UDP to %s port %d: %v", to, port, err)
					}
				}
				// Replies of what the host serves pass.
				conn, err := peer.net.dial("tcp", at(h.both()[i], 80))
				if err != nil {
					t.Fatal(err)
				}
				if err := conn.SetDeadline(time.Now().Add(silence)); err != nil {
					t.Fatal(err)
				}
				if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
					t.Errorf("from port 80 of %s: %q %v", h.both()[i], line, err)
				}
				conn.Close()

				before := h.refusedPackets(t)
				began := time.Now()
				_, err = h.net.dial("tcp", at(to, 9999))
				took := time.Since(began)
				switch {
				case h == drops && took < silence:
					t.Errorf("a connection to %s port 9999 ended after %s: %v, want silence", to, took, err)
				case h == rejects && (!errors.Is(err, syscall.ECONNREFUSED) || took > silence/2):
					t.Errorf("a connection to %s port 9999: %v after %s, want refused at once", to, err, took)
				}
				if now := h.refusedPackets(t); now <= before {
					t.Errorf("the last rules counted %d packets before the refusal and %d after", before, now)
				}
				if err := h.net.askUDP(at(to, 9998)); err == nil {
					t.Errorf("UDP to %s port 9998 is answered", to)
				}
			}
		})
	}
	t.Run("inbound reject answers with a reset at once, inbound drop not at all", func(t *testing.T) {
		for h, want := range map[*host]string{drops: "silent", rejects: "refused"} {
			for _, a := range h.both() {
				began := time.Now()
				if got := peer.net.probe(at(a, 3306)); got != want {
					t.Errorf("%s: %s, want %s", a, got, want)
				}
				if took := time.Since(began); want == "refused" && took > silence/2 {
					t.Errorf("%s: refused only after %s", a, took)
				}
			}
		}
	})
	c.runJSON(t, 0, "apply", "-y").expect(t, all(closed, "unchanged"))
}
