package rollout

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/roles"
)

const (
	listing = "table inet fwpush {\n}\n"
	cameIn  = "10.0.0.1 50000 10.0.1.1 22"
)

func TestJudge(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	gone := Target{Host: web.Host, Candidate: commit.Candidate{Remove: true, Stamp: web.Candidate.Stamp}}
	text := web.Candidate.Rules.Text
	lab := &commit.Owner{Fleet: "lab", Host: "web1"}
	runs := func(owner *commit.Owner) commit.Facts {
		return commit.Facts{
			Connection: cameIn, Owner: owner, Generation: 3, Unit: "ok", CanonKnown: true,
			Running: listing, Canon: listing, Rules: text, Boot: text,
			Meta: map[string]string{"when": "1767323045", "by": "alice@ops\x1b[2J"},
		}
	}
	with := func(f commit.Facts, change func(*commit.Facts)) commit.Facts { change(&f); return f }
	fresh := commit.Facts{Connection: cameIn, Unit: "absent"}
	loseSSH, takeOver := Risks{LoseSSH: true}, Risks{TakeOver: true}

	for _, tc := range []struct {
		name   string
		target Target
		facts  commit.Facts
		accept Risks
		act    commit.Act
		says   string // part of error and hint, for a refusal
	}{
		{"first push", web, fresh, Risks{}, commit.Go, ""},
		{"runs it already", web, runs(lab), Risks{}, commit.Unchanged, ""},
		{"without systemd", web, with(runs(lab), func(f *commit.Facts) { f.Unit = "none" }), Risks{}, commit.Unchanged, ""},
		{"edited by hand", web, with(runs(lab), func(f *commit.Facts) { f.Running += "x" }), Risks{}, commit.Go, ""},
		{"other rules stored", web, with(runs(lab), func(f *commit.Facts) { f.Rules = "x" }), Risks{}, commit.Go, ""},
		{"other boot file", web, with(runs(lab), func(f *commit.Facts) { f.Boot = "" }), Risks{}, commit.Go, ""},
		{"boot unit disabled", web, with(runs(lab), func(f *commit.Facts) { f.Unit = "disabled" }), Risks{}, commit.Go, ""},
		{"drift cannot be told", web, with(runs(lab), func(f *commit.Facts) { f.CanonKnown = false }), Risks{}, commit.Go, ""},

		{"another fleet's", web, runs(&commit.Owner{Fleet: "prod"}), Risks{}, commit.Refuse,
			`fleet "prod", confirmed 2026-01-02T03:04:05Z by "alice@ops\x1b[2J"; if it shall be this fleet's from now on: --accept-risk take-over`},
		{"another fleet's, time unknown", web, with(runs(&commit.Owner{Fleet: "prod"}), func(f *commit.Facts) { f.Meta = nil }),
			Risks{}, commit.Refuse, `fleet "prod"; if`},
		{"losing SSH is no taking over", web, runs(&commit.Owner{Fleet: "prod"}), loseSSH, commit.Refuse, `fleet "prod"`},
		{"taken over, though the rules are equal", web, runs(&commit.Owner{Fleet: "prod"}), takeOver, commit.Go, ""},
		{"a table of nobody", web, with(fresh, func(f *commit.Facts) { f.Running = listing }), Risks{}, commit.Refuse,
			"a table inet fwpush without the stamp"},
		{"chains of nobody", web, with(fresh, func(f *commit.Facts) { f.Running = "# fwpush iptables\n" }), Risks{}, commit.Refuse,
			"iptables chains FWPUSH-* without the stamp"},
		{"state of nobody", web, with(fresh, func(f *commit.Facts) { f.Generation = 1 }), Risks{}, commit.Refuse, "/var/lib/fwpush"},
		{"a boot file of nobody", web, with(fresh, func(f *commit.Facts) { f.Boot = text }), Risks{}, commit.Refuse, "/var/lib/fwpush"},
		{"a table of nobody taken over", web, with(fresh, func(f *commit.Facts) { f.Running = listing }), takeOver, commit.Go, ""},
		{"taking over is no losing SSH", web, with(runs(nil), func(f *commit.Facts) { f.Connection = "10.0.0.2 50000 10.0.1.1 22" }),
			takeOver, commit.Refuse, "would lock out 10.0.0.2"},

		{"from elsewhere", web, with(fresh, func(f *commit.Facts) { f.Connection = "10.0.0.2 50000 10.0.1.1 22" }), Risks{}, commit.Refuse,
			"would lock out 10.0.0.2 → 22; add 10.0.0.2 to management.from, or try it under the timers with --accept-risk lose-ssh"},
		{"to another port", web, with(fresh, func(f *commit.Facts) { f.Connection = "10.0.0.1 50000 10.0.1.1 2222" }), Risks{}, commit.Refuse,
			"would lock out 10.0.0.1 → 2222; add 2222 to the host's sshd_ports"},
		{"by IPv6", web, with(fresh, func(f *commit.Facts) { f.Connection = "fd00::1 50000 fd00::2 22" }), Risks{}, commit.Refuse,
			"would lock out fd00::1 → 22"},
		{"by an IPv4 address in IPv6", web, with(fresh, func(f *commit.Facts) { f.Connection = "::ffff:10.0.0.1 50000 ::ffff:10.0.1.1 22" }),
			Risks{}, commit.Go, ""},
		{"from elsewhere, accepted", web, with(fresh, func(f *commit.Facts) { f.Connection = "10.0.0.2 50000 10.0.1.1 22" }),
			loseSSH, commit.Go, ""},
		{"from elsewhere, but nothing changes", web, with(runs(lab), func(f *commit.Facts) { f.Connection = "10.0.0.2 50000 10.0.1.1 22" }),
			Risks{}, commit.Unchanged, ""},
		{"no connection told", web, with(fresh, func(f *commit.Facts) { f.Connection = "" }), Risks{}, commit.Refuse,
			"does not tell where this connection comes from"},
		{"nonsense told", web, with(fresh, func(f *commit.Facts) { f.Connection = "10.0.0.1 22" }), Risks{}, commit.Refuse,
			"does not tell where this connection comes from"},

		{"remove", gone, runs(lab), Risks{}, commit.Go, ""},
		{"remove what is not there", gone, fresh, Risks{}, commit.Unchanged, ""},
		{"remove leftovers", gone, commit.Facts{Owner: lab, Unit: "absent"}, Risks{}, commit.Go, ""},
		{"remove another fleet's", gone, runs(&commit.Owner{Fleet: "prod"}), Risks{}, commit.Refuse, `fleet "prod"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := tc.target.Judge(tc.facts, tc.accept)
			if v.Act != tc.act {
				t.Fatalf("act %d, want %d: %v", v.Act, tc.act, v.Err)
			}
			if tc.act != commit.Refuse {
				return
			}
			if v.Stage != "" && v.Stage != commit.StageInspect {
				t.Errorf("stage %q, want inspect", v.Stage)
			}
			if said := v.Err.Error() + "; " + v.Hint; !strings.Contains(said, tc.says) {
				t.Errorf("it says\n%s\nwhich lacks\n%s", said, tc.says)
			}
		})
	}
}

func TestJudgeReportsALockOutAsSuch(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1")))
	v := web.Judge(commit.Facts{Connection: "10.0.0.2 50000 10.0.1.1 22"}, Risks{})
	var lockout *roles.LockoutError
	if !errors.As(v.Err, &lockout) {
		t.Errorf("%v is no LockoutError", v.Err)
	}
}

func TestNotes(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1")))
	for _, tc := range []struct {
		facts commit.Facts
		want  string
	}{
		{commit.Facts{}, ""},
		{commit.Facts{Skew: 30 * time.Second}, ""},
		{commit.Facts{Skew: 31 * time.Second}, "the host's clock is 31s ahead of this machine's"},
		{commit.Facts{Skew: -2 * time.Hour}, "the host's clock is 2h0m0s behind this machine's"},
		{commit.Facts{Owner: &commit.Owner{Fleet: "lab", Host: "web1"}}, ""},
		{commit.Facts{Owner: &commit.Owner{Fleet: "lab", Host: "db\x1b1"}}, `this machine was confirmed as host "db\x1b1" before`},
		{commit.Facts{Owner: &commit.Owner{Fleet: "prod", Host: "db1"}}, ""},
	} {
		if got := strings.Join(notes(web, tc.facts), "; "); got != tc.want {
			t.Errorf("notes %q, want %q", got, tc.want)
		}
	}
}

// What somebody has accepted for a host is said whatever is done with it.
func TestNoteOfOneTimer(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1")))
	web.Host.Timers = inventory.At[int]{V: 1, Place: inventory.Place{File: "fleet.toml", Line: 13, Col: 10}}
	if got := strings.Join(notes(web, commit.Facts{}), "; "); got != "1 timer, accepted by fleet.toml:13" {
		t.Errorf("notes %q", got)
	}
}

// TestC10FullConnectionTracking: a table that is full drops before any rule is asked,
// and no rule shows it.
func TestC10FullConnectionTracking(t *testing.T) {
	const say = "the host tracks 800 connections of 1000 at most; once that is full new ones are dropped, whatever the rules say"
	for _, tt := range []struct {
		tracked, most int
		want          string
	}{{800, 1000, say}, {799, 1000, ""}, {5, 0, ""}} {
		got := strings.Join(notes(Target{}, commit.Facts{Tracked: tt.tracked, Trackable: tt.most}), "\n")
		if strings.Contains(got, "whatever the rules say") != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("%d of %d: %q", tt.tracked, tt.most, got)
		}
	}
}

// TestBootPathRepaired: where a push of the same rules did something, it says what.
func TestBootPathRepaired(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	const repaired = "boot path repaired"
	for _, tt := range []struct {
		name    string
		outcome commit.Outcome
		change  func(*commit.Facts)
		want    string
	}{
		{"unit disabled", commit.OutcomeConfirmed, func(f *commit.Facts) { f.Unit = "disabled" }, repaired},
		{"unit edited", commit.OutcomeConfirmed, func(f *commit.Facts) { f.Unit = "differs" }, repaired},
		{"other boot file", commit.OutcomeConfirmed, func(f *commit.Facts) { f.Boot = "" }, repaired},
		{"not to its end", commit.OutcomeReverted, func(f *commit.Facts) { f.Unit = "disabled" }, ""},
		{"taken over", commit.OutcomeConfirmed, func(*commit.Facts) {}, ""},
		{"edited by hand", commit.OutcomeConfirmed, func(f *commit.Facts) { f.Unit, f.Running = "disabled", "x" }, ""},
		{"other rules", commit.OutcomeConfirmed, func(f *commit.Facts) { f.Unit, f.Rules = "disabled", "x" }, ""},
	} {
		f := commit.Facts{Connection: cameIn, Generation: 3, Unit: "ok", CanonKnown: true, Running: listing, Canon: listing,
			Rules: web.Candidate.Rules.Text, Boot: web.Candidate.Rules.Text}
		tt.change(&f)
		r := Result{Result: commit.Result{Outcome: tt.outcome, Facts: &f}}
		if r.learn(web); r.Hint != tt.want {
			t.Errorf("%s: hint %q, want %q", tt.name, r.Hint, tt.want)
		}
	}
}
