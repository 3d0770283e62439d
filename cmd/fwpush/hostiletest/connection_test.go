package hostiletest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// lines before the version that a server may send (RFC 4253, section 4.2), and what no server may.
func raws() map[string]func(net.Conn) {
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			io.WriteString(c, text)
			io.Copy(io.Discard, c)
		}
	}
	endless := func(text string) func(net.Conn) {
		return func(c net.Conn) { flood(c, text) }
	}
	return map[string]func(net.Conn){
		"version: escapes":               say("SSH-2.0-" + evil + "\r\n"),
		"version: another protocol":      say("HTTP/1.1 200 OK\r\nServer: " + evil + "\r\n\r\n"),
		"version: 1.5":                   say("SSH-1.5-" + evil + "\r\n"),
		"version: no end":                endless("SSH-2.0-xxxxxxx"),
		"version: lines without end":     endless("hello " + evil + "\r\n"),
		"version: NUL without end":       endless("\x00"),
		"version: told, then silence":    say("SSH-2.0-OpenSSH_9.6\r\n"),
		"version: sshd is full":          func(c net.Conn) { io.WriteString(c, "Exceeded MaxStartups\r\n") },
		"version: not allowed":           func(c net.Conn) { io.WriteString(c, "Not allowed at this time"+evil+"\r\n") },
		"kex: random bytes":              say("SSH-2.0-OpenSSH_9.6\r\n" + strings.Repeat("\x00\x00\x01\x0c\x0a\x14"+evil, 100)),
		"kex: a packet of 4 GB":          say("SSH-2.0-OpenSSH_9.6\r\n\xff\xff\xff\xff\x10" + evil),
		"kex: a packet of nothing":       say("SSH-2.0-OpenSSH_9.6\r\n" + strings.Repeat("\x00", 4096)),
		"kex: ignore without end":        endlessAfter("SSH-2.0-OpenSSH_9.6\r\n", "\x00\x00\x00\x0c\x06\x02\x00\x00\x00\x00xxxxxx"),
		"kex: goodbye with escapes":      say("SSH-2.0-OpenSSH_9.6\r\n" + disconnect(evil)),
		"kex: algorithms nobody knows":   say("SSH-2.0-OpenSSH_9.6\r\n" + kexinit(evil)),
		"kex: 30 kB of algorithms":       say("SSH-2.0-OpenSSH_9.6\r\n" + kexinit(strings.Repeat("a,", 15000)+evil)),
		"version: escapes, then goodbye": func(c net.Conn) { io.WriteString(c, "SSH-2.0-"+evil+"\r\n"+disconnect(evil)) },
		"version: a drop at a time":      func(c net.Conn) { dripTo(c, "SSH-2.0-OpenSSH_9.6"+strings.Repeat("x", 200), 100*time.Millisecond) },
		"version: a line at a time":      func(c net.Conn) { dripTo(c, strings.Repeat("\n", 10_000), 50*time.Millisecond) },
	}
}

func endlessAfter(first, text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, first)
		flood(c, text)
	}
}

func dripTo(w io.Writer, text string, pause time.Duration) {
	for i := range len(text) {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause) // a host that is slow on purpose
	}
}

// packet is an SSH packet before there are keys (RFC 4253, section 6).
func packet(payload string) string {
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	n := 1 + len(payload) + pad
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), byte(pad)}) + payload + strings.Repeat("\x00", pad)
}

func text(s string) string {
	return string([]byte{byte(len(s) >> 24), byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))}) + s
}

func disconnect(why string) string { return packet("\x01\x00\x00\x00\x0b" + text(why) + text(why)) }

func kexinit(algorithms string) string {
	return packet("\x14" + strings.Repeat("\x00", 16) + strings.Repeat(text(algorithms), 10) + "\x00\x00\x00\x00\x00")
}

