package render_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fwpush/internal/lab"
	"fwpush/render"
)

// suites are the Debian releases whose nft every ruleset has to load on.
var suites = map[string]render.Version{
	"bullseye": {Major: 0, Minor: 9, Patch: 8},
	"bookworm": {Major: 1, Minor: 0, Patch: 6},
	"trixie":   {Major: 1, Minor: 1, Patch: 3},
}

// world is where the tests run, nil under -fuzz.
var world *lab.World

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error { world = w; return nil }))
}

// inKernel runs a shell script in the root tree of a release, in a network
// namespace of its own, with the files of the map in its directory, and returns
// the files that are there afterwards.
func inKernel(t *testing.T, suite, script string, files map[string]string) map[string]string {
	t.Helper()
	if world == nil {
		t.Fatal("needs namespaces; run without -fuzz")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // the first use makes the root tree
	defer cancel()
	root, err := world.Root(ctx, suite)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("script", script)
	for name, text := range files {
		write(name, text)
	}
	cmd := exec.CommandContext(ctx, "unshare", "--net", "--mount", "--", "sh", "-c",
		`mount --bind "$1" "$2/mnt" && exec chroot "$2" sh -c 'cd /mnt && sh -u ./script'`, "sh", dir, root)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v (needs root)\n%s", suite, err, out)
	}
	after := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		after[e.Name()] = string(text)
	}
	return after
}

// onEach runs a test for each release.
func onEach(t *testing.T, test func(t *testing.T, suite string, nft render.Version)) {
	for _, suite := range slices.Sorted(maps.Keys(suites)) {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			test(t, suite, suites[suite])
		})
	}
}

func TestN17TheSuitesHaveTheirVersions(t *testing.T) {
	onEach(t, func(t *testing.T, suite string, nft render.Version) {
		out := inKernel(t, suite, `nft --version >version`, nil)
		v, err := render.ParseVersion(out["version"])
		if err != nil || v != nft {
			t.Errorf("got %v, %v; want %v", v, err, nft)
		}
	})
}

// loadAll loads each ruleset twice over a foreign table, its annotated form,
// and then removes it, keeping every listing and whatever nft complains of.
const loadAll = `
echo 'table inet other { chain c { type filter hook input priority 0; policy accept; }
}' | tee foreign >/dev/null && nft -f foreign && nft list ruleset >before
for f in *.nft; do
	n=${f%.nft}
	{ nft -f $f && nft -s list table inet fwpush >$n.first &&
	nft -f $f && nft -s list table inet fwpush >$n.second &&
	nft -f $n.annotated && nft -s list table inet fwpush >$n.third &&
	nft -f remove; } >$n.errors 2>&1
done
nft list ruleset >after
`

func TestN17aGoldensLoadOnEveryVersion(t *testing.T) {
	onEach(t, func(t *testing.T, suite string, _ render.Version) {
		remove, _ := render.LoadForm(render.Remove(), render.Layout{}, render.Version{})
		files := map[string]string{"remove": remove}
		for name, p := range concepts {
			rs := mustRender(t, p)
			files[name+".nft"] = rs.Text
			files[name+".annotated"] = rs.Annotated()
		}
		out := inKernel(t, suite, loadAll, files)
		for name, p := range concepts {
			rs := mustRender(t, p)
			if out[name+".errors"] != "" {
				t.Errorf("%s: nft says:\n%s", name, out[name+".errors"])
				continue
			}
			first := out[name+".first"]
			for _, again := range []string{".second", ".third"} {
				if d := cmp.Diff(first, out[name+again]); d != "" {
					t.Errorf("%s: loaded again, listed differently:\n%s", name, d)
				}
			}
			if d := render.Drift(first, out[name+".second"]); d.Changed || d.Text != "" {
				t.Errorf("%s: drift where there is none:\n%s", name, d.Text)
			}
			if d := render.Compare(rs.Text, rs); d.Changed || d.Text != "" {
				t.Errorf("%s: a change where there is none:\n%s", name, d.Text)
			}
			checkListing(t, name, rs, first)
		}
		if d := cmp.Diff(out["before"], out["after"]); d != "" {
			t.Errorf("a foreign table was touched, or ours was left behind:\n%s", d)
		}
	})
}

// checkListing compares what the kernel holds with what the text says, as far
// as it can be told without reading nft's own rendering of a rule: the layout,
// and the number of lines and the comments of each chain.
func checkListing(t *testing.T, name string, rs render.Ruleset, listing string) {
	t.Helper()
	_, declared, _ := strings.Cut(rs.Text, "delete table inet fwpush\n")
	want, err := render.ParseLayout(declared)
	if err != nil {
		t.Errorf("%s: own text is not understood: %v", name, err)
	}
	got, err := render.ParseLayout(listing)
	if err != nil {
		t.Errorf("%s: listing is not understood: %v\n%s", name, err, listing)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: layout (-text +listing):\n%s", name, d)
	}
	if d := cmp.Diff(ruleComments(rs.Text), ruleComments(listing)); d != "" {
		t.Errorf("%s: rules (-text +listing):\n%s", name, d)
	}
}

// ruleComments is, for each chain, the comment of each of its rules.
func ruleComments(text string) map[string][]string {
	out := map[string][]string{}
	chain := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		switch {
		case strings.HasPrefix(l, "\tchain "):
			chain = strings.Fields(l)[1]
			out[chain] = nil
		case l == "\t}":
			chain = ""
		case chain != "" && strings.HasPrefix(l, "\t\t"):
			_, comment, _ := strings.Cut(l, " comment ")
			out[chain] = append(out[chain], comment)
		}
	}
	return out
}

// TestN10HostileTextsLoad lets the real nft read what the generators make: names
// that collide, and comments that try to be something else.
func TestN10HostileTextsLoad(t *testing.T) {
	const samples = 40
	onEach(t, func(t *testing.T, suite string, _ render.Version) {
		files := map[string]string{}
		rulesets := map[string]render.Ruleset{}
		for seed := range samples {
			rs := mustRender(t, genPolicy.Example(seed))
			name := fmt.Sprintf("sample%d", seed)
			rulesets[name] = rs
			files[name+".nft"] = rs.Text
		}
		out := inKernel(t, suite, `for f in *.nft; do
	n=${f%.nft}
	{ nft -f $f && nft -s list table inet fwpush >$n.listing; } >$n.errors 2>&1
done`, files)
		for name, rs := range rulesets {
			if out[name+".errors"] != "" {
				t.Errorf("%s: nft says:\n%s\nof\n%s", name, out[name+".errors"], rs.Text)
				continue
			}
			checkListing(t, name, rs, out[name+".listing"])
		}
	})
}
