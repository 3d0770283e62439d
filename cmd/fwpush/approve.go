package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"fwpush/cmd/fwpush/internal/compare"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// mayGoOn refuses to change hosts where nobody said yes and nobody can be asked.
func (c *console) mayGoOn(yes bool, hosts int) error {
	if yes || c.isInteractive() {
		return nil
	}
	need := "need"
	if hosts == 1 {
		need = "needs"
	}
	return ended(exitConfig, "refused: not interactive; %s %s --yes or a terminal", ui.Count(hosts, "host"), need)
}

// review shows what would change.
func (c *console) review(p *prepared, o rollout.Options) ([]compare.Change, error) {
	changes := c.inspect(p, o)
	if err := compare.WriteChanges(c.err, c.errColour, changes); err != nil {
		return nil, err
	}
	return changes, compare.WriteProbes(c.err, p.targets, changes)
}

// changing are the targets whose change was shown, each bound to the host as it
// was then.
func changing(targets []rollout.Target, seen []compare.Change) []rollout.Target {
	var list []rollout.Target
	for i, t := range targets {
		if seen[i].Outcome == rollout.OutcomeChanged {
			t.Reviewed = &rollout.Review{State: seen[i].Fingerprint, Digest: seen[i].Digest}
			list = append(list, t)
		}
	}
	return list
}

// approve asks for a yes to a change.
func (c *console) approve(hosts int) error {
	return c.ask(fmt.Sprintf("Change %s?", ui.Count(hosts, "host")), "no host was changed")
}

// ask puts a question that only a yes answers; without one it is said what that leaves.
// Whoever interrupts has not said yes.
func (c *console) ask(question, left string) error {
	type answer struct {
		yes bool
		err error
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	answers := make(chan answer, 1)
	go func() {
		yes, err := ui.Ask(c.in, c.err, question)
		answers <- answer{yes, err}
	}()
	select {
	case <-interrupted:
		c.Tell("")
		return ended(exitInterrupted, "interrupted at the question, %s", left)
	case a := <-answers:
		if a.err == nil && !a.yes {
			return ended(exitInterrupted, "not approved, %s; the answer that approves is yes", left)
		}
		return a.err
	}
}
