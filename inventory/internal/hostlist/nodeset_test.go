package hostlist

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// nodeset runs ClusterShell's nodeset, in whose language administrators have written
// web[01-20] for years (clustershell.readthedocs.io, tools/nodeset). One process takes
// all cases of a test at once, each under a prefix of its own.
func nodeset(t *testing.T, option string, lines []string) []string {
	t.Helper()
	cmd := exec.Command("nodeset", option, "-S", "\n")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nodeset %s: %v %s (this test needs ClusterShell: tools/deps test installs it, or apt-get install clustershell)", option, err, stderr.String())
	}
	return split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", ","))
}

// cases is how many each test here draws.
const cases = 400

// prefix marks what belongs to a case. It has no digits, which would be folded, and none
// begins another.
func prefix(i int) string {
	letters := ""
	for range 3 {
		letters = string(rune('a'+i%26)) + letters
		i /= 26
	}
	return letters + "_"
}

// byCase puts names, or folded names, under the number of their case.
func byCase(t *testing.T, list []string) map[int][]string {
	t.Helper()
	index := map[string]int{}
	for i := range cases {
		index[prefix(i)] = i
	}
	sorted := map[int][]string{}
	for _, s := range list {
		letters, rest, ok := strings.Cut(s, "_")
		i, known := index[letters+"_"]
		if !ok || !known {
			t.Fatalf("nodeset made %q up", s)
		}
		sorted[i] = append(sorted[i], rest)
	}
	return sorted
}

// drawn is a source of chance; what it gave is told if the test fails.
func drawn(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("drawn with the seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// number is 0 to 120, or small, with zeros before it or none.
func number(r *rand.Rand) string {
	return fmt.Sprintf("%0*d", []int{0, 0, 2, 3}[r.IntN(4)], []int{r.IntN(13), r.IntN(121)}[r.IntN(2)])
}

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// someNames are names as fleets have them, near to each other.
func someNames(r *rand.Rand) []string {
	stem, end := pick(r, "web", "db-", "r", ""), pick(r, "", "", ".lan", "-a", "x2")
	var list []string
	for range 1 + r.IntN(30) {
		name := stem + number(r) + end
		switch r.IntN(6) {
		case 0:
			name = stem + number(r) + "n" + number(r) + end
		case 1:
			name = pick(r, "bastion", "web", "web1.dc1", "a1b2c3")
		case 2: // a row of them, which may outgrow its zeros
			from, width := r.IntN(12), r.IntN(4)
			for n := range []int{3, 10, 100}[r.IntN(3)] {
				list = append(list, fmt.Sprintf("%s%0*d%s", stem, width, from+n, end))
			}
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestFoldIsUnderstoodByNodeset gives nodeset what fwpush prints: it stands for the very
// same names there.
func TestFoldIsUnderstoodByNodeset(t *testing.T) {
	r := drawn(t)
	var lines []string
	want := map[int][]string{}
	for i := range cases {
		want[i] = someNames(r)
		var names []string
		for _, n := range want[i] {
			names = append(names, prefix(i)+n)
		}
		lines = append(lines, Fold(names))
	}
	got := byCase(t, nodeset(t, "-e", lines))
	for i := range cases {
		if slices.Sort(got[i]); !slices.Equal(got[i], want[i]) {
			t.Fatalf("%s\nstands for\n%q in nodeset,\nit is made of\n%q", lines[i], got[i], want[i])
		}
	}
}

// TestNodesetsFoldIsAPattern takes what nodeset prints as a pattern: it matches the names
// it was made of, and none near to them.
func TestNodesetsFoldIsAPattern(t *testing.T) {
	r := drawn(t)
	var lines []string
	want := map[int][]string{}
	for i := range cases {
		want[i] = someNames(r)
		for _, n := range want[i] {
			lines = append(lines, prefix(i)+n)
		}
	}
	got := byCase(t, nodeset(t, "-f", lines))
	for i := range cases {
		matchesOnly(t, strings.Join(got[i], ","), want[i], r)
	}
}

// TestPatternsMeanWhatNodesetSays has patterns with one or two brackets.
func TestPatternsMeanWhatNodesetSays(t *testing.T) {
	r := drawn(t)
	brackets := func() string {
		var items []string
		for range 1 + r.IntN(4) {
			from := r.IntN(30)
			to := from + r.IntN(15)
			width := r.IntN(4)
			if width > 0 { // nodeset has no range that outgrows its zeros
				width = max(width, len(fmt.Sprint(to)))
			}
			items = append(items, pick(r, fmt.Sprintf("%0*d", width, from), fmt.Sprintf("%0*d-%0*d", width, from, width, to)))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	var lines, patterns []string
	for i := range cases {
		p := pick(r, "web", "r1n", "") + brackets() + pick(r, "", ".lan", "b")
		if r.IntN(3) == 0 {
			p += pick(r, "b", "-", ".") + brackets()
		}
		patterns = append(patterns, p)
		lines = append(lines, prefix(i)+p)
	}
	got := byCase(t, nodeset(t, "-e", lines))
	for i, p := range patterns {
		matchesOnly(t, p, got[i], r)
	}
}

// matchesOnly holds a pattern against names that it must match, and against names near
// to them that it must not.
func matchesOnly(t *testing.T, pattern string, names []string, r *rand.Rand) {
	t.Helper()
	terms, err := Parse(pattern)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	matched := func(name string) bool {
		return slices.ContainsFunc(terms, func(term Term) bool { return term.Match(name) })
	}
	if len(names) == 0 {
		t.Fatalf("%s: nodeset knows no name for it", pattern)
	}
	for _, n := range names {
		if !matched(n) {
			t.Fatalf("%s does not match %s", pattern, n)
		}
	}
	for range 50 {
		n := []byte(names[r.IntN(len(names))])
		at := r.IntN(len(n))
		switch r.IntN(4) {
		case 0:
			n = slices.Insert(n, at, '0')
		case 1:
			n = slices.Delete(n, at, at+1)
		default:
			n[at] = byte('0' + r.IntN(10))
		}
		if near := string(n); matched(near) && !slices.Contains(names, near) {
			t.Fatalf("%s matches %s, which nodeset does not have among %q", pattern, near, names)
		}
	}
}

// TestWhereNodesetDiffers has what fwpush takes and nodeset (1.9) does not. Nothing of it
// is ever printed. Before 1.9 nodeset also knew one number of zeros a bracket only:
// web[9,09] was web[09].
func TestWhereNodesetDiffers(t *testing.T) {
	for pattern, why := range map[string]string{
		"web[09-101]":     "padding length mismatch",
		"web[1-2][3-4]":   "illegal reopening bracket",
		"web[1-2], db[1]": "", // nodeset takes a space for a comma, too
	} {
		if _, err := Parse(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		if out, err := exec.Command("nodeset", "-e", pattern).CombinedOutput(); (err == nil) != (why == "") || !strings.Contains(string(out), why) {
			t.Errorf("%s: nodeset says %v: %s", pattern, err, out)
		}
	}
}
