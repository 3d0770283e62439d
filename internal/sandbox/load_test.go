package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fwpush/internal/sandbox"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// asNobody makes the test program load what it is given on stdin, as a user.
const asNobody = "FWPUSH_TEST_AS_NOBODY"

func TestMain(m *testing.M) {
	if path := os.Getenv(asNobody); path != "" {
		text, err := os.ReadFile(path)
		if err == nil {
			var box *sandbox.Sandbox
			if box, err = sandbox.New(context.Background()); err == nil {
				err = box.Load(context.Background(), render.Ruleset{Backend: render.BackendOf(string(text)), Text: string(text)})
			}
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func ruleset(t *testing.T, change func(*roles.Policy)) render.Ruleset {
	t.Helper()
	rs, err := render.Nftables(policy(change))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func policy(change func(*roles.Policy)) roles.Policy {
	from := netip.MustParseAddr("192.0.2.1")
	p := roles.Policy{Host: "h", Inbound: inventory.Drop, Outbound: inventory.Accept, Ping: inventory.Ping{On: true}, AcceptRA: true,
		Management: roles.Management{Ports: []uint16{22}, Peers: []roles.Peer{{Kind: roles.Literal, V4: []inventory.AddrRange{{From: from, To: from}}}}}}
	change(&p)
	return p
}

// large has more elements and more rules than a message of a user may hold.
func large(p *roles.Policy) {
	many := roles.Peer{Kind: roles.SetPeer, Name: "many"}
	for i := range 6000 {
		a := netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 1})
		many.V4 = append(many.V4, inventory.AddrRange{From: a, To: a})
	}
	for i := range 600 {
		port := uint16(1000 + 2*i)
		p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, From: []roles.Peer{many}, Name: fmt.Sprint("r", i), Counted: i%50 == 0,
			Rate:    map[bool]inventory.Rate{true: {N: 6, Per: 60e9, Burst: 5, Scope: inventory.PerSource}}[i%100 == 0],
			Comment: strings.Repeat("x", 100), Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: port, To: port}}}})
	}
}

func TestLoad(t *testing.T) {
	box, err := sandbox.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := ruleset(t, func(*roles.Policy) {})
	if err := box.Load(t.Context(), good); err != nil {
		t.Error(err)
	}
	bad := good
	bad.Text = strings.Replace(good.Text, `iifname "lo" accept`, `iifname "lo" acept`, 1)
	var refused *sandbox.RefusedError
	if err := box.Load(t.Context(), bad); !errors.As(err, &refused) || refused.Line == 0 ||
		!strings.Contains(strings.Split(bad.Text, "\n")[refused.Line-1], "acept") || !strings.Contains(err.Error(), "syntax error") {
		t.Errorf("got %v, line %+v", err, refused)
	}
	for _, ipset := range []bool{true, false} {
		rs, err := render.Iptables(policy(large), ipset)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Load(t.Context(), rs); err != nil {
			t.Errorf("ipset %t: %v", ipset, err)
		}
		rs.Text = strings.Replace(rs.Text, "-j ACCEPT", "-j ACEPT", 1)
		if err := box.Load(t.Context(), rs); !errors.As(err, &refused) {
			t.Errorf("ipset %t: a target that is none loads: %v", ipset, err)
		}
	}
}

// TestPieces loads a ruleset whole and in pieces, and lists what came of it.
func TestPieces(t *testing.T) {
	text := ruleset(t, large).Text
	pieces := render.Pieces(text, 50_000)
	if len(pieces) < 10 {
		t.Fatalf("%d pieces", len(pieces))
	}
	if whole := render.Pieces(text, 100<<20); len(whole) != 1 {
		t.Errorf("%d pieces where one is enough", len(whole))
	}
	one, many := listing(t, text), listing(t, pieces...)
	if render.Canonical(one) != render.Canonical(many) || !strings.Contains(one, "10.23.249.1") {
		t.Error("pieces make another table than the whole")
	}
}

func listing(t *testing.T, texts ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-n", "sh", "-ec", `for f; do nft -f "$f"; done; nft -s list table inet fwpush`, "sh"}
	for i, text := range texts {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	out, err := exec.CommandContext(t.Context(), "unshare", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %.300s", err, out)
	}
	return string(out)
}

// TestWithoutRoot loads as a user what is too long for a user's message.
func TestWithoutRoot(t *testing.T) {
	dir, err := os.MkdirTemp("", "fwpush-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	self, rules := filepath.Join(dir, "test"), filepath.Join(dir, "rules")
	if err := errors.Join(os.WriteFile(self, program, 0o755), os.WriteFile(rules, []byte(ruleset(t, large).Text), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = []string{"PATH=/usr/bin:/bin", asNobody + "=" + rules, "TMPDIR=/tmp"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
