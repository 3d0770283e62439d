package rollout

import (
	"fmt"
	"strings"

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

// behindNote tells that iptables asks others only about what our rules leave open: an
// accept in a chain of ours is the last word, unlike one in a table of nftables.
func (t Target) behindNote(f commit.Facts) string {
	rules, err := t.Fit(f)
	if err != nil || t.Candidate.Remove || render.BackendOf(rules.Text) != render.BackendIptables {
		return ""
	}
	var behind []string
	for _, rule := range f.Foreign.Behind() {
		// Where ours do not decide on forwarding, none of them accepts before theirs.
		if strings.HasPrefix(rule, "INPUT ") || rules.Forwards() {
			behind = append(behind, fmt.Sprintf("%.64q", rule))
		}
	}
	if len(behind) == 0 {
		return ""
	}
	more := ""
	if n := len(behind) - 4; n > 0 {
		behind, more = behind[:4], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("with iptables no ban of others holds for what fwpush accepts: rules of theirs come behind its own (%s%s)",
		strings.Join(behind, ", "), more)
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
