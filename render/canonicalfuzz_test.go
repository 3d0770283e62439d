package render_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"fwpush/render"
)

// FuzzCanonical: of any text, the canonical form is its own; of what nft prints, what changes by
// itself does not change it, and a rule that is gone or elsewhere does.
func FuzzCanonical(f *testing.F) {
	for i, c := range []string{"defaults", "limits", "raw", "web", "helper", "gateway"} {
		f.Add(printed(mustRender(f, concepts[c]).Text), uint64(i))
	}
	f.Add(listed(setOps, setDyn, chainRev, chainIn), uint64(7))
	f.Add("\t\tover 1 mbytes used 1 mbytes used 2 kbytes\n", uint64(0))
	f.Add("table inet fwpush {\n\tchain b {\n\t\taccept # handle 1\n\t}\n\tcounter a {\n\t\tpackets 1 bytes 2\t}\n}\n# fwpush iptables\n", uint64(1))
	f.Fuzz(func(t *testing.T, listing string, seed uint64) {
		whole := render.Canonical(listing)
		if again := render.Canonical(whole); again != whole {
			t.Fatalf("%q has the form %q, and that %q", listing, whole, again)
		}
		if d := render.Drift(listing, whole); d.Changed {
			t.Fatalf("%q has drifted from its own form:\n%s", listing, d.Text)
		}
		blocks, ok := taken(listing)
		if !ok {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		if moved := render.Canonical(stirred(blocks, rng)); moved != whole {
			t.Fatalf("moved by itself: %q is\n%s\nand was\n%s", listing, moved, whole)
		}
		if less, ok := without(blocks, rng); ok && render.Canonical(less) == whole {
			t.Fatalf("%q is the same as\n%s", less, whole)
		}
	})
}

// printed is a text of ours as if nft had listed it.
func printed(text string) string {
	_, table, _ := strings.Cut(text, "delete table inet fwpush\n")
	return table
}

var (
	plainBlock = regexp.MustCompile(`^\t(set|chain) [a-z0-9_]+ \{$`)
	// ownLine is a rule without anything that moves, in nft's own words or others: only its line counts.
	ownLine = regexp.MustCompile(`^\t\t[a-z][a-z0-9 @_.:/-]*( comment "[a-z {}#]*")?$`)
	moving  = regexp.MustCompile(`counter|used|packets|elements|handle|flags|timeout`)
)

// taken takes a listing apart that has no blocks but sets and chains, each with a name of its own, and
// no line but rules and elements that stand still. Its blocks stand between the frame's two lines.
func taken(listing string) (blocks [][]string, ok bool) {
	lines := strings.Split(listing, "\n")
	if n := len(lines); n < 3 || lines[0] != "table inet fwpush {" || lines[n-2] != "}" || lines[n-1] != "" {
		return nil, false
	}
	seen := map[string]bool{}
	open := false
	for _, l := range lines[1 : len(lines)-2] {
		switch {
		case !open && l == "":
		case !open:
			if !plainBlock.MatchString(l) || seen[l] {
				return nil, false
			}
			seen[l], open = true, true
			blocks = append(blocks, []string{l})
		case l == "\t}":
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], l)
			open = false
		case !ownLine.MatchString(l) || moving.MatchString(l):
			return nil, false
		default:
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], l)
		}
	}
	return blocks, !open && len(blocks) > 0
}

// stirred is the same ruleset as it may be listed at another time: blocks in another order, handles,
// blank lines.
func stirred(blocks [][]string, rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("table inet fwpush {\n")
	for _, i := range rng.Perm(len(blocks)) {
		for _, l := range blocks[i] {
			b.WriteString(l)
			if l != "\t}" && rng.IntN(3) == 0 {
				b.WriteString(" # handle 7")
			}
			b.WriteString("\n")
		}
		if rng.IntN(2) == 0 {
			b.WriteString("\n")
		}
	}
	return b.String() + "}\n"
}

// without is another ruleset: a line less, or two that differ in each other's place.
func without(blocks [][]string, rng *rand.Rand) (listing string, ok bool) {
	var b strings.Builder
	b.WriteString("table inet fwpush {\n")
	chosen := rng.IntN(len(blocks))
	for i, lines := range blocks {
		if i == chosen && len(lines) > 2 {
			at := 1 + rng.IntN(len(lines)-2)
			if next := at + 1; next < len(lines)-1 && lines[at] != lines[next] && rng.IntN(2) == 0 {
				lines[at], lines[next] = lines[next], lines[at]
			} else {
				lines = append(append([]string{}, lines[:at]...), lines[at+1:]...)
			}
			ok = true
		}
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String() + "}\n", ok
}
