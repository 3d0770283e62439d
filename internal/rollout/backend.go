package rollout

import (
	"fmt"

	"fwpush/internal/commit"
	"fwpush/render"
)

// want is the backend that a host is asked for, "" where its facts decide. Rules that
// are there in one form only have to be taken as they are.
func (t Target) want() render.Backend {
	if t.Candidate.Want == "" && t.Print == nil {
		return render.BackendOf(t.Candidate.Rules.Text)
	}
	return t.Candidate.Want
}

// choice is the backend that the host gets. What it lacks for that is no matter of
// this: a host that lacks something is refused before anybody asks.
func (t Target) choice(f commit.Facts) commit.Choice {
	c, _ := f.Choose(t.want())
	if t.Candidate.Want == "" && t.want() != "" {
		c.Why = "there are no rules for another one"
	}
	return c
}

// Fit is the rules that a host shall run, in the form that suits it. It does not
// depend on whether the host takes them: the same facts give the same rules.
func (t Target) Fit(f commit.Facts) (render.Ruleset, error) {
	if t.Print == nil || t.Candidate.Remove {
		return t.Candidate.Rules, nil
	}
	c := t.choice(f)
	if c.Backend == "" {
		return render.Ruleset{}, fmt.Errorf("no backend works on the host %.64q", f.Hostname)
	}
	rules, err := t.Print(c)
	if err == nil && render.BackendOf(rules.Text) != c.Backend {
		err = fmt.Errorf("a bug in fwpush: rules for %q were printed where the host needs them for %q", render.BackendOf(rules.Text), c.Backend)
	}
	return rules, err
}

// backendNote is what a person should know of the backend before a host is changed:
// nothing where it is the one that was or the one that is expected.
func (t Target) backendNote(f commit.Facts) string {
	if t.Candidate.Remove || t.Print == nil && t.Candidate.Rules.Text == "" {
		return "" // nothing is pushed
	}
	switch c := t.choice(f); {
	case c.Backend == "":
		return ""
	case c.Changes():
		return fmt.Sprintf("from %s to %s: %s", c.Before, c.Backend, c.Why)
	case c.Before == "" && c.Backend == render.BackendIptables:
		return fmt.Sprintf("by %s: %s", c.Backend, c.Why)
	}
	return ""
}
