package probe

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/transport"
)

// known writes a known_hosts file with a host's key for its IPv4 address only.
func known(t *testing.T, h *lab.Host) string {
	t.Helper()
	text, err := os.ReadFile(world.KnownHosts())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "known_hosts")
	for line := range strings.Lines(string(text)) {
		names, key, _ := strings.Cut(line, " ")
		if strings.HasPrefix(names, h.Addr4().String()+",") {
			if err := os.WriteFile(path, []byte(h.Addr4().String()+" "+key), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	t.Fatalf("no key of %s", h.Name())
	return ""
}

func TestLogin(t *testing.T) {
	h, other := entry(web1(t), "root", "none"), entry(web2(t), "root", "none")
	h.SSH.KnownHosts = []string{known(t, web1(t))}
	p := prober(t)
	conn := dial(t, h)
	try := func(h inventory.Host, text string) error {
		return p.Of(h, []inventory.Probe{read(t, text)})[0].Try(t.Context(), conn)
	}
	only := func(addrs ...string) inventory.Host {
		h := h
		h.Addresses = at(addrs...).Addresses
		return h
	}
	v4, v6 := h.SSH.Address, web1(t).Addr6().String()

	// No known_hosts file has the key for that address: it is the one seen before.
	expect(t, try(h, `ssh = "ipv6"`), "")
	expect(t, try(h, `ssh = "ipv4"`), "")
	expect(t, try(h, `ssh = "ipv6", expect = false`), "["+v6+"]:22 takes a login, and must not")
	// A host that no fleet file gives an address.
	expect(t, try(only(), `ssh = "ipv4"`), "")
	expect(t, try(only(), `ssh = "ipv6"`), "?web1 has no ipv6 address in the fleet file")
	expect(t, try(only(v4), `ssh = "ipv6", expect = false`), "?web1 has no ipv6 address in the fleet file")
	expect(t, try(only("2001:db8::1"), `ssh = "ipv6", expect = false`), "?no route from here")
	// Another host at the address of this one.
	expect(t, try(only(v4, other.Addresses[0].Addresses[1].V.String()), `ssh = "ipv6"`), "key")
	expect(t, try(only(v4, other.Addresses[0].Addresses[1].V.String()), `ssh = "ipv6", expect = false`), "connects, if without a login, and must not")
	// Behind a NAT the port of sshd is what the host says it is.
	moved := only(v6)
	moved.SSHDPorts = []inventory.At[uint16]{{V: 2222}}
	expect(t, try(moved, `ssh = "ipv6"`), "["+v6+"]:2222: …refused")
	expect(t, try(moved, `ssh = "ipv6", expect = false`), "")

	rules(t, web1(t), "meta nfproto ipv6 tcp dport 22 drop")
	expect(t, try(h, `ssh = "ipv6", timeout = "2s"`), "["+v6+"]:22: no answer within 2s")
	expect(t, try(h, `ssh = "ipv6", timeout = "2s", expect = false`), "")
	expect(t, try(h, `ssh = "ipv4"`), "")

	began := time.Now()
	none := p.Of(h, []inventory.Probe{read(t, `ssh = "ipv6", timeout = "1s"`)})[0]
	expect(t, none.Try(t.Context(), conn), "no answer within 1s")
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("took %s", took)
	}
	expect(t, none.Try(t.Context(), nil), "?there is no connection to the host")
}

// A host behind a jump host is tried from there, and what is wrong with the jump host is
// no answer of the host.
func TestLoginThroughAJumpHost(t *testing.T) {
	h, bastion := entry(web1(t), "root", "none"), entry(web2(t), "root", "none")
	h.SSH.Jump, h.SSH.Via = bastion.Name, &bastion.SSH
	dialer := transport.New(transport.Options{})
	t.Cleanup(func() { dialer.Close() })
	conn, err := dialer.Dial(t.Context(), h.SSH)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := NewProber(dialer, func(string) (inventory.Host, bool) { return inventory.Host{}, false })
	t.Cleanup(func() { p.Close() })
	try := func(h inventory.Host, text string) error {
		return p.Of(h, []inventory.Probe{read(t, text)})[0].Try(t.Context(), conn)
	}
	v6 := web1(t).Addr6().String()
	expect(t, try(h, `ssh = "ipv4"`), "")
	expect(t, try(h, `ssh = "ipv6"`), "")
	moved := h
	moved.Addresses = at(v6).Addresses
	moved.SSHDPorts = []inventory.At[uint16]{{V: 2222}}
	expect(t, try(moved, `ssh = "ipv6"`), "["+v6+"]:2222: …refused")
	expect(t, try(moved, `ssh = "ipv6", expect = false`), "")
	bastion.SSH.Port = 2222
	expect(t, try(h, `ssh = "ipv6"`), "?through web2 (")
	expect(t, try(h, `ssh = "ipv6", expect = false`), "?through web2 (")
}

// A server that takes connections and says nothing is open, if to no use.
func TestLoginAtSomethingElse(t *testing.T) {
	h := entry(web1(t), "root", "none")
	conn := dial(t, h)
	port := listen(t, "::1")
	h.Addresses = at("::1").Addresses
	h.SSHDPorts[0].V = netip.MustParseAddrPort("[::1]:" + port).Port()
	p := prober(t)
	expect(t, p.Of(h, []inventory.Probe{read(t, `ssh = "ipv6", timeout = "1s"`)})[0].Try(t.Context(), conn), "[::1]:"+port+": …during the handshake")
	expect(t, p.Of(h, []inventory.Probe{read(t, `ssh = "ipv6", timeout = "1s", expect = false`)})[0].Try(t.Context(), conn), "connects, if without a login, and must not")
}
