package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// Answer is the object of doctor -o json. Fields are only ever added.
type Answer struct {
	Schema  int    `json:"schema"`
	Command string `json:"command"`
	Exit    int    `json:"exit"`
	Error   string `json:"error,omitempty"` // why it is not 0
	Hosts   []Host `json:"hosts"`
}

// Host is one host of doctor -o json.
type Host struct {
	Name    string    `json:"name"`
	Healthy bool      `json:"healthy"` // no check failed
	Checks  []Finding `json:"checks"`
}

// Finding is one check of a host.
type Finding struct {
	ID     string `json:"id"`
	State  string `json:"state"` // ok, warn, fail, unknown
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
	Detail string `json:"detail"`
}

// Hosts are reports for programs.
func Hosts(reports []Report) []Host {
	list := make([]Host, len(reports))
	for i, r := range reports {
		list[i] = Host{Name: r.Name, Healthy: r.Healthy(), Checks: []Finding{}}
		for _, c := range r.Checks {
			list[i].Checks = append(list[i].Checks, Finding{c.ID, string(c.State), c.Text, c.Remedy, c.Detail})
		}
	}
	return list
}

// marks are what findings begin with, in the order in which they are told.
var marks = []struct {
	state State
	mark  string
	shade func(ui.Colour, string) string
}{
	{Fail, "✗", ui.Colour.Red}, {Warn, "!", ui.Colour.Yellow}, {Unknown, "?", ui.Colour.Yellow}, {OK, "✓", ui.Colour.Green},
}

// shared is a finding that hosts have in common.
type shared struct {
	Check   // of the first one
	hosts   []string
	details []string // of each
}

// fold puts equal findings together, in the order of the checks, the most hosts first.
func fold(reports []Report) []*shared {
	var list []*shared
	rank := map[string]int{}
	known := map[Check]*shared{}
	for _, r := range reports {
		for i, c := range r.Checks {
			key := c
			key.Detail = ""
			s := known[key]
			if s == nil {
				s = &shared{Check: c}
				known[key] = s
				list = append(list, s)
				if _, ok := rank[c.ID]; !ok {
					rank[c.ID] = i
				}
			}
			s.hosts = append(s.hosts, r.Name)
			s.details = append(s.details, c.Detail)
		}
	}
	slices.SortStableFunc(list, func(a, b *shared) int {
		return cmp.Or(cmp.Compare(rank[a.ID], rank[b.ID]), cmp.Compare(len(b.hosts), len(a.hosts)))
	})
	return list
}

// Write prints what was found, hosts alike together, and how many are healthy. What is as
// it should be is printed where all is wanted.
func Write(w io.Writer, colour ui.Colour, reports []Report, all bool) error {
	var out strings.Builder
	folded := fold(reports)
	for _, m := range marks {
		for _, s := range folded {
			if s.State != m.state || m.state == OK && !all {
				continue
			}
			text := fmt.Sprintf("%-11s %s (%d)  %s", s.ID, inventory.Fold(s.hosts), len(s.hosts), s.Text)
			if d := s.detail(); d != "" {
				text += "  (" + d + ")"
			}
			fmt.Fprintf(&out, "%s %s\n", m.shade(colour, m.mark), ui.Safe(text))
			if s.Remedy != "" {
				fmt.Fprintf(&out, "%14s%s\n", "", colour.Dim("→ "+ui.Safe(s.Remedy)))
			}
			if all && s.detail() == "" {
				s.each(&out)
			}
		}
	}
	out.WriteString(total(reports) + "\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// detail is what is told beside a finding: what all of its hosts have in common.
func (s *shared) detail() string {
	for _, d := range s.details {
		if d != s.Detail {
			return ""
		}
	}
	return s.Detail
}

// mostDetails is how many details that differ are told of a finding.
const mostDetails = 12

// each tells the details of hosts that differ, those with the same together.
func (s *shared) each(out *strings.Builder) {
	var order []string
	hosts := map[string][]string{}
	for i, d := range s.details {
		if hosts[d] == nil {
			order = append(order, d)
		}
		hosts[d] = append(hosts[d], s.hosts[i])
	}
	order = slices.DeleteFunc(order, func(d string) bool { return d == "" })
	for i, d := range order {
		if i == mostDetails {
			fmt.Fprintf(out, "%14sand %d more, told by -o json\n", "", len(order)-i)
			return
		}
		fmt.Fprintf(out, "%14s%s\n", "", ui.Safe(inventory.Fold(hosts[d])+": "+d))
	}
}

// total is "17 hosts healthy (2 with warnings), 3 with failures".
func total(reports []Report) string {
	healthy, warned, failed, left := 0, 0, 0, 0
	for _, r := range reports {
		switch {
		case r.Result.Outcome == rollout.OutcomeSkipped:
			left++
		case !r.Healthy():
			failed++
		default:
			healthy++
			if r.has(Warn) || r.has(Unknown) {
				warned++
			}
		}
	}
	text := ui.Count(healthy, "host") + " healthy"
	if warned > 0 {
		text += fmt.Sprintf(" (%d with warnings)", warned)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d with failures", failed)
	}
	if left > 0 {
		text += fmt.Sprintf(", %d not looked at", left)
	}
	return text
}

// Failing are the hosts that a push would fail on although they can be reached, with
// strict also those with a warning or something that could not be told.
func Failing(reports []Report, strict bool) []string {
	return names(reports, func(r Report) bool {
		return r.Result.Outcome == "" && (!r.Healthy() || strict && (r.has(Warn) || r.has(Unknown))) || r.Result.Outcome == commit.OutcomeFailed
	})
}

// Unreachable are the hosts that nobody got in to.
func Unreachable(reports []Report) []string {
	return names(reports, func(r Report) bool { return r.Result.Outcome == commit.OutcomeUnreachable })
}

// NotLookedAt are the hosts that an interrupt kept from being examined.
func NotLookedAt(reports []Report) []string {
	return names(reports, func(r Report) bool { return r.Result.Outcome == rollout.OutcomeSkipped })
}

func names(reports []Report, is func(Report) bool) []string {
	var list []string
	for _, r := range reports {
		if is(r) {
			list = append(list, r.Name)
		}
	}
	return list
}
