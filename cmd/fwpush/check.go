package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
)

func newCheck(c *console, g *globals) *cobra.Command {
	var sel selecting
	strict := false
	output := oneOf("text", "json")
	cmd := &cobra.Command{
		Use:   "check",
		Short: "find every mistake in the fleet file, and prove the way in",
		Long: paragraph(`
		Read and compile the fleet file, render every selected host, and prove for each
		that its new rules admit this machine. Every mistake is reported at once, with its
		line. No host is contacted; the route to each is looked up here, and its name if
		it has no address.`) + exitStatus(exitOK, exitConfig),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k := c.check(cmd.Context(), g, sel.Selection, strict)
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
	addOutput(cmd, output)
	return cmd
}

// checkup is what a check found.
type checkup struct {
	*plan.File
	members  []plan.Member
	proofs   []plan.Proof
	problems inventory.Problems
	err      error
}

func (c *console) check(ctx context.Context, g *globals, s inventory.Selection, strict bool) *checkup {
	k := &checkup{}
	f, err := plan.Read(g.inventory.v)
	if err != nil {
		k.err = ended(exitConfig, "%v", err)
		return k
	}
	k.File, k.problems = f, f.Problems
	if len(f.Problems.Errors()) == 0 {
		if k.members, k.err = choose(f, s); k.err != nil {
			return k
		}
		if _, k.err = f.Targets(k.members); k.err != nil {
			return k
		}
		c.decisions(k.members)
		k.proofs = plan.Prove(ctx, k.members)
		k.problems = append(slices.Clone(k.problems), f.Findings(k.proofs, false)...)
		k.problems.Sort()
	}
	if k.err = c.explain(f.Fleet, k.problems); k.err != nil && k.proofs != nil {
		k.err = lockedOut(k.proofs)
	}
	if warned := k.count(inventory.Warning); k.err == nil && strict && warned > 0 {
		k.err = ended(exitConfig, "%s in %s, and --strict", ui.Count(warned, "warning"), f.Fleet.Path)
	}
	return k
}

func (k *checkup) count(s inventory.Severity) int {
	n := 0
	for _, p := range k.problems {
		if p.Severity == s {
			n++
		}
	}
	return n
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
	_, err := fmt.Fprintf(c.out, "%s: %s, %s in, %d out, %s\n", ui.Safe(k.Fleet.Path), ui.Count(len(k.members), "host"),
		ui.Count(in, "rule"), out, ui.Count(k.count(inventory.Warning), "warning"))
	return err
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
	Hosts    []checkHostJSON `json:"hosts"`
}

type problemJSON struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Message  string `json:"message"`
	Hint     string `json:"hint"`
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
	out := checkJSON{Schema: 1, Command: "check", Exit: exitCode(k.err), Error: reason(k.err), Problems: []problemJSON{}, Hosts: []checkHostJSON{}}
	severities := map[inventory.Severity]string{inventory.Error: "error", inventory.Warning: "warning", inventory.Note: "note"}
	for _, p := range k.problems {
		out.Problems = append(out.Problems, problemJSON{Severity: severities[p.Severity],
			File: p.Place.File, Line: p.Place.Line, Column: p.Place.Col, Message: p.Msg, Hint: p.Hint})
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
