package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/sandbox"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

// loadHere loads the rulesets of hosts into namespaces of this machine, each text
// once. It returns how many there are; the error is an exit that tells what each of
// those that do not load was refused for.
func (c *console) loadHere(ctx context.Context, members []plan.Member) (int, error) {
	box, err := sandbox.New(ctx)
	if err != nil {
		return 0, ended(exitConfig, "--syntax: %v", err)
	}
	type text struct {
		rules render.Ruleset
		hosts []string
		err   error
	}
	var list []*text
	byDigest := map[string]*text{}
	for _, m := range members {
		rules, err := plan.Rules(m)
		if err != nil {
			return 0, ended(exitConfig, "%v", err)
		}
		t := byDigest[rules.Digest]
		if t == nil {
			t = &text{rules: rules}
			byDigest[rules.Digest] = t
			list = append(list, t)
		}
		t.hosts = append(t.hosts, m.Host.Name)
	}
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for _, t := range list {
		group.Go(func() error {
			t.err = box.Load(ctx, t.rules)
			return nil
		})
	}
	group.Wait()
	bad := 0
	for _, t := range list {
		switch hosts := inventory.Fold(t.hosts); {
		case t.err == nil:
		case errors.Is(t.err, sandbox.ErrUnavailable) || ctx.Err() != nil:
			return 0, ended(exitConfig, "--syntax: %v", t.err)
		default:
			bad++
			c.Tell("%s: the ruleset does not load here: %s", hosts, ui.Safe(t.err.Error()+where(t.rules, t.err)))
		}
	}
	if bad > 0 {
		return 0, ended(exitConfig, "%s of %d not loaded by this machine", ui.Count(bad, "ruleset"), len(list))
	}
	return len(list), nil
}

// where is the line that was refused and its place in the fleet file.
func where(rules render.Ruleset, err error) string {
	var refused *sandbox.RefusedError
	if !errors.As(err, &refused) || refused.Line == 0 {
		return ""
	}
	text := fmt.Sprintf(", line %d of fwpush render", refused.Line)
	for _, p := range rules.Places[refused.Line] {
		text += ", " + p.String()
	}
	return text
}
