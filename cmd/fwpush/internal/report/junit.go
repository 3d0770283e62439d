package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/roles/expect"
)

// WriteJUnit writes how the tests of a fleet file ended, one case for each, as CI
// servers read it.
func WriteJUnit(w io.Writer, file string, results []expect.Result) error {
	suite := junit.Testsuite{Name: file, Time: "0"}
	for _, r := range results {
		c := junit.Testcase{Name: r.Name, Classname: r.Place.String(), Time: "0"}
		if !r.Passed() {
			lines := make([]string, 0, len(r.Failures))
			for _, bad := range r.Failures {
				lines = append(lines, fmt.Sprintf("%s: %s", bad.Ask.Place, plan.Explain(bad)))
			}
			if len(lines) == 0 {
				lines = []string{"the test asks nothing"}
			}
			c.Failure = &junit.Result{Message: lines[0], Data: strings.Join(lines, "\n")}
		}
		suite.AddTestcase(c)
	}
	var all junit.Testsuites
	all.AddSuite(suite)
	return all.WriteXML(w)
}
