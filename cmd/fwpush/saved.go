package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"fwpush/cmd/fwpush/internal/compare"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// at is the same flags for the fleet file of a plan or a run, unless one was named. What
// a plan names nobody has named: it may be from anybody.
func (g *globals) at(path string) *globals {
	other := *g
	other.found = path
	return &other
}

// typing is how a command is typed that goes on with what this one was about, by a fleet
// file that may have been found by a plan or a record.
func (g *globals) typing(file string) report.Typing {
	named, programs := g.inventory.words()
	t := report.Typing{Given: append(named, programs...)}
	if found, err := inventory.Find("."); !g.inventory.given && (err != nil || !sameFile(found, file)) {
		t.Fleet = []string{"-i", file}
	}
	if g.stateDir.given {
		t.Given = append(t.Given, "--state-dir", g.stateDir.v)
	}
	return t
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, wrong := os.Stat(b)
	return err == nil && wrong == nil && os.SameFile(one, other)
}

// planned is prepare for a plan that was saved: exactly that is to be done, or nothing.
// All that has moved since and can be seen from here is told at once.
func (c *console) planned(ctx context.Context, g *globals, f *changeFlags, path string) (*prepared, error) {
	saved, err := plan.ReadSaved(path)
	if err != nil {
		return nil, ended(exitConfig, "%v", err)
	}
	file, err := c.load(ctx, g.at(saved.File), plan.DNS)
	if err != nil {
		return nil, err
	}
	afresh := g.typing(file.Fleet.Path).OfHosts("diff", "-l", inventory.Fold(saved.Names()), "--out", path)
	if moved := saved.Stale(file, versionLine()); len(moved) > 0 {
		return nil, c.stale(afresh, moved...)
	}
	if len(saved.Hosts) == 0 { // as when a diff is saved and applied in turn, and all is well
		return nil, ended(exitOK, "%s: nothing to apply, no host of this plan changes", path)
	}
	p, err := c.ready(ctx, file, inventory.Selection{Only: saved.Names()}, f.readiness())
	if err != nil {
		return nil, err
	}
	if err := saved.Bind(p.targets); err != nil {
		return nil, c.stale(afresh, err)
	}
	p.approved = true
	return p, nil
}

// stale is the end of an apply of what is not there any more, with the command that shows
// what there is now.
func (c *console) stale(afresh string, reasons ...error) error {
	for _, err := range reasons {
		c.Tell("%v", err)
	}
	return ended(exitConfig, "stale, no host was changed; look at the change again: %s", afresh)
}

// save writes what a diff showed as a plan. Hosts that could not be seen are not in it.
func (c *console) save(g *globals, path string, p *prepared, changes []compare.Change) error {
	saved, err := p.Save(versionLine(), actor(c.getenv))
	if err != nil {
		return err
	}
	var left []string
	for i, ch := range changes {
		switch {
		case ch.Outcome == rollout.OutcomeChanged:
			saved.Hosts = append(saved.Hosts, ch.Saved(p.targets[i]))
		case ch.Err != nil:
			left = append(left, ch.Name)
		}
	}
	if err := saved.Write(path); err != nil {
		return fmt.Errorf("the plan cannot be saved: %w", err)
	}
	_, programs := g.inventory.words()
	text := path + ": nothing to apply"
	if n := len(saved.Hosts); n > 0 {
		text = fmt.Sprintf("%s: %s; %s", path, ui.Count(n, "host"), report.Typing{Given: programs}.OfRun("apply", "--plan", path))
	}
	if len(left) > 0 {
		text += fmt.Sprintf("; left out, since what they run is not known: %s", inventory.Fold(left))
	}
	c.Note("%s", text)
	return nil
}

// alone refuses flags that choose hosts beside one that says which they are.
func alone(flag string, s inventory.Selection) error {
	if given := strings.TrimSpace(s.String()); given != "" {
		return errors.New(flag + " says which hosts are meant: leave out " + given)
	}
	return nil
}
