package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/render"
)

// Peers are the hosts of a selection compared with each other: those with the same
// roles should run the same rules.
type Peers struct {
	sets    []*peerSet
	trouble []Change // hosts that did not tell what they run
	results []rollout.Result
	at      map[string]*peerGroup // by host
}

// peerSet is hosts with the same roles.
type peerSet struct {
	roles  string
	hosts  int
	groups []*peerGroup // the largest first: the others are compared with it
}

// peerGroup is hosts that run the same.
type peerGroup struct {
	names     []string
	facts     commit.Facts // of the first
	digest    string       // of what they confirmed
	otherwise []string     // those for which the fleet file says something else
	untold    []string     // those of which it cannot be told whether they were edited by hand
	diffs     []render.Diff
	apart     string // why there are no lines to compare, "" if there are
	like      string // host whose rules these are compared with, "" for those of the largest group
}

// PeersOf compares what hosts have told.
func PeersOf(targets []rollout.Target, seen []rollout.Result) *Peers {
	p := &Peers{results: slices.Clone(seen), at: map[string]*peerGroup{}}
	sets, groups := map[string]*peerSet{}, map[string]*peerGroup{}
	for i, t := range targets {
		r := &p.results[i]
		if r.Err == nil && r.Facts != nil && r.Facts.Pending != nil {
			r.Result = unfinished(r.Result)
		}
		if r.Err != nil || r.Facts == nil {
			p.trouble = append(p.trouble, Change{Result: *r})
			continue
		}
		roles := rolesOf(t.Host)
		s := sets[roles]
		if s == nil {
			s = &peerSet{roles: roles}
			sets[roles] = s
			p.sets = append(p.sets, s)
		}
		s.hosts++
		key := roles + "\x00" + runs(*r.Facts)
		g := groups[key]
		if g == nil {
			g = &peerGroup{facts: *r.Facts, digest: r.Previous}
			groups[key] = g
			s.groups = append(s.groups, g)
		}
		g.names = append(g.names, r.Name)
		if candidate, err := t.Fit(*r.Facts); err != nil || candidate.Text != r.Facts.Rules {
			g.otherwise = append(g.otherwise, r.Name)
		}
		if _, known := r.Facts.Drifted(); r.Facts.Generation > 0 && !known {
			g.untold = append(g.untold, r.Name)
		}
		p.at[r.Name] = g
	}
	for _, s := range p.sets {
		s.settle()
	}
	p.judge()
	return p
}

// rolesOf are the names of a host's roles, as the file orders them.
func rolesOf(h inventory.Host) string {
	names := make([]string, len(h.Roles))
	for i, r := range h.Roles {
		names[i] = r.V
	}
	return strings.Join(names, ", ")
}

// runs is what tells the rules of one host from those of another. It is in fwpush's own
// rendering, so that two versions of nft do not make two of one, with what was edited
// by hand since.
func runs(f commit.Facts) string {
	if f.Generation == 0 {
		return "nothing confirmed\x00" + render.Canonical(f.Running)
	}
	return f.Rules + "\x00" + edits(f).Text
}

// edits are what was edited by hand, nothing where that cannot be told.
func edits(f commit.Facts) render.Diff {
	if _, known := f.Drifted(); !known {
		return render.Diff{}
	}
	return render.Drift(f.Canon, f.Running)
}

// settle puts the largest group first and compares the others with it.
func (s *peerSet) settle() {
	slices.SortStableFunc(s.groups, func(a, b *peerGroup) int { return cmp.Compare(len(b.names), len(a.names)) })
	most := s.groups[0]
	for _, g := range s.groups[1:] {
		g.like = most.names[0]
		g.compare(most.facts)
	}
}

// compare shows what a group runs that the most do not, and the other way round.
func (g *peerGroup) compare(most commit.Facts) {
	f := g.facts
	switch {
	case f.Generation == 0:
		return // a remark says so
	case most.Generation == 0:
		g.apart = "the others have no confirmed rules"
		return
	case render.BackendOf(f.Rules) != render.BackendOf(most.Rules):
		g.apart = fmt.Sprintf("%s, the others %s", render.BackendOf(f.Rules), render.BackendOf(most.Rules))
		return
	}
	g.diffs = append(g.diffs, render.Compare(most.Rules, render.Ruleset{Text: f.Rules}))
	if theirs, ours := edits(most), edits(f); theirs.Text != ours.Text {
		if theirs.Changed {
			g.diffs = append(g.diffs, render.Drift(most.Running, most.Canon))
		}
		g.diffs = append(g.diffs, ours)
	}
}

// judge gives each host that told what it runs the outcome of a diff.
func (p *Peers) judge() {
	for i := range p.results {
		r := &p.results[i]
		switch g := p.at[r.Name]; {
		case g == nil:
		case g.like == "":
			r.Outcome = commit.OutcomeUnchanged
		default:
			r.Outcome = rollout.OutcomeChanged
		}
	}
}

// Results are those of all hosts, for the exit code: changed is a host that is not
// like the most of its roles.
func (p *Peers) Results() []rollout.Result { return p.results }

// Unlike are the hosts that are not like the most of their roles.
func (p *Peers) Unlike() []string {
	var names []string
	for _, r := range p.results {
		if r.Outcome == rollout.OutcomeChanged {
			names = append(names, r.Name)
		}
	}
	return names
}

// remarks are how the hosts of a group stand to what was confirmed and to the file.
func (g *peerGroup) remarks() []string {
	var list []string
	drifted := edits(g.facts).Changed
	switch {
	case g.facts.Generation == 0 && g.facts.Running == "":
		list = append(list, "no rules of fwpush")
	case g.facts.Generation == 0:
		list = append(list, "rules that nobody confirmed")
	case g.apart != "":
		list = append(list, g.apart)
	case drifted:
		list = append(list, "edited by hand (drift)")
	}
	if len(g.untold) > 0 {
		list = append(list, "whether they were edited by hand cannot be told of "+inventory.Fold(g.untold))
	}
	switch len(g.otherwise) {
	case 0:
		if !drifted {
			list = append(list, "as the fleet file says")
		}
	case len(g.names):
		list = append(list, "the fleet file says otherwise")
	default:
		list = append(list, "the fleet file says otherwise for "+inventory.Fold(g.otherwise))
	}
	return list
}

// lines are how many a group has that the most have not, and the other way round.
func (g *peerGroup) lines() string {
	if len(g.diffs) == 0 {
		return ""
	}
	added, removed := 0, 0
	for _, d := range g.diffs {
		added += d.Added
		removed += d.Removed
	}
	return fmt.Sprintf("+%d -%d", added, removed)
}
