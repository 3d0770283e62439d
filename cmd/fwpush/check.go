package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
)

func newCheck(c *console, g *globals) *cobra.Command {
	var sel selecting
	strict, syntax, junit := false, false, only("FILE")
	output := oneOf("text", "json")
	cmd := &cobra.Command{
		Use:   "check",
		Short: "find every mistake in the fleet file, and prove the way in",
		Long: paragraph(`
		Read and compile the fleet file, run its tests, render every selected host, and
		prove for each that its new rules admit this machine. Every mistake is reported at
		once, with its line. No host is contacted; the route to each is looked up here, and
		its name if it has no address.

		With --syntax the rulesets are loaded as well, by the nft or iptables of this
		machine and into network namespaces of their own, which needs root only where the
		kernel gives users no namespaces.`) + exitStatus(exitOK, exitConfig),
		Example: `  fwpush check --strict --syntax
  fwpush check --junit fleet.xml -o json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k := c.check(cmd.Context(), g, sel.Selection, strict, syntax)
			if err := k.writeJUnit(junit.v); err != nil {
				return err
			}
			switch {
			case output.v == "json":
				return shown(k.err, ui.WriteJSON(c.out, k.json()))
			case k.err != nil:
				return k.err
			}
			return shown(nil, k.write(c))
		},
	}
	sel.register(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "make warnings errors")
	cmd.Flags().BoolVar(&syntax, "syntax", false, "load every ruleset into a private namespace of this machine")
	cmd.Flags().Var(junit, "junit", "write what was found and how the tests ended to `FILE`, as JUnit XML")
	addOutput(cmd, output)
	return cmd
}

// checkup is what a check found.
type checkup struct {
	*plan.File
	members  []plan.Member
	proofs   []plan.Proof
	problems inventory.Problems // but what its tests found
	tests    []expect.Result
	loaded   int                // rulesets that this machine was asked to load
	refused  inventory.Problems // those it did not
	strict   bool
	err      error
}

func (c *console) check(ctx context.Context, g *globals, s inventory.Selection, strict, syntax bool) *checkup {
	k := &checkup{strict: strict}
	f, err := plan.Read(ctx, g.source(), plan.DNS)
	if err != nil {
		k.err = c.unread(err)
		return k
	}
	k.File, k.problems = f, slices.Concat(f.Problems, f.Names)
	if len(f.Problems.Errors()) == 0 {
		if k.members, k.err = choose(f, s); k.err != nil {
			return k
		}
		if _, k.err = f.Targets(k.members); k.err != nil {
			return k
		}
		if syntax {
			if k.loaded, k.refused, k.err = loadHere(ctx, f.Fleet, k.members); k.err != nil {
				return k
			}
		}
		c.decisions(k.members)
		k.tests = f.Test()
		k.proofs = f.Prove(ctx, k.members)
		k.problems = slices.Concat(k.problems, f.Findings(k.proofs, false), k.refused)
	}
	told := k.told()
	shown := told
	if c.quiet {
		shown = k.grave(told)
	}
	if k.err = shown.Print(c.err); k.err == nil {
		k.err = k.ended(told)
	}
	return k
}

// told are all problems, with what the tests found.
func (k *checkup) told() inventory.Problems {
	if k.File == nil {
		return nil
	}
	all := slices.Concat(k.problems, k.Failures(k.tests))
	all = k.Fleet.Annotate(all)
	all.Sort()
	return all
}

// grave are those of problems that the check fails for.
func (k *checkup) grave(problems inventory.Problems) inventory.Problems {
	return slices.DeleteFunc(slices.Clone(problems), func(p inventory.Problem) bool {
		return p.Severity == inventory.Note || p.Severity == inventory.Warning && !k.strict
	})
}

// ended is the exit for what was found: of several things the one that weighs most.
func (k *checkup) ended(told inventory.Problems) error {
	if err := lockedOut(k.proofs); err != nil {
		return err
	}
	if err := failedTests(k.tests); err != nil {
		return err
	}
	if bad := len(k.refused); bad > 0 {
		return ended(exitConfig, "%s of %d not loaded by this machine", ui.Count(bad, "ruleset"), k.loaded)
	}
	if errors := told.Errors(); len(errors) > 0 {
		return inErrors(k.Fleet, errors)
	}
	if warnings := k.grave(told); len(warnings) > 0 {
		return ended(exitConfig, "%s in %s, and --strict", ui.Count(len(warnings), "warning"), files(k.Fleet, warnings))
	}
	return nil
}

// write prints a summary, hosts with the same roles, rules and way in together.
func (k *checkup) write(c *console) error {
	type row struct{ roles, in, out, way string }
	var order []row
	hosts := map[row][]string{}
	in, out := 0, 0
	for i, m := range k.members {
		r := row{roles: roleNames(m.Host), in: fmt.Sprintf("%d, else %s", len(m.Policy.In), m.Policy.Inbound),
			out: rulesOut(m.Policy), way: way(k.proofs[i])}
		if hosts[r] == nil {
			order = append(order, r)
		}
		hosts[r] = append(hosts[r], m.Host.Name)
		in, out = in+len(m.Policy.In), out+len(m.Policy.Out)
	}
	var table ui.Table
	table.Painted(c.outColour.Dim, "HOSTS", "ROLES", "RULES IN", "RULES OUT", "WAY IN")
	for _, r := range order {
		table.Row(fmt.Sprintf("%s (%d)", inventory.Fold(hosts[r]), len(hosts[r])), r.roles, r.in, r.out, r.way)
	}
	if err := table.Write(c.out); err != nil {
		return err
	}
	passed := ""
	if k.loaded > 0 {
		passed = ui.Count(k.loaded, "ruleset") + " loaded, "
	}
	if len(k.tests) > 0 {
		passed += ui.Count(len(k.tests), "test") + " passed, "
	}
	warnings := 0
	for _, p := range k.problems {
		if p.Severity == inventory.Warning {
			warnings++
		}
	}
	_, err := fmt.Fprintf(c.out, "%s: %s, %s in, %d out, %s%s\n", ui.Safe(k.Fleet.Path), ui.Count(len(k.members), "host"),
		ui.Count(in, "rule"), out, passed, ui.Count(warnings, "warning"))
	return err
}

// writeJUnit writes the file that --junit names. A check that failed has something
// red in it, whatever it failed for.
func (k *checkup) writeJUnit(path string) error {
	if path == "" {
		return nil
	}
	name := path
	if k.File != nil {
		name = k.Fleet.Path
	}
	grave := k.grave(k.problems)
	if k.File != nil {
		grave = k.Fleet.Annotate(grave)
	}
	if k.err != nil && len(grave) == 0 && failedTests(k.tests) == nil {
		grave = inventory.Problems{{Msg: reason(k.err)}}
	}
	var b bytes.Buffer
	if err := report.WriteJUnit(&b, name, k.tests, grave); err != nil {
		return err
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return ended(exitConfig, "--junit: %v", err)
	}
	return nil
}

// failedTests is the exit of tests that found something; nil where none did.
func failedTests(results []expect.Result) error {
	failed := 0
	for _, r := range results {
		if !r.Passed() {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return ended(exitConfig, "%d of %s failed", failed, ui.Count(len(results), "test"))
}

// rulesOut is what leaves a host: by so many rules, by what a closed outbound
// keeps alive, and otherwise.
func rulesOut(p roles.Policy) string {
	parts := append([]string{strconv.Itoa(len(p.Out))}, p.LifelineNames()...)
	return fmt.Sprintf("%s, else %s", strings.Join(parts, " + "), p.Outbound)
}

func roleNames(h inventory.Host) string {
	names := make([]string, len(h.Roles))
	for i, r := range h.Roles {
		names[i] = r.V
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

// way says what is known of the way in.
func way(p plan.Proof) string {
	if p.State == roles.Admitted {
		return "admitted from " + p.From()
	}
	return string(p.State)
}

// checkJSON is what check prints with -o json.
type checkJSON struct {
	Schema   int             `json:"schema"`
	Command  string          `json:"command"`
	Exit     int             `json:"exit"`
	Error    string          `json:"error,omitempty"`
	Problems []problemJSON   `json:"problems"`
	Tests    []testJSON      `json:"tests"`
	Hosts    []checkHostJSON `json:"hosts"`
}

type problemJSON struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Of       string `json:"of,omitempty"` // what it is about, in the file of a program, which has no lines
	Key      string `json:"key"`          // "hosts.web1.ssh.port"; "" for what is about no key
	Message  string `json:"message"`
	Hint     string `json:"hint"`
}

type testJSON struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	Flows  int    `json:"flows"` // questions that were asked
}

type checkHostJSON struct {
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	RulesIn  int      `json:"rules_in"`
	RulesOut int      `json:"rules_out"`
	WayIn    string   `json:"way_in"` // admitted, refused, undecided
	From     string   `json:"from"`   // where pushes come from as far as it is known here
}

func (k *checkup) json() checkJSON {
	out := checkJSON{Schema: 1, Command: "check", Exit: exitCode(k.err), Error: reason(k.err), Problems: []problemJSON{}, Tests: []testJSON{}, Hosts: []checkHostJSON{}}
	severities := map[inventory.Severity]string{inventory.Error: "error", inventory.Warning: "warning", inventory.Note: "note"}
	for _, p := range k.told() {
		j := problemJSON{Severity: severities[p.Severity], File: p.Place.File, Of: p.Place.Of, Key: p.Key, Message: p.Msg, Hint: p.Hint}
		if j.Of == "" {
			j.Line, j.Column = p.Place.Line, p.Place.Col
		}
		out.Problems = append(out.Problems, j)
	}
	for _, r := range k.tests {
		out.Tests = append(out.Tests, testJSON{r.Name, r.Place.File, r.Place.Line, r.Passed(), r.Flows})
	}
	for i, p := range k.proofs {
		m := k.members[i]
		h := checkHostJSON{Name: m.Host.Name, Roles: []string{}, RulesIn: len(m.Policy.In), RulesOut: len(m.Policy.Out), WayIn: string(p.State)}
		for _, r := range m.Host.Roles {
			h.Roles = append(h.Roles, r.V)
		}
		h.From = p.From()
		out.Hosts = append(out.Hosts, h)
	}
	return out
}
