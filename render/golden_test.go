package render_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

var update = flag.Bool("update", false, "write the golden files")

func mustRender(t testing.TB, p roles.Policy) render.Ruleset {
	t.Helper()
	rs, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestGolden(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(concepts)) {
		t.Run(name, func(t *testing.T) {
			rs := mustRender(t, concepts[name])
			golden(t, filepath.Join("testdata", name, "ruleset.nft"), rs.Text)
		})
	}
	kept, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	others := []string{"fuzz", "rapid"} // of the fuzzer, of rapid
	for _, d := range kept {
		if _, ok := concepts[d.Name()]; !ok && !slices.Contains(others, d.Name()) {
			t.Errorf("testdata/%s belongs to no concept", d.Name())
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with go test ./render -run TestGolden -update", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

func TestN6RulesetNeverTouchesOtherTables(t *testing.T) {
	for name, p := range concepts {
		text := mustRender(t, p).Text
		if !strings.HasPrefix(text, "add table inet fwpush\ndelete table inet fwpush\ntable inet fwpush {\n") ||
			!strings.HasSuffix(text, "\n}\n") {
			t.Errorf("%s: not one block of table inet fwpush:\n%s", name, text)
		}
		for i, l := range strings.Split(text, "\n") {
			if i > 2 && strings.HasPrefix(l, "}") && i != strings.Count(text, "\n")-1 {
				t.Errorf("%s: the table ends at line %d, before the text does", name, i+1)
			}
		}
	}
}

func TestP2RenderingIsTheSameToTheByte(t *testing.T) {
	for name, p := range concepts {
		first := mustRender(t, p)
		for range 100 {
			if again := mustRender(t, p); again.Text != first.Text || !cmp.Equal(again, first) {
				t.Fatalf("%s: two renderings differ", name)
			}
		}
	}
}

func TestPlacesStandBesideTheirLines(t *testing.T) {
	rs := mustRender(t, concepts["web"])
	want := map[string]string{
		"tcp dport { 80, 443 } accept":                                    "fleet.toml:14",
		"udp dport 443 accept":                                            "fleet.toml:14",
		`ip saddr @s_ops4 tcp dport 8080 accept comment "preview build"`:  "fleet.toml:22",
		`ip6 saddr @s_ops6 tcp dport 8080 accept comment "preview build"`: "fleet.toml:22",
		"ip saddr @r_monitoring_lan4 tcp dport 9100 accept":               "fleet.toml:15",
		"ip6 saddr @r_monitoring_lan6 tcp dport 9100 accept":              "fleet.toml:15",
		"meta pkttype { broadcast, multicast } counter drop":              "fleet.toml:4",
		"counter drop": "fleet.toml:4",
	}
	got := map[string]string{}
	for l := range strings.Lines(rs.Annotated()) {
		if text, note, ok := strings.Cut(strings.TrimSpace(l), "  # "); ok {
			got[strings.TrimSpace(text)] = note
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("annotated lines (-want +got):\n%s", d)
	}
	if strings.Contains(rs.Text, "fleet.toml") {
		t.Error("a place is in the text, and so in the digest")
	}
}

func TestSameRuleFromTwoPlacesIsOneLineWithBoth(t *testing.T) {
	p := base(func(p *roles.Policy) {
		p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Place: at(30)}, {Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Place: at(7)}}
	})
	rs := mustRender(t, p)
	if n := strings.Count(rs.Text, "tcp dport 80 accept"); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	if !strings.Contains(rs.Annotated(), "tcp dport 80 accept  # fleet.toml:7, fleet.toml:30\n") {
		t.Errorf("not both places, in order:\n%s", rs.Annotated())
	}
}

func TestRemoveIsNoTable(t *testing.T) {
	rs := render.Remove()
	const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if rs.Text != "" || rs.Marker != "" || rs.Digest != empty {
		t.Errorf("got %+v", rs)
	}
}
