package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
)

// loaded is a fleet file without an error in it.
type loaded struct {
	fleet    *inventory.Fleet
	policies map[string]roles.Policy // by host
	problems inventory.Problems      // warnings and notes
}

// load reads and compiles the fleet file. Every mistake in it is printed, and
// then an exit is returned.
func (c *console) load(g *globals) (*loaded, error) {
	l, err := readFleet(g)
	if err != nil {
		return nil, ended(exitConfig, "%v", err)
	}
	if err := c.explain(l.fleet, l.problems); err != nil {
		return nil, err
	}
	return l, nil
}

// readFleet finds, reads and compiles. What is wrong in the file is in the
// problems; an error means that there is no file.
func readFleet(g *globals) (*loaded, error) {
	path, named := g.inventory.v, g.inventory.given
	if !named {
		var err error
		if path, err = inventory.Find("."); err != nil {
			return nil, err
		}
	}
	l := &loaded{policies: map[string]roles.Policy{}}
	l.fleet, l.problems = inventory.Load(path, inventory.LoadOptions{Named: named})
	if slices.ContainsFunc(l.problems.Errors(), func(p inventory.Problem) bool { return p.Place.Line == 0 }) {
		return l, nil // the file as a whole is no good: nothing can be said of what is in it
	}
	meaning := roles.Check(l.fleet)
	if len(l.problems.Errors()) > 0 {
		meaning = meaning.Errors() // warnings about a file half understood would mislead
	}
	l.problems = append(l.problems, meaning...)
	if len(l.problems.Errors()) == 0 {
		policies, _ := roles.CompileAll(l.fleet) // Check has told what is to be told
		for _, p := range policies {
			l.policies[p.Host] = p
		}
	}
	l.problems = l.fleet.Annotate(l.problems)
	l.problems.Sort()
	return l, nil
}

// explain prints problems; notes and warnings only unless -q. With errors among
// them an exit is returned.
func (c *console) explain(fleet *inventory.Fleet, problems inventory.Problems) error {
	errors := problems.Errors()
	shown := problems
	if c.quiet {
		shown = errors
	}
	if err := shown.Print(c.err); err != nil {
		return err
	}
	if len(errors) > 0 {
		return ended(exitConfig, "%s in %s", ui.Count(len(errors), "error"), fleet.Path)
	}
	return nil
}

// proveAll is the offline lock-out proof for a whole selection. One host that
// would lose this machine stops the command.
func (c *console) proveAll(ctx context.Context, fleet *inventory.Fleet, members []member, accepted bool) error {
	proofs := proveOffline(ctx, members)
	if err := c.explain(fleet, fleet.Annotate(findings(fleet, proofs, accepted))); err == nil {
		return nil
	}
	return lockedOut(proofs)
}

// lockedOut is the exit of a lock-out proof that failed.
func lockedOut(proofs []proof) error {
	var names []string
	for _, p := range proofs {
		if p.State == roles.Refused {
			names = append(names, p.host.Name)
		}
	}
	return ended(exitConfig, "%s would lock out this machine: %s", ui.Count(len(names), "host"), inventory.Fold(names))
}

// decisions tells with -v which line of the file decided each setting, hosts
// with the same answers together.
func (c *console) decisions(members []member) {
	if !c.verbose {
		return
	}
	var order []string
	hosts := map[string][]string{}
	for _, m := range members {
		var keys []string
		for key := range m.policy.Decided {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		var lines []string
		for _, key := range keys {
			d := m.policy.Decided[key]
			line := fmt.Sprintf("  %-12s %-8s %s", key, setting(m.policy, key), d.By)
			if place := d.Place.String(); place != "" {
				line += ", " + place
			}
			lines = append(lines, line)
		}
		text := strings.Join(lines, "\n")
		if hosts[text] == nil {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], m.host.Name)
	}
	for _, text := range order {
		c.tell("%s (%d): decided by", inventory.Fold(hosts[text]), len(hosts[text]))
		for line := range strings.SplitSeq(text, "\n") {
			c.tell("%s", line)
		}
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
		return fmt.Sprint(p.Ping)
	case "dhcp_client":
		return fmt.Sprint(p.DHCPClient)
	case "antispoof":
		return fmt.Sprint(p.Antispoof)
	}
	return ""
}
