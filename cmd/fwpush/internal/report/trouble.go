package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/transport"
)

// Trouble says how a host ended that did not end as asked.
func Trouble(host string, r rollout.Result) string { return trouble(host, r, Cause(r), r.Hint) }

// TroubleOfMany says the same of hosts that have it in common.
func TroubleOfMany(hosts string, r rollout.Result) string {
	what, hint := Common(r)
	return trouble(hosts, r, what, hint)
}

func trouble(hosts string, r rollout.Result, cause, hint string) string {
	text := fmt.Sprintf("%s  %s", hosts, r.Outcome)
	if r.Stage != "" && r.Outcome != commit.OutcomeUnreachable {
		text += " at " + string(r.Stage)
	}
	if cause != "" {
		text += ": " + cause
	}
	if hint != "" {
		text += "; " + hint
	}
	return text
}

// Cause is the error without the host's name, which stands before it; "" without
// an error.
func Cause(r rollout.Result) string {
	before, address, after := takeApart(r)
	if address != "" {
		address += ": "
	}
	return before + address + after
}

// Common is what of a host's trouble others may have too: the error without the
// address, and the hint. Of a key that nobody has recorded neither the fingerprint
// nor what to type for this host is.
func Common(r rollout.Result) (cause, hint string) {
	var key *transport.HostKeyError
	var dial *transport.DialError // of a jump host: its key is the same for all
	if !(errors.As(r.Err, &dial) && dial.Jump()) && errors.As(r.Err, &key) && key.Unrecorded() {
		return "the host key is not in " + strings.Join(key.Files, " or "), "fwpush trust shows the keys of all of them, and asks"
	}
	before, _, after := takeApart(r)
	return before + after, r.Hint
}

func takeApart(r rollout.Result) (before, address, after string) {
	if r.Err == nil {
		return "", "", ""
	}
	text := strings.TrimPrefix(r.Err.Error(), r.Name+": ")
	before, rest, found := strings.Cut(text, r.Name+" (")
	if address, after, ok := strings.Cut(rest, "): "); found && ok {
		return before, address, after
	}
	return text, "", ""
}

// Clock is a time of day for people, in UTC like the ids of runs and all else that
// is told of a time.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
