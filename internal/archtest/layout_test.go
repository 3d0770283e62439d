package archtest

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTopLevel(t *testing.T) {
	hold(t, entries,
		broken{"a directory more", map[string]string{"pkg/a.txt": ""}, "pkg: "},
		broken{"a file more", map[string]string{"notes.txt": ""}, "notes.txt: "},
	)
}

func entries(t *testing.T, tr tree) []string {
	list, err := os.ReadDir(tr.dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) {
			found = append(found, e.Name()+": does not belong at the top of the repository")
		}
	}
	return found
}

func TestOnePackageComment(t *testing.T) {
	hold(t, comments,
		broken{"none", map[string]string{"roles/a.go": "package roles\n"},
			"roles: has 0 package comments"},
		broken{"two", map[string]string{
			"roles/a.go": "// Package roles is one.\npackage roles\n",
			"roles/b.go": "// Package roles is two.\npackage roles\n",
		}, "roles: has 2 package comments"},
		broken{"in a test", map[string]string{
			"roles/a.go":      "package roles\n",
			"roles/a_test.go": "// Package roles is tested.\npackage roles\n",
		}, "roles: has 0 package comments"},
		broken{"of another package", map[string]string{"roles/a.go": "// Package rules is one.\npackage roles\n"},
			"roles/a.go: the package comment does not begin with \"Package roles \""},
		broken{"of a command", map[string]string{"cmd/fwpush/a.go": "// Package main is one.\npackage main\n"},
			"cmd/fwpush/a.go: the package comment does not begin with \"Command fwpush \""},
	)
}

// comments counts the package comments of each directory. Those of tests count only where there is
// nothing but tests.
func comments(_ *testing.T, tr tree) []string {
	product := map[string]bool{}
	for _, s := range tr.code {
		product[s.dir()] = product[s.dir()] || !s.test()
	}
	var found []string
	count := map[string]int{}
	for _, s := range tr.code {
		if s.test() && product[s.dir()] {
			continue
		}
		count[s.dir()] += 0
		if s.file.Doc == nil {
			continue
		}
		count[s.dir()]++
		head := "Package " + s.file.Name.Name + " "
		if s.file.Name.Name == "main" {
			head = "Command " + path.Base(s.dir()) + " "
		}
		if !strings.HasPrefix(s.file.Doc.Text(), head) {
			found = append(found, fmt.Sprintf("%s: the package comment does not begin with %q", s.path, head))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(count)) {
		if count[dir] != 1 {
			found = append(found, fmt.Sprintf("%s: has %d package comments; one says what it is for", dir, count[dir]))
		}
	}
	return found
}

func TestFilesAreShort(t *testing.T) {
	long := strings.Repeat("//\n", maxLines) + "package roles\n"
	hold(t, lengths,
		broken{"code", map[string]string{"roles/a.go": long}, "roles/a.go: 401 lines"},
		broken{"a script", map[string]string{"internal/commit/scripts/a.sh": strings.Repeat(":\n", 401)},
			"internal/commit/scripts/a.sh: 401 lines"},
		broken{"a test", map[string]string{
			"roles/a_test.go": strings.Repeat("//\n", maxTestLines) + "package roles\n",
			"roles/b_test.go": long,
		}, "roles/a_test.go: 451 lines"},
	)
}

func lengths(_ *testing.T, tr tree) []string {
	var found []string
	for _, p := range tr.paths {
		most := maxLines
		if strings.HasSuffix(p, "_test.go") {
			most = maxTestLines
		}
		if n := strings.Count(tr.text[p], "\n"); ours(p) && n > most {
			found = append(found, fmt.Sprintf("%s: %d lines; divide it by reason to change, %d at most", p, n, most))
		}
	}
	return found
}

func TestNothingIsLeftForLater(t *testing.T) {
	mark := "TO" + "DO"
	hold(t, marks,
		broken{"code", map[string]string{"roles/a.go": "package roles\n\n// " + mark + ": more\n"}, "roles/a.go:3: " + mark},
		broken{"a page", map[string]string{"docs/a.md": "FIX" + "ME soon"}, "docs/a.md:1: "},
		broken{"a script", map[string]string{"tools/a": "#!/bin/sh\n# XX" + "X\n"}, "tools/a:2: "},
	)
}

var later = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func marks(_ *testing.T, tr tree) []string {
	return grep(tr, later, "do it or file it; the text is no place for it", func(p string) bool { return ours(p) || path.Ext(p) == ".md" })
}

func TestNoScriptIsSkipped(t *testing.T) {
	hold(t, skips,
		broken{"for a reason", map[string]string{"cmd/fwpush/testdata/script/a.txtar": "[!root] skip 'needs root'\n"},
			"cmd/fwpush/testdata/script/a.txtar:1: "},
	)
}

var skip = regexp.MustCompile(`^\s*(\[[^]]*\]\s*)*skip\b`)

// skips looks at the scripts of testscript; calls does at the tests in Go.
func skips(_ *testing.T, tr tree) []string {
	return grep(tr, skip, "a test that cannot run fails and says what is missing", func(p string) bool { return path.Ext(p) == ".txtar" })
}

func TestN6OtherTablesAreLeftAlone(t *testing.T) {
	hold(t, flushes,
		broken{"a script", map[string]string{"internal/commit/scripts/a.sh": "nft flush ruleset\n"}, "internal/commit/scripts/a.sh:1: "},
		broken{"code", map[string]string{"render/a.go": "package render\n\nconst head = `flush  ruleset`\n"}, "render/a.go:3: "},
	)
}

var flush = regexp.MustCompile(`flush\s+ruleset`)

// flushes leaves tests alone: they quote it as a thing that must do no harm.
func flushes(_ *testing.T, tr tree) []string {
	return grep(tr, flush, "fwpush touches its own table only", func(p string) bool {
		return ours(p) && !strings.HasSuffix(p, "_test.go")
	})
}

// grep finds lines with a pattern in the files that are asked for.
func grep(tr tree, pattern *regexp.Regexp, why string, want func(path string) bool) []string {
	var found []string
	for _, p := range tr.paths {
		if !want(p) {
			continue
		}
		for i, line := range strings.Split(tr.text[p], "\n") {
			if m := pattern.FindString(line); m != "" {
				found = append(found, fmt.Sprintf("%s:%d: %s: %s", p, i+1, m, why))
			}
		}
	}
	return found
}

// ours tells what people write here as code, from samples of tests and from what tools write.
func ours(p string) bool {
	if inTestdata(p) {
		return false
	}
	switch path.Ext(p) {
	case ".go", ".sh", ".toml", ".example":
		return true
	}
	return path.Base(p) == "Makefile" || within(p, "tools") && path.Ext(p) == "" || within(p, ".ci")
}
