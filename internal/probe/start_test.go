package probe

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/inventory"
)

// Probes that start on a host, through its own sshd.
func TestFromHost(t *testing.T) {
	from, to := entry(web2(t), "root", "none"), entry(web1(t), "root", "none")
	bare := entry(labHost(t, lab.HostOptions{Name: "bare", SSHD: []string{"AllowTcpForwarding no"}}), "root", "none")
	stranger := from
	stranger.Name, stranger.SSH.Name = "stranger", "stranger"
	stranger.SSH.KnownHosts = []string{filepath.Join(t.TempDir(), "known_hosts")}
	if err := os.WriteFile(stranger.SSH.KnownHosts[0], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	off := at("127.0.0.1")
	off.Name, off.SSH = "off", from.SSH
	off.SSH.Name, off.SSH.Port = "off", 9
	rules(t, web1(t), "ip saddr "+web2(t).Addr4().String()+" tcp dport 5001 drop", "ip6 saddr "+web2(t).Addr6().String()+" tcp dport 5001 drop",
		"tcp dport 5002 reject with icmpx admin-prohibited", "ip saddr "+web2(t).Addr4().String()+" tcp dport 22 drop")
	inside := listen(t, world.Addr4().String())
	fleet := []inventory.Host{from, to, bare, stranger, off}
	p := prober(t, fleet...)
	for _, tt := range []struct{ name, text, want string }{
		{"open over one family", `tcp = 22, from = "host:web2"`, ""},
		{"open that must not be", `tcp = 22, from = "host:web2", expect = false`, ":22 connects, and must not"},
		{"shut", `tcp = 5000, from = "host:web2"`, "from web2: connection refused; …from web2: connection refused"},
		{"shut as it must be", `tcp = 5000, from = "host:web2", expect = false`, ""},
		{"drop", `tcp = 5001, from = "host:web2", timeout = "2s"`, "no answer within 2s; …no answer within 2s"},
		{"drop as it must be", `tcp = 5001, from = "host:web2", expect = false, timeout = "2s"`, ""},
		{"admin-prohibited", `tcp = 5002, from = "host:web2"`, "from web2: …No route to host"},
		{"admin-prohibited as it must be", `tcp = 5002, from = "host:web2", expect = false`, ""},
		{"another host", `tcp = ` + inside + `, host = "` + world.Addr4().String() + `", from = "host:web2"`, ""},
		{"a name that the host knows", `tcp = 22, host = "localhost", from = "host:web2"`, ""},
		{"a name that it does not know", `tcp = 22, host = "nobody.invalid", from = "host:web2"`, "?nobody.invalid:22: from web2: "},
		{"such a name that must not connect", `tcp = 22, host = "nobody.invalid", from = "host:web2", expect = false`, "?nobody.invalid:22: from web2: "},
		{"no route from there", `tcp = 22, host = "192.0.2.1", from = "host:web2", expect = false`, "?192.0.2.1:22: from web2: …etwork is unreachable"},
		{"no forwarding", `tcp = 22, from = "host:bare"`, "?from bare: …AllowTcpForwarding"},
		{"no forwarding to what must not connect", `tcp = 22, from = "host:bare", expect = false`, "?from bare: …AllowTcpForwarding"},
		{"no login", `tcp = 22, from = "host:stranger", expect = false`, "?from stranger: …host key"},
		{"no sshd", `tcp = 22, from = "host:off", expect = false`, "?from off: …connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect(t, p.Of(to, []inventory.Probe{read(t, tt.text, fleet...)})[0].Try(t.Context(), nil), tt.want)
		})
	}
}

// All probes that start on a host share one login there. It is made again when it is
// lost, and when too much hangs on it.
func TestSharedLogin(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "hub"})
	from, to := entry(h, "root", "none"), entry(web1(t), "root", "none")
	rules(t, web1(t), "tcp dport 5001 drop")
	p := prober(t, from)
	try := func(text string) error {
		return p.Of(to, []inventory.Probe{read(t, text+`, from = "host:hub"`, from)})[0].Try(t.Context(), nil)
	}
	accepted := func() int {
		t.Helper()
		text, err := h.Console()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(text, "Accepted publickey")
	}
	before := accepted()
	logins := func(want int) {
		t.Helper()
		if got := accepted() - before; got != want {
			t.Errorf("%d logins, want %d", got, want)
		}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { expect(t, try(`tcp = 22`), "") })
	}
	all.Wait()
	expect(t, try(`tcp = 22`), "")
	logins(1)

	// sshd of the connection ends: the process that forwards for it is not the listener.
	sh(t, h, `for p in /proc/[0-9]*; do case $(tr '\0' ' ' <"$p/cmdline") in "sshd: root"* | "sshd-session: root"*) kill -9 "${p#/proc/}";; esac; done`)
	expect(t, try(`tcp = 22`), "")
	logins(2)

	// Two attempts of each hang for two minutes on the host.
	for range maxHung/2 + 1 {
		all.Go(func() { expect(t, try(`tcp = 5001, expect = false, timeout = "3s"`), "") })
	}
	all.Wait()
	waiting := func() string { return sh(t, h, `ss -tnH state syn-sent | wc -l`) }
	for end := time.Now().Add(5 * time.Second); waiting() != "0"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s connections are still being made by the host", waiting())
		}
	}
	expect(t, try(`tcp = 22`), "")
	logins(3)
}

// The silence of the host that a probe starts on is not that of who is probed.
func TestStartGoesSilent(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "mute"})
	from, to := entry(h, "root", "none"), entry(web1(t), "root", "none")
	p := prober(t, from)
	probe := func(text string) error {
		return p.Of(to, []inventory.Probe{read(t, text+`, from = "host:mute"`, from)})[0].Try(t.Context(), nil)
	}
	expect(t, probe(`tcp = 22`), "")
	rules(t, h, "ip saddr "+world.Addr4().String()+" drop")
	expect(t, probe(`tcp = 5000, expect = false, timeout = "2s"`), "?from mute: the host itself gives no sign of life")
	expect(t, probe(`http = "/", expect = false, timeout = "2s"`), "?from mute: the host itself gives no sign of life")
}

// A login that takes most of the timeout leaves too little for silence.
func TestLateSilence(t *testing.T) {
	expect(t, silence("web1:1", time.Now().Add(-2*time.Second), 5*time.Second).why, "only 2…s of 5s were left")
	if a := silence("web1:1", time.Now().Add(-3*time.Second), 5*time.Second); a.fate != notThere {
		t.Errorf("fate %d", a.fate)
	}
}

// Nothing gets through once so many connections are being made that sshd could run out
// of file descriptors, and nothing hangs for it either.
func TestBusyStart(t *testing.T) {
	from := entry(web2(t), "root", "none")
	p := prober(t, from)
	probe := p.Of(at("127.0.0.1"), []inventory.Probe{read(t, `tcp = 22, from = "host:web2", timeout = "1s"`, from)})[0]
	s, err := p.start("host:web2")
	if err != nil {
		t.Fatal(err)
	}
	for range maxBusy {
		s.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	expect(t, probe.Try(ctx, nil), "?from web2: too many other connections")
	<-s.slots
	expect(t, probe.Try(ctx, nil), "")
}
