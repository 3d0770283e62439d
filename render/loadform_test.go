package render_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory"
	"fwpush/render"
)

var nft106 = render.Version{Major: 1, Minor: 0, Patch: 6}

// layoutOf reads the frame of a ruleset from its own text.
func layoutOf(rs render.Ruleset) (render.Layout, error) {
	_, declared, _ := strings.Cut(rs.Text, "delete table inet fwpush\n")
	return render.ParseLayout(declared)
}

func TestLoadForm(t *testing.T) {
	web := concepts["web"]
	web.Outbound = inventory.Drop
	candidate := mustRender(t, web)
	same, err := layoutOf(candidate)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*render.Layout)) render.Layout {
		l := same
		l.Base, l.Chains, l.Sets = slices.Clone(l.Base), slices.Clone(l.Chains), slices.Clone(l.Sets)
		change(&l)
		return l
	}
	setIndex := func(name string) int {
		return slices.IndexFunc(same.Sets, func(s render.Set) bool { return s.Name == name })
	}
	flush := func(l render.Layout) string {
		s := "add table inet fwpush\nflush table inet fwpush\n"
		for _, set := range l.Sets {
			if strings.Contains(set.Flags, "timeout") {
				continue // holds what packets or time put there
			}
			s += "flush set inet fwpush " + set.Name + "\n"
		}
		return s
	}
	for _, c := range []struct {
		name    string
		live    render.Layout
		nft     render.Version
		deletes []string // nil: recreated
	}{
		{"same layout", same, nft106, []string{}},
		{"newer nft", same, render.Version{Major: 1, Minor: 1, Patch: 3}, []string{}},
		{"old nft", same, render.Version{Major: 1, Minor: 0, Patch: 5}, nil},
		{"much older nft", same, render.Version{Minor: 9, Patch: 8}, nil},
		{"no table", render.Layout{}, nft106, nil},
		{"layout not understood", render.Layout{}, nft106, nil},
		{"other policy", edit(func(l *render.Layout) { l.Base[0].Policy = inventory.Accept }), nft106, []string{}},
		{"one base chain differs", edit(func(l *render.Layout) { l.Base[0].Priority = 0 }), nft106, []string{"chain input"}},
		{"no base chain left to keep", edit(func(l *render.Layout) { l.Base[0].Priority, l.Base[1].Hook = 0, "forward" }), nft106, nil},
		{"a base chain too many", edit(func(l *render.Layout) {
			l.Base = append(l.Base, render.BaseChain{Name: "forward", Type: "filter", Hook: "forward", Policy: inventory.Drop})
		}), nft106, []string{"chain forward"}},
		{"another marker", edit(func(l *render.Layout) { l.Chains[0] = "rev_0123456789ab" }), nft106, []string{"chain rev_0123456789ab"}},
		{"base chain that is to be regular", edit(func(l *render.Layout) {
			l.Chains = l.Chains[:1]
			l.Base = append(l.Base, render.BaseChain{Name: "icmp_in", Type: "filter", Hook: "input"})
		}), nft106, []string{"chain icmp_in"}},
		{"set of another type", edit(func(l *render.Layout) { l.Sets[setIndex("s_ops4")].Type = "ipv6_addr" }), nft106, []string{"set s_ops4"}},
		{"set with other flags", edit(func(l *render.Layout) { l.Sets[setIndex("s_ops4")].Flags = "interval,timeout" }), nft106, []string{"set s_ops4"}},
		{"set with a size", edit(func(l *render.Layout) { l.Sets[setIndex("s_ops4")].Size = "100" }), nft106, []string{"set s_ops4"}},
		{"set too many", edit(func(l *render.Layout) { l.Sets = append(l.Sets, render.Set{Name: "s_old4", Type: "ipv4_addr"}) }), nft106, []string{"set s_old4"}},
		{"set missing", edit(func(l *render.Layout) { l.Sets = l.Sets[1:] }), nft106, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			script, kept := render.LoadForm(candidate, c.live, c.nft)
			want := candidate.Text
			if c.deletes != nil {
				want = flush(c.live)
				for _, d := range c.deletes {
					kind, name, _ := strings.Cut(d, " ")
					want += "delete " + kind + " inet fwpush " + name + "\n"
				}
				want += strings.TrimPrefix(candidate.Text, "add table inet fwpush\ndelete table inet fwpush\n")
			}
			if d := cmp.Diff(want, script); d != "" || kept != (c.deletes != nil) {
				t.Errorf("kept %v (-want +got):\n%s", kept, d)
			}
		})
	}
}

