package archtest

import (
	"fmt"
	"go/ast"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNamedTests holds the pages against the tests: who looks for a test, a fuzz target or a benchmark
// that a page names finds it.
func TestNamedTests(t *testing.T) {
	const test = "roles/a_test.go"
	code := "package roles\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {}\n"
	hold(t, namedTests,
		broken{"gone", map[string]string{test: code, "docs/a.md": "`TestOne`, `TestOther`\n"}, "docs/a.md:1: there is no TestOther"},
		broken{"of a kind", map[string]string{test: code, "README.md": "\n`TestO*/x` and `FuzzO*`\n"}, "README.md:2: there is no FuzzO*"},
		broken{"to run", map[string]string{test: code, "docs/a.md": "go test -run TestOn ./roles; go test -fuzz FuzzOn\n"}, "docs/a.md:1: there is no FuzzOn"},
		broken{"only a part of a name", map[string]string{test: code, "docs/a.md": "`TestOn`\n"}, "docs/a.md:1: there is no TestOn"},
	)
}

var namedTest = regexp.MustCompile(`(-(?:run|fuzz|bench) ['^]*)?\b((?:Test|Fuzz|Benchmark)[A-Z]\w*)(\.?\*)?`)

func namedTests(_ *testing.T, tr tree) []string {
	tests := map[string]bool{}
	for _, s := range tr.code {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && s.test() {
				tests[f.Name.Name] = true
			}
		}
	}
	var found []string
	for _, page := range tr.paths {
		if page != "README.md" && (!strings.HasPrefix(page, "docs/") || !strings.HasSuffix(page, ".md")) {
			continue
		}
		n := 0
		for line := range strings.Lines(tr.text[page]) {
			n++
			for _, m := range namedTest.FindAllStringSubmatch(line, -1) {
				there := tests[m[2]]
				if m[1] != "" || m[3] != "" { // a pattern
					there = slices.ContainsFunc(slices.Collect(maps.Keys(tests)), func(name string) bool { return strings.HasPrefix(name, m[2]) })
				}
				if !there {
					found = append(found, fmt.Sprintf("%s:%d: there is no %s", page, n, m[2]+m[3]))
				}
			}
		}
	}
	return found
}