// connections are the faults of a connection, by what they are.
func connections() map[string]sshtest.Fault {
	m := map[string]sshtest.Fault{
		"login: a banner of escapes":  {Banner: evil + "\n" + evil},
		"login: a banner of 30 kB":    {Banner: strings.Repeat(evil+"\n", 350)},
		"login: banner, then refused": {Banner: evil, At: sshtest.Auth, Do: sshtest.Refuse},
		"session: requests without end": {Extra: func(c *sshtest.Connection) {
			for range 20_000 {
				if c.Request("hostkeys-00@openssh.com", []byte(evil)) != nil {
					return
				}
			}
		}},
		"session: asks for channels": {Extra: func(c *sshtest.Connection) {
			for _, kind := range []string{"x11", "auth-agent@openssh.com", "forwarded-tcpip", "session", evil} {
				c.Open(kind, []byte(evil))
			}
		}},
	}
	for _, at := range []sshtest.Point{sshtest.Accept, sshtest.Auth, sshtest.Session, sshtest.Command} {
		for _, do := range []sshtest.Action{sshtest.Hang, sshtest.Drop, sshtest.Refuse} {
			m[string(at)+": "+string(do)] = sshtest.Fault{At: at, Do: do}
		}
	}
	for what, do := range raws() {
		m[what] = sshtest.Fault{Raw: do}
	}
	return m
}

// harmless are those after which a host still says how it stands.
var harmless = []string{"login: a banner of escapes", "login: a banner of 30 kB", "session: requests without end", "session: asks for channels"}

// TestHostileConnections: connections that go wrong before anything is run, from the first byte on.
// Each takes its ConnectTimeout at the most, or twice where the session is opened by then, and the
// honest host beside them is told of at once.
func TestHostileConnections(t *testing.T) {
	t.Parallel()
	faults := connections()
	f := newFleet(t, 1+len(faults), simhost.Options{})
	what := map[string]string{}
	for i, name := range sorted(faults) {
		what[f.names[1+i]] = name
		fault := faults[name]
		f.sim.Host(1 + i).SetFaults(simhost.Faults{Connection: func(int) sshtest.Fault { return fault }})
	}
	hosts, e := f.json(30*time.Second, "status", "--forks", "200")
	t.Logf("%d hosts in %s, %d MiB", len(f.names), e.took, e.rss>>20)
	if e.took > 15*time.Second { // 2 s each, on a machine that has other things to do

		t.Errorf("status took %s", e.took)
	}
	for name, fault := range what {
		h := hosts[name]
		want := "unreachable"
		switch {
		case contains(harmless, fault):
			want = "absent"
		case fault == "session: refuse", fault == "command: refuse": // it let us in
			want = "failed"
		}
		if h.Outcome != want || h.Connections > 4 {
			t.Errorf("%s: %s after %d connections: %s", fault, h.Outcome, h.Connections, h.Error)
		}
	}
	if h := hosts[f.names[0]]; h.Outcome != "absent" {
		t.Errorf("the honest host: %+v", h)
	}
	f.run(30*time.Second, "status", "--forks", "200", "-v")

	// Their keys are asked for in the same way.
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fleet := filepath.Join(f.dir, "fleet.toml")
	text, err := os.ReadFile(fleet)
	if err != nil {
		t.Fatal(err)
	}
	ep := f.sim.Endpoint(0)
	if err := os.WriteFile(fleet, bytes.Replace(text, []byte(ep.KnownHosts[0]), []byte(known), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run(30*time.Second, "trust", "-y", "--forks", "200", "-v")
	if text, err = os.ReadFile(known); err != nil || raw(string(text), false) != "" {
		t.Errorf("known_hosts: %v, %s", err, raw(string(text), false))
	}
}

// TestHostileBytes: a connection that is cut, or falls silent, after each number of bytes that the
// host sends from the first on.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	const hosts, most = 20, 6000 // an honest answer has about so many
	f := newFleet(t, hosts, simhost.Options{})
	for i := range hosts {
		f.sim.Host(i).SetFaults(simhost.Faults{Connection: func(int) sshtest.Fault {
			if n := 1 + i*most/hosts; i%2 == 0 {
				return sshtest.Fault{CutAfter: n}
			} else {
				return sshtest.Fault{StallAfter: min(n, 1500)} // later ones wait for facts
			}
		}})
	}
	_, e := f.json(30*time.Second, "status", "--forks", "200")
	t.Logf("%s", e.took)
}
