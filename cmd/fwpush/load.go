package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/ansible"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
)

// load reads and compiles the fleet file. Every mistake in it is printed, and
// then an exit is returned. Of warnings and notes about what stands in it only
// their number is told, since they may be about hosts that are not meant now;
// fwpush check prints them.
//
// What names of sets stand for is looked up and told, unless lookup is nil.
func (c *console) load(ctx context.Context, g *globals, lookup plan.Lookup) (*plan.File, error) {
	f, err := plan.Read(ctx, g.source(), lookup)
	if err != nil {
		return nil, c.unread(err)
	}
	var shown inventory.Problems
	left := map[inventory.Severity]int{}
	for _, p := range f.Problems {
		if p.Severity == inventory.Error || p.Place.Line == 0 || c.verbose {
			shown = append(shown, p)
		} else {
			left[p.Severity]++
		}
	}
	if err := c.explain(f.Fleet, shown); err != nil {
		return nil, err
	}
	var counted []string
	for _, kind := range []struct {
		inventory.Severity
		word string
	}{{inventory.Warning, "warning"}, {inventory.Note, "note"}} {
		if n := left[kind.Severity]; n > 0 {
			counted = append(counted, ui.Count(n, kind.word))
		}
	}
	if len(counted) > 0 {
		c.Note("%s: %s; fwpush check shows them", f.Fleet.Path, strings.Join(counted, " and "))
	}
	for _, n := range f.Names {
		c.Note("%s", n.Msg)
	}
	return f, nil
}

// unread is the exit for a fleet that could not be read. What a program said of why it
// printed no inventory is told as its words.
func (c *console) unread(err error) error {
	var run *ansible.RunError
	if errors.As(err, &run) {
		for line := range strings.Lines(run.Stderr) {
			c.Tell("%s: %s", run.Program, strings.TrimRight(line, "\r\n"))
		}
	}
	return ended(exitConfig, "%v", err)
}

// choose selects hosts.
func choose(f *plan.File, s inventory.Selection) ([]plan.Member, error) {
	members, err := f.Choose(s)
	if err != nil {
		return nil, ended(exitConfig, "%v", err)
	}
	return members, nil
}

// explain prints problems; notes and warnings only unless -q. With errors among
// them an exit is returned.
func (c *console) explain(fleet *inventory.Fleet, problems inventory.Problems) error {
	grave := problems.Errors()
	if c.quiet {
		problems = grave
	}
	// To find what stands at a place takes as long as to read the file did.
	if err := fleet.Annotate(problems).Print(c.err); err != nil {
		return err
	}
	if len(grave) > 0 {
		return inErrors(fleet, grave)
	}
	return nil
}

// inErrors is the exit of a command for mistakes in the fleet file.
func inErrors(fleet *inventory.Fleet, errors inventory.Problems) error {
	return ended(exitConfig, "%s in %s", ui.Count(len(errors), "error"), files(fleet, errors))
}

// files says in which files problems are: by name if it is one, else how many
// there are beside one of them, the fleet file itself if it is among them.
func files(fleet *inventory.Fleet, problems inventory.Problems) string {
	var names []string
	for _, p := range problems {
		name := p.Place.File
		if name == "" {
			name = fleet.Path
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	first := names[0]
	if slices.Contains(names, fleet.Path) {
		first = fleet.Path
	}
	if len(names) == 1 {
		return first
	}
	return fmt.Sprintf("%s and %s", first, ui.Count(len(names)-1, "other"))
}

// proveAll is the offline lock-out proof for a whole selection. One host that
// would lose this machine stops the command.
func (c *console) proveAll(ctx context.Context, f *plan.File, members []plan.Member, accepted bool) error {
	proofs := f.Prove(ctx, members)
	if err := c.explain(f.Fleet, f.Findings(proofs, accepted)); err == nil {
		return nil
	}
	return lockedOut(proofs)
}

// lockedOut is the exit of a lock-out proof that failed; nil for one that did not.
func lockedOut(proofs []plan.Proof) error {
	var names []string
	for _, p := range proofs {
		if p.State == roles.Refused {
			names = append(names, p.Host.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return ended(exitConfig, "%s would lock out this machine: %s", ui.Count(len(names), "host"), inventory.Fold(names))
}

// decisions tells with -v which line of the file decided each setting, hosts
// with the same answers together, and which rules are of one family.
func (c *console) decisions(members []plan.Member) {
	if !c.verbose {
		return
	}
	var order []string
	hosts := map[string][]string{}
	for _, m := range members {
		var keys []string
		for key := range m.Policy.Decided {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		var lines []string
		for _, key := range keys {
			d := m.Policy.Decided[key]
			line := fmt.Sprintf("  %-12s %-8s %s", key, setting(m.Policy, key), d.By)
			if place := d.Place.String(); place != "" {
				line += ", " + place
			}
			lines = append(lines, line)
		}
		text := strings.Join(lines, "\n")
		if hosts[text] == nil {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], m.Host.Name)
	}
	for _, text := range order {
		c.Tell("%s (%d): decided by", inventory.Fold(hosts[text]), len(hosts[text]))
		for line := range strings.SplitSeq(text, "\n") {
			c.Tell("%s", line)
		}
	}
	c.oneFamily(members)
}

// oneFamily tells of rules that are about one address family because what they refer
// to is, hosts with the same rule together.
func (c *console) oneFamily(members []plan.Member) {
	type half struct{ place, name, family string }
	var order []half
	hosts := map[half][]string{}
	for _, m := range members {
		for _, r := range m.Policy.AllRules() {
			h := half{r.Place.String(), r.Name, r.LeftIn()}
			if h.family == "" {
				continue
			}
			if hosts[h] == nil {
				order = append(order, h)
			}
			hosts[h] = append(hosts[h], m.Host.Name)
		}
	}
	for _, h := range order {
		c.Tell("%s (%d): rule %s is left in %s alone, %s", inventory.Fold(hosts[h]), len(hosts[h]), h.name, h.family, h.place)
	}
}

// setting is the value of a key that Decided speaks of.
func setting(p roles.Policy, key string) string {
	switch key {
	case "inbound":
		return string(p.Inbound)
	case "outbound":
		return string(p.Outbound)
	case "log":
		if p.Log.Prefix != "" {
			return fmt.Sprintf("%q", p.Log.Prefix)
		}
		return fmt.Sprint(p.Log.On)
	case "ping":
		if p.Ping.Rate.N > 0 {
			return p.Ping.Rate.String()
		}
		return fmt.Sprint(p.Ping.On)
	}
	return fmt.Sprint(map[string]bool{"dhcp_client": p.DHCPClient, "antispoof": p.Antispoof, "igmp": p.IGMP, "accept_ra": p.AcceptRA, "sends_ra": p.SendsRA}[key])
}
