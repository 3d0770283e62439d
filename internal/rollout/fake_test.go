package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
	"fwpush/transport"
)

// dialFunc is a Dialer for tests in which no host is reached: the error says
// why. Redial is never asked.
type dialFunc func(ctx context.Context, host string) error

func (f dialFunc) Dial(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
	return nil, f(ctx, ep.Name)
}

func (f dialFunc) DialApart(ctx context.Context, ep inventory.Endpoint) (*transport.Conn, error) {
	return f.Dial(ctx, ep)
}

func (f dialFunc) Redial(context.Context, transport.Target) (*transport.Conn, error) {
	return nil, errors.New("redialled a host that was never reached")
}

// named returns n bare targets, web01 and so on.
func named(n int) []Target {
	targets := make([]Target, n)
	for i := range targets {
		name := fmt.Sprintf("web%02d", i+1)
		targets[i].Host = inventory.Host{Name: name, SSH: inventory.Endpoint{Name: name}}
	}
	return targets
}

// outcomesOf writes results as "web01 unreachable, web02 skipped".
func outcomesOf(results []Result) string {
	words := make([]string, len(results))
	for i, r := range results {
		words[i] = r.Name + " " + string(r.Outcome)
	}
	return strings.Join(words, ", ")
}

// policy admits management from one address to port 22, and some ports.
func policy(host string, controller netip.Addr, ports ...uint16) roles.Policy {
	from := roles.Peer{Kind: roles.Literal, V4: []inventory.AddrRange{{From: controller, To: controller}}}
	p := roles.Policy{
		Host: host, Inbound: inventory.Drop, Outbound: inventory.Accept, Ping: inventory.Ping{On: true},
		Management: roles.Management{Peers: []roles.Peer{from}, Ports: []uint16{22}},
	}
	for _, port := range ports {
		p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: port, To: port}}}})
	}
	return p
}

// target is a host of fleet "lab" that shall run the policy.
func target(t *testing.T, p roles.Policy) Target {
	t.Helper()
	rules, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return Target{
		Host:   inventory.Host{Name: p.Host},
		Policy: p,
		Candidate: commit.Candidate{
			Rules: rules,
			Stamp: commit.Stamp{Run: "20260102T030405Z-00000001", Fleet: "lab", Host: p.Host, Actor: "tester"},
		},
	}
}
