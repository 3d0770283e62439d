package transport

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"fwpush/inventory"
)

// behind is an endpoint reached through a real sshd.
func behind(ep, jump inventory.Endpoint, name string) inventory.Endpoint {
	ep.Name, ep.Via = name, &jump
	return ep
}

// Real servers on every hop, over one and over two: each login is end to end, sshd at the
// host sees the jump host, and the connections to the jump hosts are shared.
func TestRealSSHDThroughJumpHosts(t *testing.T) {
	first, second, far := newSSHD(t, ""), newSSHD(t, ""), newSSHD(t, "")
	outer := first.endpoint(t)
	outer.Name = "outer"
	inner := behind(second.endpoint(t), outer, "inner")
	d := New(Options{})
	t.Cleanup(func() { d.Close() })
	says := func(ep inventory.Endpoint, dial func() (*Conn, error)) string {
		conn, err := dial()
		if err != nil {
			t.Fatalf("%s: %v", ep.Name, err)
		}
		defer conn.Close()
		x := start(t, conn, `echo "$SSH_CONNECTION"`)
		line, err := x.ReadLine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		again, err := d.Redial(t.Context(), conn.Pinned())
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
		return line
	}
	seen := map[string]bool{}
	for name, ep := range map[string]inventory.Endpoint{
		"one hop":  behind(far.endpoint(t), outer, "web1"),
		"two hops": behind(far.endpoint(t), inner, "web2"),
	} {
		for range 2 {
			line := says(ep, func() (*Conn, error) { return d.Dial(t.Context(), ep) })
			if want := fmt.Sprintf(" %s %d", far.addr.Addr(), far.addr.Port()); !strings.HasSuffix(line, want) || seen[line] {
				t.Errorf("%s: the host sees %q; before: %v", name, line, seen)
			}
			seen[line] = true
		}
		says(ep, func() (*Conn, error) { return d.DialApart(t.Context(), ep) })
	}
	if n := len(d.hops); n != 2 {
		t.Errorf("%d connections to jump hosts are shared, want 2", n)
	}
}

// What OpenSSH says where it does not connect, and where it cannot.
func TestRealSSHDDoesNotConnect(t *testing.T) {
	d := New(Options{})
	t.Cleanup(func() { d.Close() })
	far, closed := newSSHD(t, ""), newSSHD(t, "")
	closed.stop()
	for _, tt := range []struct {
		name, config string
		to           inventory.Endpoint
		want         string
	}{
		{"forwarding off", "AllowTcpForwarding no", far.endpoint(t),
			"sshd there does not connect to the host for us: open failed; allow it with AllowTcpForwarding local, or PermitOpen, in the sshd_config of that host"},
		{"forwarding to others only", "PermitOpen 192.0.2.1:22", far.endpoint(t),
			"sshd there does not connect to the host for us: open failed; allow it with AllowTcpForwarding local, or PermitOpen, in the sshd_config of that host"},
		{"nobody there", "", closed.endpoint(t),
			"cannot connect to it: Connection refused; check its address and port, that sshd runs there, and the firewalls between the two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			jump := newSSHD(t, tt.config).endpoint(t)
			jump.Name = "bastion1"
			_, err := d.Dial(t.Context(), behind(tt.to, jump, "web1"))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) || !strings.Contains(err.Error(), fmt.Sprintf("bastion1 (%s:%d)", jump.Address, jump.Port)) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	jump := newSSHD(t, "").endpoint(t)
	nowhere := behind(far.endpoint(t), jump, "web1")
	nowhere.Address = "bad..name" // refused by the resolver itself
	var dial *DialError
	if _, err := d.Dial(t.Context(), nowhere); !errors.As(err, &dial) || dial.Jump() || !strings.Contains(err.Error(), "cannot connect to it: ") {
		t.Errorf("a name that does not resolve there: %v", err)
	}
}

// The connection of the jump host's sshd is killed; the next login goes over a new one.
func TestRealSSHDJumpHostIsRestarted(t *testing.T) {
	jump, far := newSSHD(t, ""), newSSHD(t, "")
	d := New(Options{})
	t.Cleanup(func() { d.Close() })
	ep := behind(far.endpoint(t), jump.endpoint(t), "web1")
	conn, err := d.Dial(t.Context(), ep)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	x := start(t, conn, "cat")
	jump.stop()
	session := start(t, d.hopOf(t, *ep.Via), `kill -9 $PPID`) // sshd of this connection outlives the listener
	session.Wait(t.Context())
	var lost *LostError
	if err := x.Wait(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "the connection to the jump host") {
		t.Errorf("got %v", err)
	}
	if _, err := d.Redial(t.Context(), conn.Pinned()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("with the jump host down: %v", err)
	}
	jump.start(t, "")
	again, err := d.Redial(t.Context(), conn.Pinned())
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// Two jumps of real sshds: a wrong host key, at the first, at the second or at the host,
// stops the login there, and says whose it is.
func TestRealSSHDWrongKeyOnTheWay(t *testing.T) {
	servers := []*sshdHost{newSSHD(t, ""), newSSHD(t, ""), newSSHD(t, "")}
	names := []string{"outer", "inner", "web1"}
	for wrong := range names {
		d := New(Options{})
		t.Cleanup(func() { d.Close() })
		var ep inventory.Endpoint
		for i, s := range servers {
			next := s.endpoint(t)
			next.Name = names[i]
			if i == wrong {
				other := newSSHD(t, "").endpoint(t)
				text, err := os.ReadFile(other.KnownHosts[0])
				if err != nil {
					t.Fatal(err)
				}
				mine := strings.ReplaceAll(string(text), fmt.Sprint(other.Port), fmt.Sprint(next.Port))
				next.KnownHosts = []string{writeFile(t, "known_hosts", mine)}
			}
			if i > 0 {
				via := ep
				next.Via = &via
			}
			ep = next
		}
		_, err := d.Dial(t.Context(), ep)
		var key *HostKeyError
		if !errors.As(err, &key) || key.Peer.Host != names[wrong] || !strings.Contains(err.Error(), "changed") {
			t.Errorf("a wrong key at %s: %v", names[wrong], err)
		}
	}
}
