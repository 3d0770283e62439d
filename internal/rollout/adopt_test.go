package rollout

import (
	"net/netip"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

func TestJudgeOfHomeMadeRules(t *testing.T) {
	coexist := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	coexist.Host.Mode = inventory.At[string]{V: "coexist"}
	exclusive := coexist
	exclusive.Host.Mode.V = "exclusive"
	gone, back := exclusive, exclusive
	gone.Candidate = commit.Candidate{Remove: true, Stamp: exclusive.Candidate.Stamp}
	back.Past = &Past{Which: commit.Before}
	gateway, publishes := exclusive, exclusive
	gateway.Candidate.Rules = passing(t, render.BackendNftables, func(p *roles.Policy) { p.Forwards = true })
	publishes.Candidate.Rules = passing(t, render.BackendNftables, func(p *roles.Policy) { p.Publishes = true })

	runs := func(change func(*commit.Facts)) commit.Facts {
		rules := exclusive.Candidate.Rules.Text
		f := commit.Facts{Connection: cameIn, Owner: &commit.Owner{Fleet: "lab", Host: "web1"}, Generation: 3, Unit: "ok", CanonKnown: true,
			Running: listing, Canon: listing, Rules: rules, Boot: rules}
		change(&f)
		return f
	}
	adopted := func(f *commit.Facts) {
		f.Exclusive, f.Loader = true, commit.LoaderSum(commit.ModeExclusive)
	}
	home := func(f *commit.Facts) { f.Home, f.HomeLines = []string{"iptables-nft -t filter -P INPUT DROP"}, 1 }
	for _, tc := range []struct {
		name   string
		target Target
		facts  commit.Facts
		act    commit.Act
		says   string // part of error and hint, or of the notes
	}{
		{"nothing to adopt, not in the mode yet", exclusive, runs(func(*commit.Facts) {}), commit.Go, ""},
		{"in the mode", exclusive, runs(adopted), commit.Unchanged, ""},
		{"with a loader of another version", exclusive, runs(func(f *commit.Facts) { f.Exclusive = true }), commit.Go, ""},
		{"home-made rules", exclusive, runs(home), commit.Go, "takes the home-made rules away (1 line); a revert puts them back"},
		{"home-made rules that are back", exclusive, runs(func(f *commit.Facts) { adopted(f); home(f) }), commit.Go, "home-made rules are back (1 line)"},
		{"home-made rules in mode coexist", coexist, runs(home), commit.Unchanged, ""},
		{"out of the mode", coexist, runs(adopted), commit.Go, "a boot takes home-made rules away no more"},
		{"what cannot be put back", exclusive, runs(func(f *commit.Facts) { home(f); f.HomeStuck = []string{"x\x1b[2J"} }), commit.Refuse,
			`cannot be taken away and put back: "x\x1b[2J"; mend that on the host, or keep them: mode = "coexist"`},
		{"a gateway that the file does not know of", exclusive, runs(func(f *commit.Facts) { home(f); f.HomeFwd = true }), commit.Refuse, "write forward rules for it"},
		{"a gateway of which the file knows published ports alone", publishes, runs(func(f *commit.Facts) { home(f); f.HomeFwd = true }), commit.Refuse, "write forward rules for it"},
		{"a gateway", gateway, runs(func(f *commit.Facts) { home(f); f.HomeFwd = true }), commit.Go, "takes the home-made rules away"},
		{"a rollback", back, runs(func(f *commit.Facts) { adopted(f); home(f); f.HomeStuck = []string{"x"} }), commit.Unchanged, ""},
		{"a removal", gone, runs(func(f *commit.Facts) { adopted(f); home(f) }), commit.Go, "are not put back; they are kept in /var/lib/fwpush/adopted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := tc.target.Judge(tc.facts, Risks{})
			if v.Act != tc.act {
				t.Fatalf("act %v, want %v: %v", v.Act, tc.act, v.Err)
			}
			said := strings.Join(notes(tc.target, tc.facts), "; ")
			if v.Err != nil {
				said = v.Err.Error() + "; " + v.Hint
			}
			if !strings.Contains(said, tc.says) || tc.says == "" && strings.Contains(said, "home-made") {
				t.Errorf("it says %q, want %q", said, tc.says)
			}
		})
	}
}

// passing are rules for what passes through a host.
func passing(t *testing.T, backend render.Backend, of func(*roles.Policy)) render.Ruleset {
	t.Helper()
	p := policy("web1", netip.MustParseAddr("10.0.0.1"), 80)
	of(&p)
	rules, err := render.Nftables(p)
	if backend == render.BackendIptables {
		rules, err = render.Iptables(p, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// What somebody agreed to were these rules that go and no others.
func TestAnApprovalIsOfTheHomeMadeRulesThatWereShown(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	web.Host.Mode = inventory.At[string]{V: "exclusive"}
	f := commit.Facts{Connection: cameIn, Unit: "absent", HomeSum: "one"}
	web.Reviewed = &Review{State: Fingerprint(f), Digest: web.Candidate.Rules.Digest}
	if v := web.Judge(f, Risks{}); v.Act != commit.Go {
		t.Errorf("the same: %v", v.Err)
	}
	f.HomeSum = "two"
	if v := web.Judge(f, Risks{}); v.Act != commit.Refuse || !strings.Contains(v.Err.Error(), ErrStale.Error()) {
		t.Errorf("others: %v %v", v.Act, v.Err)
	}
}
