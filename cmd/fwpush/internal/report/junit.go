package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/inventory"
	"fwpush/roles/expect"
)

// WriteJUnit writes what a check found, as CI servers read it: a case for each test
// of the fleet file, and for each problem that the check fails for. Problems do not
// repeat what the tests say.
func WriteJUnit(w io.Writer, file string, tests []expect.Result, problems inventory.Problems) error {
	suite := junit.Testsuite{Name: file, Time: "0"}
	for _, p := range problems {
		c, err := caseOfProblem(file, p)
		if err != nil {
			return err
		}
		suite.AddTestcase(c)
	}
	for _, r := range tests {
		suite.AddTestcase(caseOfTest(r))
	}
	var all junit.Testsuites
	all.AddSuite(suite)
	return all.WriteXML(w)
}

// caseOfProblem has the key for its name, which stays the same when the text or the
// line changes.
func caseOfProblem(file string, p inventory.Problem) (junit.Testcase, error) {
	name, class := p.Key, p.Place.String()
	if name == "" {
		name = p.Msg
	}
	if class == "" {
		class = file
	}
	var text strings.Builder
	if err := (inventory.Problems{p}).Print(&text); err != nil {
		return junit.Testcase{}, err
	}
	return junit.Testcase{Name: name, Classname: class, Time: "0", Error: &junit.Result{Message: p.Msg, Data: text.String()}}, nil
}

func caseOfTest(r expect.Result) junit.Testcase {
	c := junit.Testcase{Name: r.Name, Classname: r.Place.String(), Time: "0"}
	if r.Passed() {
		return c
	}
	lines := make([]string, 0, len(r.Failures))
	for _, bad := range r.Failures {
		lines = append(lines, fmt.Sprintf("%s: %s", bad.Ask.Place, plan.Explain(bad)))
	}
	if len(lines) == 0 {
		lines = []string{"the test asks nothing"}
	}
	c.Failure = &junit.Result{Message: lines[0], Data: strings.Join(lines, "\n")}
	return c
}
