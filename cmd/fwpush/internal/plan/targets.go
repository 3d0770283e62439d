package plan

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
	"fwpush/roles/meaning"
	"fwpush/transport"
)

// Targets renders every member. A policy that cannot be rendered stops all. A host
// whose backend its facts decide is rendered for nftables, and again for the other
// where that is what it needs.
func (f *File) Targets(members []Member) ([]rollout.Target, error) {
	list := f.Bare(members)
	known := press{}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, m := range members {
		group.Go(func() (err error) {
			list[i].Candidate.Policy, err = meaning.Keep(m.Policy)
			return err
		})
	}
	broken := []error{group.Wait()}
	for i, m := range members {
		c := &list[i].Candidate
		made, err := known.print(m)
		if err != nil {
			broken = append(broken, err)
		}
		c.Rules, list[i].Policy = made.rules, made.policy
		c.Want = wants[m.Host.Backend]
		list[i].Print = printer(&list[i].Policy, c.Rules)
	}
	return list, errors.Join(broken...)
}

// press prints policies, by roles. Most hosts of a role get the same rules: to print them is most of
// what is done for a host beforehand, and a fleet of ten thousand has no room for as many copies, of
// the policies neither.
type press map[string][]printed

// printed is a policy and its rules.
type printed struct {
	backend inventory.Backend
	policy  roles.Policy
	rules   render.Ruleset
}

// mostPrinted is how many rulesets of the same roles are kept to be found again.
const mostPrinted = 8

// print gives a member's rules, and its policy, which shares what it has in common with others.
func (k press) print(m Member) (printed, error) {
	var key strings.Builder
	for _, r := range m.Host.Roles {
		key.WriteString(r.V + "\x00")
	}
	alike := k[key.String()]
	for _, p := range alike {
		if p.backend == m.Host.Backend && same(p.policy, m.Policy) {
			p.policy.Host, p.policy.Addresses = m.Policy.Host, m.Policy.Addresses
			return p, nil
		}
	}
	rules, err := Rules(m)
	made := printed{m.Host.Backend, m.Policy, rules}
	if err == nil && len(alike) < mostPrinted {
		k[key.String()] = append(alike, made)
	}
	return made, err
}

// same says whether policies are the same, places included, whoever has them. Nothing is printed of
// a host's name and addresses.
func same(a, b roles.Policy) bool {
	a.Host, a.Addresses = b.Host, b.Addresses
	return reflect.DeepEqual(a, b)
}

// printer makes the rules of a policy, of which those that were made already are.
func printer(policy *roles.Policy, made render.Ruleset) func(commit.Choice) (render.Ruleset, error) {
	return func(c commit.Choice) (render.Ruleset, error) {
		if c.Backend == render.BackendIptables {
			return render.Iptables(*policy, c.Ipset)
		}
		if render.BackendOf(made.Text) == render.BackendNftables {
			return made, nil // as most hosts have them
		}
		return render.Nftables(*policy)
	}
}

// wants is what a host is asked to run; nothing where its facts decide.
var wants = map[inventory.Backend]render.Backend{inventory.Nftables: render.BackendNftables, inventory.Iptables: render.BackendIptables}

// Rules are what a member gets as far as the file says: for nftables unless it says
// iptables, with sets as far as these have them.
func Rules(m Member) (render.Ruleset, error) {
	if m.Host.Backend == inventory.Iptables {
		return render.Iptables(m.Policy, true)
	}
	return render.Nftables(m.Policy)
}

// Bare are targets without a candidate, for verbs that push no rules.
func (f *File) Bare(members []Member) []rollout.Target {
	list := make([]rollout.Target, len(members))
	for i, m := range members {
		list[i] = rollout.Target{Host: m.Host, Policy: m.Policy,
			Candidate: commit.Candidate{Timers: m.Host.Timers.V, Stamp: commit.Stamp{Fleet: f.Fleet.Name, Host: m.Host.Name}}}
	}
	f.Behind(list)
	return list
}

// GoBack makes every target go back to what its host keeps of what it confirmed.
func GoBack(list []rollout.Target, which string) {
	past := &rollout.Past{Which: which, Recall: meaning.Recall, OrNone: which == commit.Before}
	for i := range list {
		list[i].Past = past
	}
}

// Stamp says in each target who changes it, in which run, and how long the host
// waits for a confirm.
func Stamp(list []rollout.Target, run, actor string, window time.Duration) {
	for i := range list {
		c := &list[i].Candidate
		c.Stamp.Run, c.Stamp.Actor, c.Window = run, actor, window
	}
}

// Checker finds what would stop a login before it is tried. A
// *transport.Dialer is one.
type Checker interface {
	Check(ctx context.Context, ep inventory.Endpoint) error
}

// Preflight reports key files and known_hosts that would stop a login. Hosts
// that share settings share the finding.
func Preflight(ctx context.Context, checker Checker, list []rollout.Target) []error {
	eps := make([]inventory.Endpoint, len(list))
	for i, t := range list {
		eps[i] = t.Host.SSH
	}
	return Check(ctx, checker.Check, eps)
}

// Check reports what a check of endpoints finds, each finding once.
func Check(ctx context.Context, check func(context.Context, inventory.Endpoint) error, eps []inventory.Endpoint) []error {
	asked := map[string]bool{}
	told := map[string]bool{}
	var found []error
	for _, ep := range eps {
		settings := ""
		for hop := &ep; hop != nil; hop = hop.Via {
			settings += transport.Settings(*hop) + "\n"
		}
		if asked[settings] {
			continue
		}
		asked[settings] = true
		for _, err := range parts(check(ctx, ep)) {
			if !told[err.Error()] {
				told[err.Error()] = true
				found = append(found, err)
			}
		}
	}
	return found
}

// parts takes apart what errors.Join put together.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
