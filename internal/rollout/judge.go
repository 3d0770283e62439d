package rollout

import (
	"fmt"
	"strconv"
	"time"

	"fwpush/internal/commit"
	"fwpush/render"
	"fwpush/roles"
)

// Judge answers a host's facts: whether it is ours to change, whether there is
// anything to change, and whether the way this very connection came in stays
// open. Facts are the host's word; what they can do is stop a commit or call it
// needless, never change what the host is given.
//
// A transaction of another run needs no verdict here: the host tells of it
// instead of asking, and the outcome is locked.
func (t Target) Judge(f commit.Facts, accept Risks) commit.Verdict {
	alien := t.notOurs(f)
	rules, err := t.Fit(f)
	stale := t.Reviewed.stale(f, rules)
	unadoptable := t.unadoptable(f, rules)
	strange := t.strangers(f)
	switch {
	case err != nil:
		return commit.Verdict{Err: err}
	case alien != nil && !accept.TakeOver:
		return commit.Verdict{Err: alien, Hint: "if it shall be this fleet's from now on: --accept-risk take-over"}
	case alien == nil && t.settled(f, rules):
		return commit.Verdict{Act: commit.Unchanged}
	case unadoptable != nil:
		return *unadoptable
	case stale != nil:
		return commit.Verdict{Err: stale, Hint: "look at the change again: fwpush diff"}
	case strange != nil && t.Past == nil:
		// Going back to what was confirmed, and taking our rules away, are not held up by that:
		// both are what a person wants in trouble.
		return commit.Verdict{Err: strange, Hint: strange.Hint()}
	case accept.LoseSSH:
		return commit.Verdict{Act: commit.Go, Rules: rules}
	}
	if err := t.proveOnline(f); err != nil {
		return commit.Verdict{Err: err, Hint: lockoutHint(err)}
	}
	return commit.Verdict{Act: commit.Go, Rules: rules}
}

// settled says whether the host is already as it shall be: it runs the
// candidate in all four ways, or has nothing of ours where it shall have none.
func (t Target) settled(f commit.Facts, rules render.Ruleset) bool {
	if t.Candidate.Remove {
		return f.Absent()
	}
	return f.Runs(rules.Text) && t.mode().Settled(f)
}

// notOurs says who has the host, or nil if this fleet has it or nobody.
func (t Target) notOurs(f commit.Facts) error {
	switch {
	case f.Owner != nil && f.Owner.Fleet == t.Candidate.Stamp.Fleet:
		return nil
	case f.Owner != nil:
		return fmt.Errorf("the host belongs to fleet %.64q%s", f.Owner.Fleet, confirmed(f.Meta))
	case render.BackendOf(f.Running) == render.BackendIptables:
		return fmt.Errorf("the host has iptables chains FWPUSH-* without the stamp of a fleet%s", confirmed(f.Meta))
	case f.Running != "":
		return fmt.Errorf("the host has a table inet fwpush without the stamp of a fleet%s", confirmed(f.Meta))
	case f.Boot != "" || f.Generation > 0:
		return fmt.Errorf("the host has rules in /var/lib/fwpush without the stamp of a fleet%s", confirmed(f.Meta))
	}
	return nil
}

// confirmed tells when and by whom a generation was confirmed, as far as the
// host knows.
func confirmed(meta map[string]string) string {
	text := ""
	if epoch, err := strconv.ParseInt(meta["when"], 10, 64); err == nil && epoch > 0 && epoch < 1<<33 {
		text = ", confirmed " + time.Unix(epoch, 0).UTC().Format(time.RFC3339)
	}
	if by := meta["by"]; by != "" {
		text += fmt.Sprintf(" by %.64q", by)
	}
	return text
}

// proveOnline is the online half of the lock-out proof: the candidate's
// management pair itself must admit the connection that this execution came in
// by, as the host's sshd saw it. Roles' rules do not count, they may be narrowed
// or denied.
//
// Base chains of others (Docker, ufw, fail2ban) are asked too: see proveBeside.
func (t Target) proveOnline(f commit.Facts) error {
	if t.Candidate.Remove {
		return nil // without a table of ours nothing is refused that was not before
	}
	if t.unproved != nil {
		return t.unproved
	}
	seen, err := roles.ParseSSHConnection(f.Connection)
	if err != nil {
		return fmt.Errorf("the host does not tell where this connection comes from: %w", err)
	}
	if err := t.Policy.AdmitsManagement(seen); err != nil {
		return err
	}
	return t.proveBeside(f, seen)
}

func lockoutHint(err error) string {
	const try = "try it under the timers with --accept-risk lose-ssh"
	if hint := hintOf(err); hint != "" {
		return hint + ", or " + try
	}
	return "look at sshd and the login scripts of the host, or " + try
}
