package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

func TestCompareShowsTheChangeAndItsPlace(t *testing.T) {
	running := mustRender(t, base(func(p *roles.Policy) {
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}}}
	}))
	candidate := mustRender(t, base(func(p *roles.Policy) {
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80, 443)}, Place: at(14)}, {Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(5432)}, From: peers(peer(roles.HostPeer, "app", "10.20.0.30")), Place: at(15)}}
	}))
	d := render.Compare(running.Text, candidate)
	want := `@@ set h_app4 @@
+  set h_app4 {
+    type ipv4_addr
+    flags interval
+    elements = { 10.20.0.30 }
+  }
@@ chain input @@
   ct state vmap { established : accept, related : accept, invalid : drop }
   icmp type echo-request accept
   icmpv6 type echo-request accept
-  tcp dport 80 accept
+  tcp dport { 80, 443 } accept            # fleet.toml:14
+  ip saddr @h_app4 tcp dport 5432 accept  # fleet.toml:15
   meta pkttype { broadcast, multicast } counter drop
   limit rate 5/second burst 10 packets log prefix "fwpush-input-drop: "
   counter drop
`
	if diff := cmp.Diff(want, d.Annotated()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !d.Changed || d.Added != 7 || d.Removed != 1 {
		t.Errorf("changed %v, +%d -%d", d.Changed, d.Added, d.Removed)
	}
	if strings.Contains(d.Text, "fleet.toml") || strings.Contains(d.Text, "rev_") || strings.Contains(d.Text, "delete table") {
		t.Errorf("places, marker or header in the text:\n%s", d.Text)
	}
}

func TestCompareFirstPushAndRemoval(t *testing.T) {
	rs := mustRender(t, concepts["web"])
	lines := strings.Count(rs.Text, "\n") - strings.Count(rs.Text, "\n\n") - 2 - 2 - 2 // header, frame, marker
	first := render.Compare("", rs)
	if !first.Changed || first.Added != lines || first.Removed != 0 {
		t.Errorf("first push: +%d -%d, want +%d -0", first.Added, first.Removed, lines)
	}
	last := render.Compare(rs.Text, render.Remove())
	if !last.Changed || last.Removed != lines || last.Added != 0 {
		t.Errorf("removal: +%d -%d, want +0 -%d", last.Added, last.Removed, lines)
	}
	if d := render.Compare("", render.Remove()); d.Changed || d.Text != "" {
		t.Errorf("nothing to nothing: %+v", d)
	}
}

// TestCompareNeverLies: what a diff takes away and adds, done to the running
// text, gives the candidate; and it is empty only if nothing differs.
func TestCompareNeverLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := mustRapid(t, genPolicy.Draw(t, "running")), mustRapid(t, genPolicy.Draw(t, "candidate"))
		d := render.Compare(a.Text, b)
		if d.Changed != (a.Marker != b.Marker) {
			t.Fatalf("changed %v from %s to %s", d.Changed, a.Marker, b.Marker)
		}
		count := map[string]int{}
		for l := range strings.Lines(a.Text) {
			count[normal(l)]++
		}
		added, removed := 0, 0
		for l := range strings.Lines(d.Text) {
			switch {
			case strings.HasPrefix(l, "+"):
				count[normal(l[1:])]++
				added++
			case strings.HasPrefix(l, "-"):
				count[normal(l[1:])]--
				removed++
			}
		}
		for l := range strings.Lines(b.Text) {
			count[normal(l)]--
		}
		delete(count, "")
		delete(count, "chain "+a.Marker+" {")
		delete(count, "chain "+b.Marker+" {")
		for l, n := range count {
			if n != 0 {
				t.Fatalf("%q is off by %d in\n%s", l, n, d.Text)
			}
		}
		if added != d.Added || removed != d.Removed {
			t.Fatalf("says +%d -%d, shows +%d -%d", d.Added, d.Removed, added, removed)
		}
	})
}

func normal(l string) string { return strings.Trim(l, " \t\n") }

// TestDriftOfLinesThatBelongNowhere: those of one backend are not taken for those of the other.
func TestDriftOfLinesThatBelongNowhere(t *testing.T) {
	listing := "table inet fwpush {\n\tflags dormant\n}\n# fwpush iptables\nodd\n"
	if d := render.Drift(listing, listing); d.Changed {
		t.Errorf("differs from itself:\n%s", d.Text)
	}
}

// TestDriftOfABlockCalledAsTheTable: it is not taken for the lines outside of any block.
func TestDriftOfABlockCalledAsTheTable(t *testing.T) {
	listing := "table inet fwpush {\n\tflags dormant\n\ttable inet fwpush {\n\t\taccept\n\t}\n}\n"
	if d := render.Drift(listing, listing); d.Changed {
		t.Errorf("differs from itself:\n%s", d.Text)
	}
	if d := render.Drift(listing, strings.Replace(listing, "\t\taccept\n", "", 1)); d.Added != 0 || d.Removed != 1 {
		t.Errorf("a line less is told as +%d -%d:\n%s", d.Added, d.Removed, d.Text)
	}
}

func TestDriftIsSeparateFromChange(t *testing.T) {
	stored := listed(setOps, chainRev, chainIn)
	live := strings.Replace(stored, "\t\tcounter drop\n", "\t\tip saddr 198.51.100.7 drop\n\t\tcounter drop\n", 1)
	d := render.Drift(stored, live)
	want := `@@ chain input @@
   type filter hook input priority filter - 10; policy drop;
   ip saddr @s_ops4 tcp dport { 80, 443 } accept comment "}"
+  ip saddr 198.51.100.7 drop
   counter drop
`
	if diff := cmp.Diff(want, d.Text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := render.Drift(stored, strings.ReplaceAll(stored, "\tchain rev_0123456789ab {\n\t}\n", "")); !d.Changed {
		t.Error("a marker that was taken away is no drift")
	}
	if d := render.Drift(stored, ""); !d.Changed || d.Added != 0 {
		t.Errorf("a table that was taken away: %+v", d)
	}
}

func TestAnnotateAligns(t *testing.T) {
	rs := render.Ruleset{Text: "a\n\tbcd\ne\n", Places: map[int][]inventory.Place{1: {at(3)}, 2: {at(4), at(4)}}}
	if got, want := rs.Annotated(), "a            # fleet.toml:3\n\tbcd  # fleet.toml:4\ne\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	rs.Places[3] = []inventory.Place{{File: "odd\nname\x1b[2J", Line: 1}}
	if got := rs.Annotated(); strings.Count(got, "\n") != 3 || strings.Contains(got, "\x1b") {
		t.Errorf("a file name broke out of its comment: %q", got)
	}
}
