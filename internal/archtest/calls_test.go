package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// mainFiles are the only ones that may end the process.
var mainFiles = []string{"cmd/fwpush/main.go", "internal/bench/floor/main.go"}

func TestNoForbiddenCalls(t *testing.T) {
	in := func(file, body string) map[string]string { return map[string]string{file: body} }
	hold(t, calls,
		broken{"any host key", in("transport/a_test.go", "package transport\nvar _ = ssh.InsecureIgnoreHostKey()"),
			"transport/a_test.go:2: InsecureIgnoreHostKey"},
		broken{"unbounded output", in("transport/a.go", "package transport\nfunc f() { s.CombinedOutput(c) }"),
			"transport/a.go:2: CombinedOutput"},
		broken{"predictable numbers", in("roles/a.go", "package roles\nimport \"math/rand/v2\""),
			"roles/a.go:2: math/rand/v2"},
		broken{"exit", in("cmd/fwpush/apply.go", "package main\nimport \"os\"\nfunc f() { os.Exit(1) }"),
			"cmd/fwpush/apply.go:3: os.Exit"},
		broken{"exit by another name", in("roles/a.go", "package roles\nimport o \"os\"\nfunc f() { o.Exit(1) }"),
			"roles/a.go:3: os.Exit"},
		broken{"exit by a log line", in("roles/a.go", "package roles\nimport \"log\"\nfunc f() { log.Fatalf(``) }"),
			"roles/a.go:3: log.Fatalf"},
		broken{"panic", in("roles/a.go", "package roles\nfunc f() { panic(1) }"),
			"roles/a.go:2: panic"},
		broken{"a skipped test", in("roles/a_test.go", "package roles\nfunc f() { t.Skip() }"),
			"roles/a_test.go:2: Skip"},
		broken{"a test that is skipped for a reason", in("roles/a_test.go", "package roles\nfunc f() { t.Skipf(``) }"),
			"roles/a_test.go:2: Skipf"},
		broken{"a test that goes away with -short", in("roles/a_test.go", "package roles\nimport \"testing\"\nvar _ = testing.Short()"),
			"roles/a_test.go:3: testing.Short"},
	)
}

// calls finds what no file may use, or only some.
func calls(_ *testing.T, tr tree) []string {
	var found []string
	for _, s := range tr.code {
		report := func(n ast.Node, what, why string) {
			found = append(found, fmt.Sprintf("%s: %s: %s", s.at(n), what, why))
		}
		for _, spec := range s.file.Imports {
			if p := unquote(spec.Path.Value); !s.test() && within(p, "math/rand") {
				report(spec, p, "what it draws can be guessed; use crypto/rand")
			}
		}
		names := importNames(s.file)
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "InsecureIgnoreHostKey" {
					report(n, n.Name, "host keys are checked, in tests too")
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "panic" && !s.test() && !slices.Contains(mainFiles, s.path) {
					report(n, "panic", "return an error")
				}
			case *ast.SelectorExpr:
				if why := selectorTrouble(s, qualified(n, names), n.Sel.Name); why != "" {
					report(n, qualified(n, names), why)
				}
			}
			return true
		})
	}
	return found
}

// selectorTrouble is why a file may not use x.name, or "".
func selectorTrouble(s source, full, name string) string {
	ends := slices.Contains([]string{"os.Exit", "syscall.Exit", "golang.org/x/sys/unix.Exit", "runtime.Goexit"}, full) ||
		strings.HasPrefix(full, "log.Fatal") || strings.HasPrefix(full, "log.Panic")
	switch {
	case ends && !s.test() && !slices.Contains(mainFiles, s.path):
		return "only main ends the process; return an error"
	case full == "testing.Short":
		return "every run runs every test"
	case s.test() && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name):
		return "a test that cannot run fails and says what is missing"
	case name == "CombinedOutput" && !s.test() && !within(s.dir(), "internal/lab"):
		// On an ssh.Session, and there is no telling without types: it collects whatever a host
		// sends, without a bound. The lab runs tools of its own machine with it.
		return "its output has no bound; read what a host sends through transport"
	}
	return ""
}

// qualified is path.Name for a name of an imported package, and Name for any other selector.
func qualified(n *ast.SelectorExpr, names map[string]string) string {
	if x, ok := n.X.(*ast.Ident); ok && names[x.Name] != "" {
		return names[x.Name] + "." + n.Sel.Name
	}
	return n.Sel.Name
}

// importNames maps the names that a file gives to packages to their paths.
func importNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		p := unquote(spec.Path.Value)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}
