package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFaultMatrix holds the table of docs/testing.md against the tests: every row of the matrix is in
// it, by its number, and has a test whose name has that number. What has a number is a row.
func TestFaultMatrix(t *testing.T) {
	page := "## The fault matrix\n\n"
	for _, n := range matrixRows() {
		page += "| " + n + " | step: fault | end | `TestRow" + n + "Fault` |\n"
	}
	code := "package roles\n\nimport \"testing\"\n\n"
	for _, n := range matrixRows() {
		code += "func TestRow" + n + "Fault(t *testing.T) {}\n"
	}
	const doc, test = "docs/testing.md", "roles/a_test.go"
	hold(t, matrix,
		broken{"a row less", map[string]string{test: strings.Replace(code, "func TestRow17Fault(t *testing.T) {}\n", "", 1),
			doc: strings.Replace(page, "| 17 | step: fault | end | `TestRow17Fault` |\n", "", 1)}, doc + ": the fault matrix has no row 17"},
		broken{"a row without a test", map[string]string{doc: page, test: strings.Replace(code, "TestRow48bFault", "TestOther", 1)},
			doc + ": row 48b of the fault matrix: there is no test TestRow48bFault"},
		broken{"a row with the test of another", map[string]string{doc: strings.Replace(page, "`TestRow9Fault`", "`TestRow8Fault`", 1), test: code},
			doc + ": row 9 of the fault matrix names TestRow8Fault"},
		broken{"a test without a row", map[string]string{doc: page, test: code + "func TestN1Row66Fault(t *testing.T) {}\n"},
			test + ":"},
		broken{"a number twice", map[string]string{doc: page + "| 5 | step: fault | end | `TestRow5Fault` |\n", test: code},
			doc + ": the fault matrix has row 5 twice"},
	)
}

// matrixRows are the numbers of the rows.
func matrixRows() []string {
	var rows []string
	for n := 1; n <= 65; n++ {
		rows = append(rows, fmt.Sprint(n))
	}
	return append(rows, "15b", "24b", "29b", "48b", "48c")
}

var (
	matrixRow = regexp.MustCompile("(?m)^\\| ([0-9]+[a-z]?) \\|.*\\| `(Test\\w+)` \\|$")
	numbered  = regexp.MustCompile(`Row([0-9]+[a-z]?)[A-Z]`)
)

func matrix(_ *testing.T, tr tree) []string {
	const doc = "docs/testing.md"
	_, text, ok := strings.Cut(tr.text[doc], "## The fault matrix\n")
	if !ok {
		return []string{doc + ": has no fault matrix"}
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var found []string
	tests := map[string]bool{}
	for _, s := range tr.code {
		if !s.test() {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			tests[f.Name.Name] = true
			if n := numbered.FindStringSubmatch(f.Name.Name); n != nil && !slices.Contains(matrixRows(), n[1]) {
				found = append(found, s.at(f)+": "+f.Name.Name+": there is no such row of the fault matrix")
			}
		}
	}
	seen := map[string]bool{}
	for _, row := range matrixRow.FindAllStringSubmatch(text, -1) {
		n, name := row[1], row[2]
		switch of := numbered.FindStringSubmatch(name); {
		case seen[n]:
			found = append(found, fmt.Sprintf("%s: the fault matrix has row %s twice", doc, n))
		case of == nil || of[1] != n:
			found = append(found, fmt.Sprintf("%s: row %s of the fault matrix names %s", doc, n, name))
		case !tests[name]:
			found = append(found, fmt.Sprintf("%s: row %s of the fault matrix: there is no test %s", doc, n, name))
		}
		seen[n] = true
	}
	for _, n := range matrixRows() {
		if !seen[n] {
			found = append(found, fmt.Sprintf("%s: the fault matrix has no row %s", doc, n))
		}
	}
	return found
}
