package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/sandbox"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

// loading is a ruleset that hosts share, and what this machine says of it.
type loading struct {
	rules render.Ruleset
	hosts []string
	err   error
}

// loadHere loads the rulesets of hosts into namespaces of this machine, each text
// once. It returns how many there are and a problem for each that was refused; the
// error is an exit, of a machine that cannot load any.
func loadHere(ctx context.Context, fleet *inventory.Fleet, members []plan.Member) (int, inventory.Problems, error) {
	box, err := sandbox.New(ctx)
	if err != nil {
		return 0, nil, ended(exitConfig, "--syntax: %v", err)
	}
	var list []*loading
	byDigest := map[string]*loading{}
	for _, m := range members {
		rules, err := plan.Rules(m)
		if err != nil {
			return 0, nil, ended(exitConfig, "%v", err)
		}
		l := byDigest[rules.Digest]
		if l == nil {
			l = &loading{rules: rules}
			byDigest[rules.Digest] = l
			list = append(list, l)
		}
		l.hosts = append(l.hosts, m.Host.Name)
	}
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for _, l := range list {
		group.Go(func() error {
			l.err = box.Load(ctx, l.rules)
			return nil
		})
	}
	_ = group.Wait() // what went wrong stands in the list
	var refused inventory.Problems
	for _, l := range list {
		switch {
		case l.err == nil:
		case errors.Is(l.err, sandbox.ErrUnavailable) || ctx.Err() != nil:
			return 0, nil, ended(exitConfig, "--syntax: %v", l.err)
		default:
			refused = append(refused, l.problem(fleet))
		}
	}
	return len(list), fleet.Annotate(refused), nil
}

// problem tells what a ruleset was refused for, at the place in the fleet file that
// the refused line comes from.
func (l *loading) problem(fleet *inventory.Fleet) inventory.Problem {
	p := inventory.Problem{Width: 1, Msg: fmt.Sprintf("%s (%s): the ruleset does not load here: %v",
		inventory.Fold(l.hosts), ui.Count(len(l.hosts), "host"), l.err)}
	var refused *sandbox.RefusedError
	if !errors.As(l.err, &refused) || refused.Line == 0 {
		return p
	}
	text := strings.TrimSpace(strings.Split(l.rules.Text, "\n")[refused.Line-1])
	p.Hint = fmt.Sprintf("line %d of fwpush render %s is %s", refused.Line, l.hosts[0], text)
	for i, place := range l.rules.Places[refused.Line] {
		if i == 0 {
			p.Place = rawLine(fleet, place, text)
		} else {
			p.Hint += ", also from " + place.String()
		}
	}
	return p
}

// rawLine is where a line of raw text stands in the file that has it; for other
// places, and where it is written in another way there, the place itself.
func rawLine(fleet *inventory.Fleet, place inventory.Place, text string) inventory.Place {
	for _, raw := range fleet.Raw {
		if raw.Place != place {
			continue
		}
		lines := make(inventory.Problems, 2+strings.Count(raw.Nft.V, "\n"))
		for i := range lines {
			lines[i].Place = inventory.Place{File: place.File, Line: raw.Nft.Place.Line + i, Col: 1}
		}
		for _, line := range fleet.Annotate(lines) {
			if before, _, found := strings.Cut(line.Source, text); found {
				line.Place.Col += utf8.RuneCountInString(before)
				return line.Place
			}
		}
	}
	return place
}
