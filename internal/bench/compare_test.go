package bench

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// contender is one of those that are compared.
type contender struct {
	name    string
	command func() *exec.Cmd
}

// arena is where they compete on.
type arena struct {
	hosts int
	execs func() int64 // commands that the hosts were asked to run so far
	// near is set where the hosts are in the controller's network namespace, whose counters then
	// see each byte twice.
	near bool
}

// compare runs contenders in turn, in each round in another order, and prints what they took. It
// returns the runs of each.
func (a arena) compare(b *testing.B, list ...contender) map[string]runs {
	b.Helper()
	of := make(map[string]runs)
	for round := 0; b.Loop(); round++ {
		for i := range list {
			c := list[(i+round)%len(list)]
			before := a.execs()
			u := measure(b, c.command())
			u.execs = a.execs() - before
			of[c.name] = append(of[c.name], u)
		}
	}
	a.table(list, of)
	return of
}

// table prints contenders as the rows of a table in Markdown, the first as what others are
// compared with.
func (a arena) table(list []contender, of map[string]runs) {
	first := of[list[0].name]
	each := 1 / float64(a.hosts)
	bytes := func(u usage) float64 { return float64(u.sent+u.heard) / 1000 * each }
	if a.near {
		bytes = func(u usage) float64 { return float64(u.sent) / 1000 * each }
	}
	columns := []struct {
		name, format string
		of           func(usage) float64
	}{
		{"wall time, s", "%.2f", func(u usage) float64 { return u.wall.Seconds() }},
		{"to " + list[0].name, "%.2f", nil},
		{"controller CPU a host, ms", "%.1f", func(u usage) float64 { return u.cpu.Seconds() * 1000 * each }},
		{"peak memory, MiB", "%.0f", func(u usage) float64 { return float64(u.memory) / 1024 }},
		{"connections a host", "%.2f", func(u usage) float64 { return float64(u.connections) * each }},
		{"executions a host", "%.2f", func(u usage) float64 { return float64(u.execs) * each }},
		{"kB a host", "%.0f", bytes},
		{"processes a host", "%.0f", func(u usage) float64 { return float64(u.forks) * each }},
	}
	var s strings.Builder
	fmt.Fprintf(&s, "\n%d hosts, medians of %d rounds\n| program |", a.hosts, len(first))
	for _, c := range columns {
		fmt.Fprintf(&s, " %s |", c.name)
	}
	s.WriteString("\n" + strings.Repeat("|---", len(columns)+1) + "|\n")
	for _, l := range list {
		fmt.Fprintf(&s, "| %s |", l.name)
		for _, c := range columns {
			value := of[l.name].against(first)
			if c.of != nil {
				value = of[l.name].median(c.of)
			}
			fmt.Fprintf(&s, " "+c.format+" |", value)
		}
		s.WriteString("\n")
	}
	fmt.Println(s.String())
}
