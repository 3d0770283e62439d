package sshconfig

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
	"fwpush/inventory"
	"fwpush/transport"
)

// world is servers at two ports of every loopback address, where every key may log in as
// anybody and connect to any of them.
type world struct {
	servers []*sshtest.Server
	ports   []uint16
	dir     string // with key files
	known   string // known_hosts
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	hostKey := sshtest.NewKey(t)
	var keys []ssh.PublicKey
	for _, name := range []string{"k1", "k2", "k3", "id_alice", "id_bob", "id_h1", "id_17", me.Username + "_key", "k%1"} {
		path, key := sshtest.NewIdentity(t, "")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	w.known = filepath.Join(w.dir, "known_hosts")
	if err := os.WriteFile(w.known, append([]byte("* "), ssh.MarshalAuthorizedKey(hostKey.PublicKey())...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := sshtest.New(t, sshtest.Config{Keys: keys, ManyHosts: true,
			HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{hostKey} },
			Forward:  func(_ context.Context, address string) string { return address }})
		w.servers = append(w.servers, s)
		w.ports = append(w.ports, s.Addr().Port())
	}
	return w
}

// seen is what the servers were asked since then: each login, with who came from where, and
// where they went on to. Jump hosts come first, as they are logged in to first.
func (w *world) seen() []string {
	var list []string
	for _, s := range w.servers {
		for _, r := range s.Requests() {
			if r.Scope != "channel" {
				continue
			}
			to := "a session"
			var forward struct {
				Host       string
				Port       uint32
				Origin     string
				OriginPort uint32
			}
			if r.Type == "direct-tcpip" && ssh.Unmarshal(r.Payload, &forward) == nil {
				to = fmt.Sprintf("%s:%d", forward.Host, forward.Port)
			}
			list = append(list, fmt.Sprintf("%s@%s from %s with %s to %s", r.User, r.Host, r.Client, r.Key, to))
		}
	}
	slices.Sort(list)
	return list
}

// since is what of after is not in before.
func since(before, after []string) []string {
	var list []string
	for _, line := range after {
		if i := slices.Index(before, line); i >= 0 {
			before = slices.Delete(slices.Clone(before), i, i+1)
			continue
		}
		list = append(list, line)
	}
	return list
}

// TestAsSSH draws configurations and has ssh and fwpush log in to the same servers: both
// come as the same users, from the same address, with the same key first, through the same
// jump hosts to the same end.
func TestAsSSH(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	const configurations = 200
	in, circles, jumps := 0, 0, 0
	for seed := range uint64(configurations) {
		w := newWorld(t)
		file := configuration(t, seed, w.dir, w.known, w.ports)
		name := typed[seed%uint64(len(typed))]
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		err = w.fwpush(t, file, name)
		if err != nil && strings.Contains(err.Error(), "in a circle") {
			circles++ // ssh would start itself until the machine is full
			continue
		}
		before := w.seen()
		theirs := w.ssh(t, file, name)
		got, want := before, since(before, w.seen())
		if !slices.Equal(got, want) || (theirs == nil) != (err == nil) {
			t.Errorf("seed %d, ssh -F config %s:\n%s\nssh (%v):\n  %s\nfwpush (%v):\n  %s", seed, name, text,
				theirs, strings.Join(want, "\n  "), err, strings.Join(got, "\n  "))
		}
		if err == nil {
			in++
		}
		if len(want) > 1 {
			jumps++
		}
	}
	if in < configurations/2 || jumps < configurations/8 || circles > configurations/4 {
		t.Errorf("of %d configurations only %d let anybody in, %d through jump hosts, and %d go in circles", configurations, in, jumps, circles)
	}
}

// fwpush logs in.
func (w *world) fwpush(t *testing.T, file, name string) error {
	fleet := func(name string) (inventory.Endpoint, bool) {
		ep := inventory.Endpoint{Name: name, Address: strings.ToLower(name), Port: 22, Written: map[string]inventory.Place{}, ConnectTimeout: 10 * time.Second}
		return ep, name == "h4" || slices.Contains(typed, name)
	}
	r, err := New(file, fleet)
	if err != nil {
		t.Fatal(err)
	}
	ep, _ := fleet(name)
	resolved, err := r.Resolve(t.Context(), []inventory.Endpoint{ep})
	if err != nil {
		return err
	}
	d := transport.New(transport.Options{})
	defer d.Close()
	conn, err := d.Dial(t.Context(), resolved[0].Endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	x, err := conn.Start(t.Context(), "true")
	if err != nil {
		return err
	}
	if err := x.CloseWrite(); err != nil {
		return err
	}
	return x.Wait(t.Context())
}

// ssh logs in as a person does.
func (w *world) ssh(t *testing.T, file, name string) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", "-F", file, "-T", name, "true").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