func TestLoadFormOfARemoval(t *testing.T) {
	live, err := layoutOf(mustRender(t, concepts["web"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []render.Layout{{}, live} {
		script, kept := render.LoadForm(render.Remove(), l, nft106)
		if script != "add table inet fwpush\ndelete table inet fwpush\n" || kept {
			t.Errorf("kept %v:\n%s", kept, script)
		}
	}
}

// TestN19LoadFormForgetsLimits: a source that is counted keeps the limit that it was met
// with, so a limit that changes would not hold for it. What packets put into a set of
// raw text is not ours to flush.
func TestN19LoadFormForgetsLimits(t *testing.T) {
	for name, flushed := range map[string]bool{"d_ssh4": true, "x_seen": false} {
		rs := layouts(t)["a dynamic set"]
		rs.Text = strings.ReplaceAll(rs.Text, "d_ssh4", name)
		l, err := layoutOf(rs)
		if err != nil {
			t.Fatal(err)
		}
		script, kept := render.LoadForm(rs, l, nft106)
		if !kept || strings.Contains(script, "flush set inet fwpush "+name+"\n") != flushed || strings.Contains(script, "delete") {
			t.Errorf("kept %v:\n%s", kept, script)
		}
	}
}

// pairs are all ordered pairs of layouts, "a>b" by number.
func pairs(names []string) []string {
	var out []string
	for i := range names {
		for j := range names {
			out = append(out, fmt.Sprintf("%d-%d", i, j))
		}
	}
	return out
}

// loadPair loads each old table afresh and the chosen form over it. The handle
// of the input chain tells whether it was kept.
const loadPair = `
inputs() { nft -a list table inet fwpush | sed -n 's/^\tchain input {.* # handle \([0-9]*\)$/\1/p'; }
for f; do
	n=${f%.form}
	nft -f ${n%-*}.nft && inputs >$n.before
	{ nft -c -f $f && nft -f $f; } >$n.errors 2>&1
	nft -s list table inet fwpush >$n.listing
	inputs >$n.after
done
`

// loadPairs does so for all old tables at once, each in a namespace of its own:
// a load mostly waits for the kernel.
const loadPairs = `for f in *.nft; do unshare --net sh -u ./pair ${f%.nft}-*.form & done; wait`

func TestLoadFormOnEveryPairOfLayouts(t *testing.T) {
	all := layouts(t)
	names := slices.Sorted(maps.Keys(all))
	onEach(t, func(t *testing.T, suite string, nft render.Version) {
		files := map[string]string{}
		for i, n := range names {
			files[fmt.Sprintf("%d.nft", i)] = all[n].Text
		}
		fresh := inKernel(t, suite, `for f in *.nft; do nft -f $f && nft -s list table inet fwpush >${f%.nft}.fresh; done`, files)
		kept := map[string]bool{}
		for _, pair := range pairs(names) {
			var from, to int
			fmt.Sscanf(pair, "%d-%d", &from, &to)
			live, _ := render.ParseLayout(fresh[fmt.Sprintf("%d.fresh", from)]) // not understood: recreated
			files[pair+".form"], kept[pair] = render.LoadForm(all[names[to]], live, nft)
		}
		files["pair"] = loadPair
		out := inKernel(t, suite, loadPairs, files)
		count := 0
		for _, pair := range pairs(names) {
			var from, to int
			fmt.Sscanf(pair, "%d-%d", &from, &to)
			title := names[from] + " to " + names[to]
			if out[pair+".errors"] != "" {
				t.Errorf("%s: nft says:\n%s", title, out[pair+".errors"])
				continue
			}
			want, got := render.Canonical(fresh[fmt.Sprintf("%d.fresh", to)]), render.Canonical(out[pair+".listing"])
			if want == "" || want != got {
				t.Errorf("%s: not as loaded afresh (-want +got):\n%s", title, cmp.Diff(want, got))
			}
			if shouldKeep(all[names[from]], all[names[to]], nft) {
				count++
				if !kept[pair] || out[pair+".before"] != out[pair+".after"] {
					t.Errorf("%s: the input chain was not kept", title)
				}
			} else if kept[pair] && hasInput(all[names[from]]) && hasInput(all[names[to]]) && out[pair+".before"] == out[pair+".after"] {
				t.Errorf("%s: the input chain was kept and should not be", title)
			}
		}
		if nft.AtLeast(nft106) && count < 60 || !nft.AtLeast(nft106) && count != 0 {
			t.Errorf("%d input chains kept", count)
		}
	})
}

// shouldKeep tells, without the layout parser, whether the input chain has the
// same hook in both and nothing stands in the way.
func shouldKeep(from, to render.Ruleset, nft render.Version) bool {
	plain := func(rs render.Ruleset) bool {
		return hasInput(rs) && !strings.Contains(rs.Text, "\tmap ") && !strings.Contains(rs.Text, "flags constant")
	}
	return nft.AtLeast(nft106) && plain(from) && plain(to)
}

func hasInput(rs render.Ruleset) bool {
	return strings.Contains(rs.Text, "chain input {\n\t\ttype filter hook input priority filter - 10; policy")
}

// TestABootIsNoDrift: a table that grew over a load is listed in another order
// than the same table loaded from its boot file. Compared as they are, every
// host would have drifted after its first reboot.
func TestABootIsNoDrift(t *testing.T) {
	all := layouts(t)
	live, err := layoutOf(all["defaults"])
	if err != nil {
		t.Fatal(err)
	}
	form, kept := render.LoadForm(all["closed"], live, nft106)
	if !kept {
		t.Fatal("nothing kept, nothing to test")
	}
	out := inKernel(t, "bookworm", `nft -f running && nft -f form && nft -s list table inet fwpush >confirmed
nft -f boot && nft -s list table inet fwpush >booted`, map[string]string{"running": all["defaults"].Text, "form": form, "boot": all["closed"].Text})
	if out["confirmed"] == out["booted"] {
		t.Error("listed in the same order: the canonical form need not sort any more")
	}
	if d := cmp.Diff(render.Canonical(out["confirmed"]), render.Canonical(out["booted"])); d != "" {
		t.Errorf("another canonical form after a boot:\n%s", d)
	}
	if d := render.Drift(out["confirmed"], out["booted"]); d.Changed {
		t.Errorf("drift after a boot:\n%s", d.Text)
	}
}

// TestKeptFormOnAnotherTableChangesNothing: the facts a form was made from may
// be old; then the transaction fails as a whole.
func TestKeptFormOnAnotherTableChangesNothing(t *testing.T) {
	all := layouts(t)
	assumed, err := layoutOf(all["three chains"])
	if err != nil {
		t.Fatal(err)
	}
	form, kept := render.LoadForm(all["closed"], assumed, nft106)
	if !kept {
		t.Fatal("nothing kept, nothing to test")
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		out := inKernel(t, suite, `nft -f running && nft -s list ruleset >before
nft -f form 2>error; echo $? >rc
nft -s list ruleset >after`, map[string]string{"running": all["set moves"].Text, "form": form})
		if strings.TrimSpace(out["rc"]) == "0" || out["before"] == "" || out["before"] != out["after"] {
			t.Errorf("%s: rc %s, changed:\n%s", suite, out["rc"], cmp.Diff(out["before"], out["after"]))
		}
	}
}
