package compare

import (
	"fmt"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// mostAdopted is how many lines of home-made rules are shown of a host. Whoever approves
// that they go should have seen them; a generated ruleset of thousands nobody reads.
const mostAdopted = 120

// adoptsOf are the home-made rules that an apply would take away, the last line saying
// how many more there are.
func adoptsOf(t rollout.Target, f commit.Facts) []string {
	lines, more := t.Adopts(f)
	if n := len(lines) - mostAdopted; n > 0 {
		lines, more = lines[:mostAdopted:mostAdopted], more+n
	}
	if more > 0 {
		lines = append(lines[:len(lines):len(lines)], fmt.Sprintf("and %s more", ui.Count(more, "line")))
	}
	return lines
}

// writeAdopted prints home-made rules as what goes.
func writeAdopted(out *strings.Builder, colour ui.Colour, lines []string) {
	if len(lines) == 0 {
		return
	}
	out.WriteString("  " + colour.Bold("@@ home-made rules that are taken away @@") + "\n")
	for _, l := range lines {
		out.WriteString("  " + colour.Red("-  "+ui.Safe(strings.ReplaceAll(l, "\t", "   "))) + "\n")
	}
}
