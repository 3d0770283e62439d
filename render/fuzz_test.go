package render_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// scriptLine is all that LoadForm may say before the candidate's own text.
var scriptLine = regexp.MustCompile(`^((add|flush) table inet fwpush|(flush set|delete (set|chain)) inet fwpush [A-Za-z_][A-Za-z0-9_./-]*)$`)

// FuzzParseLayout: a listing comes from a host. Whatever it says, nothing of it
// gets into a script but names, and the parser comes to an end.
func FuzzParseLayout(f *testing.F) {
	for _, s := range []string{"", listed(), listed(setOps, setDyn, chainRev, chainIn), listed("\tchain x;y {\n\t}"), "table inet fwpush {\n\tset x {\n\t\telements = { \"", "}"} {
		f.Add(s)
	}
	candidate := mustRender(f, concepts["defaults"])
	declared := strings.TrimPrefix(candidate.Text, "add table inet fwpush\ndelete table inet fwpush\n")
	f.Fuzz(func(t *testing.T, listing string) {
		l, err := render.ParseLayout(listing)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		script, kept := render.LoadForm(candidate, l, nft106)
		if !kept {
			if script != candidate.Text {
				t.Error("recreated by another text than the candidate's own")
			}
			return
		}
		prelude, ok := strings.CutSuffix(script, declared)
		if !ok {
			t.Fatalf("does not end in the candidate:\n%s", script)
		}
		for line := range strings.Lines(prelude) {
			if !scriptLine.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("the listing put this into the script: %q", line)
			}
		}
	})
}

// FuzzDrift: two listings of a host, whatever they are, make a diff that is
// empty for the same text and holds no line that neither has.
func FuzzDrift(f *testing.F) {
	whole := listed(setOps, setDyn, chainRev, chainIn)
	f.Add(whole, listed(chainIn))
	f.Add("\tset x {\n\t\ttimeout 1s\n\t\telements = {", "\t}\n\t\t")
	f.Add("", "\x00\n@@ -1 +1 @@\n\\ No newline at end of file")
	f.Add("--- a\n+++ b\n", "+\n-\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		if d := render.Drift(a, a); d.Changed || d.Text != "" || d.Added+d.Removed != 0 {
			t.Errorf("differs from itself: %+v", d)
		}
		ca, cb := render.Canonical(a), render.Canonical(b)
		d := render.Drift(a, b)
		lines := map[string]bool{}
		for l := range strings.SplitSeq(ca+cb, "\n") {
			lines[strings.Trim(l, " \t")] = true
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(d.Text, "\n"), "\n") {
			if l == "" || strings.HasPrefix(l, "@@ ") {
				continue
			}
			if body := strings.Trim(l[1:], " \t"); !lines[body] && body != "}" && !strings.HasSuffix(body, " {") {
				t.Errorf("in neither listing: %q", l)
			}
		}
	})
}

// FuzzNftables: strings of the fleet file either get an error or stand in the
// text as what they are, one comment and one set name, and the text is read
// back as exactly the rules that were meant.
func FuzzNftables(f *testing.F) {
	for _, c := range comments {
		f.Add(c, "web", "lan", "refused: ")
	}
	f.Add("x\" accept\n", "a;flush ruleset", "}\n", "\"")
	f.Add("\\", "-", ".", "\\")
	f.Add("", strings.Repeat("x", 300), "", "")
	f.Fuzz(func(t *testing.T, comment, name, net, prefix string) {
		p := base(func(p *roles.Policy) {
			p.Log.Prefix = prefix
			p.In = []roles.Rule{{
				Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8443)}, Comment: comment,
				From: peers(roles.Peer{Kind: roles.RolePeer, Name: name, Net: net, V4: ops.V4}),
			}}
		})
		rs, err := render.Nftables(p)
		if err != nil {
			return
		}
		s := readText(t, rs.Text)
		if got := slices.Sorted(maps.Keys(s.chains)); !slices.Equal(got, []string{"icmp_in", "input", rs.Marker}) {
			t.Fatalf("chains %q", got)
		}
		var rule []string
		for _, r := range s.chains["input"] {
			if slices.Contains(r, "8443") {
				rule = r
			}
		}
		if len(rule) < 7 {
			t.Fatalf("the rule is lost in\n%s", rs.Text)
		}
		set := strings.TrimPrefix(rule[2], "@")
		want := []string{"ip", "saddr", "@" + set, "tcp", "dport", "8443", "accept"}
		if comment != "" {
			want = append(want, "comment", `"`+comment+`"`)
		}
		if !slices.Equal(rule, want) || len(s.sets[set]) != 1 || !setName.MatchString(set) {
			t.Errorf("rule %q, set %q", rule, s.sets[set])
		}
		if n := len(s.chains["input"]); n != 13 {
			t.Errorf("%d rules in input:\n%s", n, rs.Text)
		}
	})
}

var setName = regexp.MustCompile(`^[a-z][A-Za-z0-9_.]{1,200}$`)
