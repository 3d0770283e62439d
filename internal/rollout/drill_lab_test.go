package rollout

import (
	"slices"
	"testing"
	"time"

	"fwpush/transport"
)

// A jump host drills once the hosts behind it are through, and what is unwound is taken
// back at once, which is no proof.
func TestDrillOfAJumpHostComesLast(t *testing.T) {
	hosts := labHosts(t, 2)
	targets := labTargets(t, hosts, 80)
	d := transport.New(transport.Options{})
	defer d.Close()
	bastion, ssh := targets[0].Host.SSH, targets[1].Host.SSH
	ssh.Jump, ssh.Via = bastion.Name, &bastion
	targets[1] = target(t, policy(hosts[1].Name(), hosts[0].Addr4(), 80))
	targets[1].Host.SSH, targets[1].Candidate.Window = ssh, time.Minute
	expect(t, Apply(t.Context(), targets, Options{Dialer: d, Forks: 2}), targets[0].Host.Name+" confirmed, "+targets[1].Host.Name+" confirmed")
	for i := range targets {
		targets[i].Candidate.Window = 3 * time.Second
	}
	var steps []string
	o := Options{Dialer: d, Forks: 2, Event: func(e Event) {
		if e.Step == StepConnecting || e.Step == StepEnded {
			steps = append(steps, e.Host+" "+string(e.Step))
		}
	}}
	for _, r := range Drill(t.Context(), targets, o) {
		if r.Err != nil || r.Drilled == nil || !r.Drilled.Proved() {
			t.Errorf("%s %s at %q: %v", r.Name, r.Outcome, r.Stage, r.Err)
		}
	}
	jump, behind := targets[0].Host.Name, targets[1].Host.Name
	if want := []string{behind + " connecting", behind + " ended", jump + " connecting", jump + " ended"}; !slices.Equal(steps, want) {
		t.Errorf("%q", steps)
	}

	unwind := make(chan struct{})
	o.Unwind = unwind
	o.Event = func(e Event) {
		if e.Step == StepApplied {
			close(unwind)
		}
	}
	targets[0].Candidate.Window = time.Minute
	results := Drill(t.Context(), targets[:1], o)
	if code := ExitCode(results); code != exitInterrupted || results[0].Outcome != "reverted" {
		t.Errorf("exit %d: %s at %q: %v", code, results[0].Outcome, results[0].Stage, results[0].Err)
	}
}
