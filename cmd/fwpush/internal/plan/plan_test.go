package plan

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/roles"
)

func read(t *testing.T, text string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fleet.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(t.Context(), Source{Path: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const twoHosts = `version = 1
[management]
from = ["192.0.2.10"]
controller = ["%s"]
[hosts.web1]
roles = ["web"]
addresses = ["203.0.113.11"]
[hosts.web2]
roles = ["web"]
addresses = ["203.0.113.12"]
`

func TestProveAndFindings(t *testing.T) {
	for _, tt := range []struct {
		controller string
		accepted   bool
		state      roles.ProofState
		severity   inventory.Severity
		findings   int
	}{
		{"192.0.2.10", false, roles.Admitted, 0, 0},
		{"192.0.2.11", false, roles.Refused, inventory.Error, 1},
		{"192.0.2.11", true, roles.Refused, inventory.Warning, 1},
		{"2001:db8::1", false, roles.Undecided, inventory.Note, 1},
	} {
		f := read(t, fmt.Sprintf(twoHosts, tt.controller))
		members, err := f.Choose(inventory.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		proofs := f.Prove(t.Context(), members)
		for _, p := range proofs {
			if p.State != tt.state || p.From() != tt.controller {
				t.Errorf("%s: %s from %s, want %s from %s", p.Host.Name, p.State, p.From(), tt.state, tt.controller)
			}
		}
		found := f.Fleet.Annotate(f.Findings(proofs, tt.accepted))
		if len(found) != tt.findings || len(found) > 0 && (found[0].Severity != tt.severity || found[0].Source == "") {
			t.Errorf("controller %s: %+v", tt.controller, found)
		}
	}
}

// The jump host looks up the name of what is behind it: what the name is here proves
// nothing.
func TestNamesBehindAJumpHostAreNotLookedUpHere(t *testing.T) {
	f := read(t, `version = 1
[management]
from = ["2001:db8::1"]
[hosts.bastion1]
unmanaged = true
addresses = ["192.0.2.9", "2001:db8::1"]
[hosts.web1]
ssh = { address = "localhost", jump = "bastion1" }
`)
	members, err := f.Choose(inventory.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "the host is reached through bastion1, of which 192.0.2.9 is not admitted"
	if p := f.Prove(t.Context(), members)[0]; p.State != roles.Undecided || p.Reason != want {
		t.Errorf("%s: %q, want %q", p.State, p.Reason, want)
	}
}

func TestAMistakeLeavesNoPolicy(t *testing.T) {
	f := read(t, fmt.Sprintf(twoHosts, "nonsense"))
	if len(f.Problems.Errors()) != 1 {
		t.Fatalf("%+v", f.Problems)
	}
	if members, err := f.Choose(inventory.Selection{}); err != nil || members[0].Policy.Host != "" {
		t.Errorf("%+v, %v", members, err)
	}
}

func TestLocalAddress(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if got := localAddress(t.Context(), inventory.Endpoint{Port: 22}, loopback); got != loopback {
		t.Errorf("towards %s: %s", loopback, got)
	}
	if got := localAddress(t.Context(), inventory.Endpoint{Port: 22}, netip.Addr{}); got.IsValid() {
		t.Errorf("towards nothing: %s", got)
	}
}

// counting is a Checker that finds the same two faults everywhere.
type counting struct{ asked int }

func (c *counting) Check(context.Context, inventory.Endpoint) error {
	c.asked++
	return errors.Join(errors.New("known_hosts is missing"), errors.New("no key"))
}

func TestPreflightAsksOnceForTheSameSettings(t *testing.T) {
	var targets []rollout.Target
	for i := range 10 {
		ep := inventory.Endpoint{Identity: []string{"key"}, KnownHosts: []string{"known"}}
		if i == 9 {
			ep.Identity, ep.KnownHosts = []string{"key", "known"}, nil
		}
		if i > 6 && i < 9 {
			ep.Via = &inventory.Endpoint{Identity: []string{"key of the jump host"}, KnownHosts: []string{"known"}}
		}
		targets = append(targets, rollout.Target{Host: inventory.Host{SSH: ep}})
	}
	c := &counting{}
	var got []string
	for _, err := range Preflight(t.Context(), c, targets) {
		got = append(got, err.Error())
	}
	if want := []string{"known_hosts is missing", "no key"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if c.asked != 3 {
		t.Errorf("asked %d times, want 3: of hosts, of those behind a jump host, and of one with other files", c.asked)
	}
}
