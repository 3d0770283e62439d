package compare

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
)

// What `nft list chains` prints. A base chain says where it is hooked in.
var (
	tableLine = regexp.MustCompile(`^table (\S+ \S+) \{`)
	chainLine = regexp.MustCompile(`^\s+chain (\S+) \{`)
	hookLine  = regexp.MustCompile(`^\s+type \S+ hook (\S+) (?:.* )?priority ([^;]+); policy (\w+);`)
)

// mostForeign is how many base chains of others are told of a host.
const mostForeign = 12

// foreignTable is a table of others with those of its base chains that stand beside ours.
type foreignTable struct {
	name   string
	owners []string
	base   []string
	ours   bool // chains of ours are in it: a table of iptables
}

// called takes a chain's name, "" for that of the table alone.
func (t *foreignTable) called(chain string) {
	t.ours = t.ours || strings.HasPrefix(chain, "FWPUSH-")
	family, table, _ := strings.Cut(t.name, " ")
	if owner := foreign.ManagerOf(foreign.Family(family), table, chain); owner != "" && !slices.Contains(t.owners, owner) {
		t.owners = append(t.owners, owner)
	}
}

func (t *foreignTable) String() string {
	text := "table " + t.name
	if len(t.owners) > 0 {
		text += " (" + strings.Join(t.owners, ", ") + ")"
	}
	return text + " " + strings.Join(t.base, ", ")
}

// foreignOf tells of the base chains of others on the hooks that a host's rules use:
// what these accept has to pass those too. Tables of iptables with our chains in them
// are left out, since there everything shares the base chains; what of others stands
// behind ours a note says.
func foreignOf(t rollout.Target, f commit.Facts) string {
	candidate, _ := t.Fit(f)
	hooks := hooksOf(candidate.Text)
	var tables []*foreignTable
	table, chain := &foreignTable{}, ""
	for line := range strings.Lines(f.Chains) {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			table = &foreignTable{name: m[1]}
			table.called("")
			tables = append(tables, table)
		} else if m := chainLine.FindStringSubmatch(line); m != nil {
			chain = m[1]
			table.called(chain)
		} else if m := hookLine.FindStringSubmatch(line); m != nil && hooks[m[1]] {
			table.base = append(table.base, fmt.Sprintf("chain %s hook %s priority %s policy %s", chain, m[1], m[2], m[3]))
		}
	}
	var texts []string
	left := mostForeign
	for _, t := range tables {
		if t.name == "inet fwpush" || t.ours || len(t.base) == 0 {
			continue
		}
		if len(t.base) > left {
			texts = append(texts, "and more")
			break
		}
		left -= len(t.base)
		texts = append(texts, t.String())
	}
	return strings.Join(texts, "; ")
}

var hooked = regexp.MustCompile(`(?m)^\s+type \S+ hook (\S+) `)

// hooksOf are the hooks that a ruleset uses.
func hooksOf(text string) map[string]bool {
	hooks := map[string]bool{}
	if render.BackendOf(text) == render.BackendIptables {
		for chain, hook := range map[string]string{"IN": "input", "OUT": "output", "FWD": "forward", "PRE": "prerouting", "POST": "postrouting"} {
			hooks[hook] = strings.Contains(text, "\n:FWPUSH-"+chain+" ")
		}
		return hooks
	}
	for _, m := range hooked.FindAllStringSubmatch(text, -1) {
		hooks[m[1]] = true
	}
	return hooks
}

// WriteForeign prints what of others stands beside the rules of hosts, each distinct
// set once. It is no part of a change.
func WriteForeign(w io.Writer, colour ui.Colour, changes []Change) error {
	var sets []string
	hosts := map[string][]string{}
	for _, c := range changes {
		if c.foreign == "" {
			continue
		}
		if hosts[c.foreign] == nil {
			sets = append(sets, c.foreign)
		}
		hosts[c.foreign] = append(hosts[c.foreign], c.Name)
	}
	slices.SortStableFunc(sets, func(a, b string) int { return cmp.Compare(len(hosts[b]), len(hosts[a])) })
	var out strings.Builder
	for _, set := range sets {
		names := hosts[set]
		fmt.Fprintln(&out, colour.Dim(ui.Safe(fmt.Sprintf("not fwpush's: %s (%d): %s", inventory.Fold(names), len(names), set))))
	}
	_, err := io.WriteString(w, out.String())
	return err
}
