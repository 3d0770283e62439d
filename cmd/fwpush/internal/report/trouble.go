package report

import (
	"fmt"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
)

// Trouble says how hosts ended that did not end as asked; r is the result of one.
func Trouble(hosts string, r rollout.Result) string {
	text := fmt.Sprintf("%s  %s", hosts, r.Outcome)
	if r.Stage != "" && r.Outcome != commit.OutcomeUnreachable {
		text += " at " + string(r.Stage)
	}
	if r.Err != nil {
		text += ": " + Cause(r)
	}
	if r.Hint != "" {
		text += "; " + r.Hint
	}
	return text
}

// Cause is the error without the host's name, which stands before it.
func Cause(r rollout.Result) string {
	text := strings.TrimPrefix(r.Err.Error(), r.Name+": ")
	before, after, found := strings.Cut(text, r.Name+" (")
	if address, what, ok := strings.Cut(after, "): "); found && ok {
		return before + address + ": " + what
	}
	return text
}

// Clock is a time of day for people, in UTC like the ids of runs and all else that
// is told of a time.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
