package doctor

import (
	"slices"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/render"
)

// State is how a check ended.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Warn    State = "warn"    // a push would go through; something else is not as it should be
	Fail    State = "fail"    // a push would fail, or the host would not do what the file says
	Unknown State = "unknown" // it could not be told
)

// Check is one thing that was looked at. Text and Remedy are the same for all hosts that
// have it in common; what is of one host alone stands in Detail. Text from a host is as
// the host sent it.
type Check struct {
	ID     string
	State  State
	Text   string
	Remedy string
	Detail string
}

// Report is all that was found of one host.
type Report struct {
	Name   string
	Result rollout.Result
	Checks []Check // in the order in which a push would come to them
}

// Healthy says whether the host was examined, and nothing was found that would make a push
// fail.
func (r Report) Healthy() bool { return r.Result.Outcome == "" && !r.has(Fail) }

func (r Report) has(s State) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.State == s })
}

// patient is a host while it is judged.
type patient struct {
	rollout.Target
	facts  commit.Facts
	health commit.Health
	result rollout.Result

	rules render.Ruleset // the candidate for this host
	unfit error          // why there is none
	found []Check

	refused error  // why a push would refuse the host, whatever risk is taken
	hint    string // and what to do
}

// Of judges a result of rollout.Examine.
func Of(t rollout.Target, r rollout.Result) Report {
	p := patient{Target: t, result: r}
	if p.gotIn() {
		p.facts, p.health = *r.Facts, *r.Health
		p.rules, p.unfit = t.Fit(p.facts)
		if p.unfit == nil {
			v := t.Judge(p.facts, rollout.Risks{TakeOver: true, LoseSSH: true})
			p.refused, p.hint = v.Err, v.Hint
		}
		for _, look := range []func(*patient){
			(*patient).tools, (*patient).disk, (*patient).stored, (*patient).pending, (*patient).backend, (*patient).candidate,
			(*patient).lockout, (*patient).timers, (*patient).clock, (*patient).boot, (*patient).drift, (*patient).conntrack,
			(*patient).foreign, (*patient).addresses, (*patient).interfaces, (*patient).forwarding, (*patient).dhcp, (*patient).sshd,
		} {
			look(&p)
		}
	}
	r.Facts, r.Health = nil, nil // they hold the host's rules several times over
	return Report{Name: r.Name, Result: r, Checks: p.found}
}

func (p *patient) add(id string, s State, text, remedy, detail string) {
	p.found = append(p.found, Check{ID: id, State: s, Text: text, Remedy: remedy, Detail: detail})
}

func (p *patient) ok(id, text, detail string) { p.add(id, OK, text, "", detail) }
