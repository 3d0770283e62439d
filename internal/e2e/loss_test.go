package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// relay stands between fwpush and the sshd of a host, and cuts connections.
type relay struct {
	port  int
	limit func(n int) int64 // how many bytes the n-th connection may send to the host
	delay time.Duration     // each way

	mu  sync.Mutex
	cut []func() // by connection: ends it, both ways and at once
}

// interpose starts a relay to a host that takes so long each way. A nil limit lets everything through.
func interpose(t *testing.T, h *host, delay time.Duration, limit func(n int) int64) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{port: l.Addr().(*net.TCPAddr).Port, limit: limit, delay: delay}
	var relaying sync.WaitGroup
	t.Cleanup(func() { l.Close(); r.cutAll(); relaying.Wait() })
	relaying.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", at(h.Addr4(), h.Port()))
			if err != nil {
				client.Close()
				continue
			}
			relaying.Go(func() { r.carry(client, server) })
		}
	})
	return r
}

func (r *relay) carry(client, server net.Conn) {
	cut := sync.OnceFunc(func() {
		for _, conn := range []net.Conn{client, server} {
			conn.(*net.TCPConn).SetLinger(0) // a reset, not a goodbye
			conn.Close()
		}
	})
	defer cut()
	r.mu.Lock()
	r.cut = append(r.cut, cut)
	n := len(r.cut)
	r.mu.Unlock()
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() { r.copy(client, server); cut() })
	defer cut()
	if limit := int64(0); r.limit != nil {
		if limit = r.limit(n); limit > 0 {
			io.CopyN(server, client, limit)
			return
		}
	}
	r.copy(server, client)
}

// copy hands on what comes, later.
func (r *relay) copy(to io.Writer, from io.Reader) {
	if r.delay == 0 {
		io.Copy(to, from)
		return
	}
	type part struct {
		due  time.Time
		text []byte
	}
	parts := make(chan part, 1000)
	var late sync.WaitGroup
	defer late.Wait()
	defer close(parts)
	late.Go(func() {
		for p := range parts {
			time.Sleep(time.Until(p.due))
			to.Write(p.text)
		}
	})
	for {
		text := make([]byte, 32<<10)
		n, err := from.Read(text)
		if err != nil {
			return
		}
		parts <- part{time.Now().Add(r.delay), text[:n]}
	}
}

// cutOff ends the n-th connection.
func (r *relay) cutOff(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cut) < n {
		t.Fatalf("there is no connection %d yet", n)
	}
	r.cut[n-1]()
}

func (r *relay) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, cut := range r.cut {
		cut()
	}
}

// throughRelay is a fleet file that reaches a host through a relay. The host
// still sees the controller's address.
func throughRelay(t *testing.T, c *controller, h *host, r *relay, f fleet, role string) string {
	t.Helper()
	key := h.sh(t, "cat /etc/ssh/ssh_host_ed25519_key.pub")
	c.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s\n", r.port, key))
	f.entries = nil
	f.add(h, `"`+role+`"`, fmt.Sprintf("sshd_ports = [22]\nssh = { address = \"127.0.0.1\", port = %d, known_hosts = \"known_hosts\" }", r.port))
	return f.String()
}

// long is a role whose rules take more than 100 kB to send.
func long() string {
	var b strings.Builder
	b.WriteString("[sets.long]\naddresses = [\n")
	for i := range 8000 {
		fmt.Fprintf(&b, "  \"198.18.%d.%d\",\n", i/100, i%100*2)
	}
	b.WriteString("]\n\n[roles.long]\nin = [ { allow = \"http\", from = \"set:long\" } ]\n")
	return b.String()
}

// TestRow8UploadCutShort ends the first connection in the middle of what fwpush
// sends.
func TestRow8UploadCutShort(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "upload", 1)
	h := hosts[0]
	c := newController(t, webFleet("", hosts).String())
	c.run(t, 0, "apply", "-y")
	before := rulesets(t, hosts)
	for _, tc := range []struct {
		at      int64 // bytes
		exit    int
		outcome string
	}{
		{12_000, 4, "unreachable"}, // in the program that runs there
		{100_000, 3, "failed"},     // in the rules
		{150_000, 3, "failed"},
	} {
		r := interpose(t, h, 0, func(int) int64 { return tc.at })
		c.write(t, "fleet.toml", throughRelay(t, c, h, r, fleet{parts: []string{long()}}, "long"))
		e := c.run(t, tc.exit, "apply", "-y", "-o", "json")
		got := e.report(t)
		got.expect(t, all(hosts, tc.outcome))
		if said := got.Hosts[0]; !strings.Contains(e.stderr, "lost") && said.Error == "" || said.Connections != 1 {
			t.Errorf("cut after %d bytes: %+v", tc.at, said)
		} else if tc.outcome == "failed" && !strings.Contains(said.Hint, "nothing was applied") {
			t.Errorf("cut after %d bytes: hint %q", tc.at, said.Hint)
		}
		h.tidy(t)
		same(t, hosts, before)
	}
	r := interpose(t, h, 0, nil)
	c.write(t, "fleet.toml", throughRelay(t, c, h, r, fleet{parts: []string{long()}}, "long"))
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
}

// TestRow31AnswersLost ends a connection just when the host has something to say on
// it. What the host did is found out over other connections.
func TestRow31AnswersLost(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "answers", 1)
	h := hosts[0]
	r := interpose(t, h, 0, nil)
	c := newController(t, "version = 1\n")
	port := 8000
	push := func(t *testing.T) *process {
		t.Helper()
		port++
		f := fleet{window: "30s", parts: []string{fmt.Sprintf("[roles.other]\nin = [ { allow = \"tcp/%d\" } ]\n", port)}}
		c.write(t, "fleet.toml", throughRelay(t, c, h, r, f, "other"))
		r.mu.Lock()
		r.cut = nil
		r.mu.Unlock()
		return c.start(t, nil, "apply", "-y", "-o", "json")
	}
	reach := func(t *testing.T, state string) {
		t.Helper()
		until(t, "the host is "+state, 10*time.Second, func() (string, bool) { now := h.state(t); return now, now == state })
	}
	confirmed := func(t *testing.T, p *process) {
		t.Helper()
		e := p.wait(t)
		if e.exit != 0 {
			t.Fatal(e)
		}
		got := e.report(t)
		got.expect(t, all(hosts, "confirmed"))
		if n := got.Hosts[0].Connections; n < 3 {
			t.Errorf("%d connections: was an answer lost?", n)
		}
		if now := h.ruleset(t); !strings.Contains(now, fmt.Sprint(port)) {
			t.Errorf("the host enforces\n%s", now)
		}
		h.tidy(t)
	}

	t.Run("to apply", func(t *testing.T) {
		h.wrapNFT(t, `case "$*" in *-c*) ;; -f*) sleep 1 ;; esac`)
		defer h.unwrapNFT(t)
		p := push(t)
		reach(t, "applied")
		r.cutOff(t, 1)
		// One to learn what became of it, which may not confirm, and one that does.
		confirmed(t, p)
	})
	t.Run("to commit", func(t *testing.T) {
		h.program(t, "/usr/sbin/sync", `for f in /run/fwpush/S.*.confirming.*; do [ ! -e "$f" ] || sleep 1; done
exec /usr/bin/sync "$@"`)
		defer h.sh(t, "rm /usr/sbin/sync")
		p := push(t)
		reach(t, "confirming")
		r.cutOff(t, 2)
		confirmed(t, p)
	})
}
