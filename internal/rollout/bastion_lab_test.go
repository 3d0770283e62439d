package rollout

import (
	"context"
	"testing"
	"time"

	"fwpush/inventory"
	"fwpush/transport"
)

// behindBastion are targets that are reached through the first host, which is no target.
func behindBastion(t *testing.T, n int, window time.Duration) (lost func(time.Duration), targets []Target) {
	t.Helper()
	hosts := labHosts(t, n+1)
	targets = labTargets(t, hosts, 80)
	bastion := targets[0].Host.SSH
	for i := range targets {
		ssh := targets[i].Host.SSH
		ssh.Jump, ssh.Via = bastion.Name, &bastion
		targets[i] = target(t, policy(hosts[i].Name(), hosts[0].Addr4(), 80))
		targets[i].Host.SSH, targets[i].Candidate.Window = ssh, window
	}
	return func(d time.Duration) {
		if err := hosts[0].LinkDown(t.Context()); err != nil {
			t.Error(err)
		}
		time.AfterFunc(d, func() {
			if err := hosts[0].LinkUp(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}, targets[1:]
}

// A jump host that dies in the middle of a group and comes back costs nobody his rules,
// if it is back in time; else every host takes them back, and says so once it is.
func TestJumpHostIsLostInTheMiddleOfAGroup(t *testing.T) {
	for name, c := range map[string]struct {
		at           Step
		window, down time.Duration
		want         string
	}{
		"in the soak":              {StepSoaking, time.Minute, 20 * time.Second, "web02 confirmed, web03 confirmed"},
		"until after the deadline": {StepApplied, 15 * time.Second, 20 * time.Second, "web02 reverted, web03 reverted"},
	} {
		t.Run(name, func(t *testing.T) {
			lose, targets := behindBastion(t, 2, c.window)
			d := transport.New(transport.Options{})
			defer d.Close()
			o := Options{Dialer: d, Forks: 2, Strategy: Strategy{Soak: 5 * time.Second, MaxFailures: inventory.Budget{Percent: 100}}}
			o.Waves, _ = Waves(targets, o.Strategy)
			lost := false
			o.Event = func(e Event) {
				if e.Step == c.at && !lost {
					lost = true
					lose(c.down)
				}
			}
			expect(t, Apply(t.Context(), targets, o), c.want)
		})
	}
}
