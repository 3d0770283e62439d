package ui_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/ui"
)

func TestFold(t *testing.T) {
	tests := []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"web01"}, "web01"},
		{[]string{"web07", "web14"}, "web[07,14]"},
		{[]string{"web03", "web01", "web02", "db1", "web05"}, "web[01-03,05],db1"},
		{[]string{"web8", "web9", "web10"}, "web[8-10]"},
		{[]string{"web08", "web09", "web10", "web99", "web100"}, "web[08-10,99],web100"},
		{[]string{"web1", "web01"}, "web1,web01"},
		{[]string{"bastion", "gw"}, "bastion,gw"},
		{[]string{"a1.dc2.example.net", "a2.dc2.example.net"}, "a[1-2].dc2.example.net"},
		{[]string{"r2d2", "r2d3"}, "r2d[2-3]"},
		{[]string{"x99999999999999999999", "x1"}, "x99999999999999999999,x1"},
		{[]string{"web01", "web01"}, "web01"},
	}
	for _, tt := range tests {
		if got := ui.Fold(tt.names); got != tt.want {
			t.Errorf("Fold(%q) = %s, want %s", tt.names, got, tt.want)
		}
	}
}

// TestFoldNamesExactlyItsHosts expands what was folded the way a selection
// pattern does.
func TestFoldNamesExactlyItsHosts(t *testing.T) {
	name := rapid.StringMatching(`(web|db-?|r2d)(0{0,2}[0-9]{0,3})(\.lan)?`)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(name, 1, 40).Draw(t, "names")
		folded := ui.Fold(names)
		got := unfold(t, folded)
		slices.Sort(got)
		slices.Sort(names)
		if want := slices.Compact(names); !slices.Equal(got, want) {
			t.Fatalf("%s names %q, want %q", folded, got, want)
		}
	})
}

func unfold(t *rapid.T, pattern string) []string {
	var names []string
	for pattern != "" {
		open := strings.IndexAny(pattern, "[,")
		if open < 0 || pattern[open] == ',' {
			name, rest, _ := strings.Cut(pattern, ",")
			names, pattern = append(names, name), rest
			continue
		}
		head := pattern[:open]
		list, rest, ok := strings.Cut(pattern[open+1:], "]")
		if !ok {
			t.Fatalf("no ] in %s", pattern)
		}
		tail, next, _ := strings.Cut(rest, ",")
		pattern = next
		for run := range strings.SplitSeq(list, ",") {
			first, last, isRun := strings.Cut(run, "-")
			if !isRun {
				last = first
			}
			from, err1 := strconv.Atoi(first)
			to, err2 := strconv.Atoi(last)
			if err1 != nil || err2 != nil {
				t.Fatalf("bad run %s", run)
			}
			for n := from; n <= to; n++ {
				names = append(names, fmt.Sprintf("%s%0*d%s", head, len(first), n, tail))
			}
		}
	}
	return names
}
