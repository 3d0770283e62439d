package rollout

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/commit"
	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/transport"
)

var world *lab.World

// The tests of this package run beside real hosts: a world of namespaces with
// sshd, atd and nft of their own.
func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error { world = w; return nil }))
}

// labHosts starts n hosts, web01 and so on.
func labHosts(t *testing.T, n int) []*lab.Host {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	hosts := make([]*lab.Host, n)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range hosts {
		group.Go(func() (err error) {
			hosts[i], err = world.Host(ctx, lab.HostOptions{Name: fmt.Sprintf("web%02d", i+1)})
			return err
		})
	}
	err := group.Wait()
	t.Cleanup(func() {
		for _, h := range hosts {
			if h == nil {
				continue
			}
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// labTargets are the hosts with a policy that admits the controller and ports.
func labTargets(t *testing.T, hosts []*lab.Host, ports ...uint16) []Target {
	t.Helper()
	targets := make([]Target, len(hosts))
	for i, h := range hosts {
		targets[i] = target(t, policy(h.Name(), world.Addr4(), ports...))
		targets[i].Candidate.Window = 30 * time.Second
		targets[i].Host.SSH = inventory.Endpoint{
			Name: h.Name(), Address: h.Addr4().String(), Port: uint16(h.Port()), User: "root", Become: "none",
			Identity: []string{world.KeyFile()}, KnownHosts: []string{world.KnownHosts()}, ConnectTimeout: 5 * time.Second,
		}
	}
	return targets
}

// eachForItself lets every host fail.
func eachForItself() Strategy { return Strategy{MaxFailures: inventory.Budget{Percent: 100}} }

func dialer() *transport.Dialer { return transport.New(transport.Options{}) }

// sh runs a script at the host's console and returns its output.
func sh(t *testing.T, h *lab.Host, script string) string {
	t.Helper()
	out, _, err := h.Exec(t.Context(), script, "sh", "-s")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

func table(t *testing.T, h *lab.Host) string {
	t.Helper()
	return sh(t, h, "nft -s list table inet fwpush 2>/dev/null || true")
}

// await looks ten times a second until it has happened.
func await(t *testing.T, what string, limit time.Duration, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !happened(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// begin applies a target's candidate and loses the controller.
func begin(t *testing.T, target Target) {
	t.Helper()
	conn, err := dialer().Dial(t.Context(), target.Host.SSH)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := target.Candidate
	c.Judge = func(commit.Facts) commit.Verdict { return commit.Verdict{Act: commit.Go} }
	if pending, r := commit.Begin(t.Context(), conn, c); pending == nil {
		t.Fatalf("%s: not applied: %s at %s: %v", target.Host.Name, r.Outcome, r.Stage, r.Err)
	}
}

// expect compares outcomes and tells of every host that has an error.
func expect(t *testing.T, results []Result, want string) {
	t.Helper()
	if got := outcomesOf(results); got != want {
		t.Errorf("outcomes\n%s\nwant\n%s", got, want)
		for _, r := range results {
			if r.Err != nil {
				t.Logf("%s at %q: %v (%s)", r.Name, r.Stage, r.Err, r.Hint)
			}
		}
	}
}

// wholeFleet is "web01 OUTCOME, web02 OUTCOME, ..." with exceptions by name.
func wholeFleet(n int, outcome string, except map[string]string) string {
	words := make([]string, n)
	for i := range words {
		name := fmt.Sprintf("web%02d", i+1)
		words[i] = name + " " + outcome
		if other, ok := except[name]; ok {
			words[i] = name + " " + other
		}
	}
	return strings.Join(words, ", ")
}
