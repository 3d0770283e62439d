package sandbox_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// taken loads a text by nft, or by both variants of iptables, in a namespace of its own, and lists what
// came of it: as JSON, or as one variant saves it and then the other.
const taken = `set -e
case $1 in
nftables) printf %s "$2" | nft -f -; nft -j list table inet fwpush ;;
*) for variant in nft legacy; do
	printf %s "$2" | iptables-$variant-restore --noflush; iptables-$variant-save -t filter
done ;;
esac`

// plainText is what nobody can have anything against.
var plainText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._=+/-]{0,25}[A-Za-z0-9]$`)

// FuzzComment: a comment of a rule and a prefix of log lines, whatever they are, are refused in the fleet
// file, or the real tools take them for just that, and for nothing more.
func FuzzComment(f *testing.F) {
	for _, text := range []string{"office, 2nd floor", "x\" accept\n", `a\`, `b\\`, `\ -j ACCEPT`, `\" -j ACCEPT \`, "'; flush ruleset #", "$(x) `y`", "ü漢", "\u202e",
		" -m comment ", "${x} @y {z}", "true", "#", "-h", "--", strings.Repeat("ü", 64)} {
		f.Add(text, "plain")
		f.Add("plain", text)
	}
	base, ok := commented(f, "plain", "plain")
	if !ok {
		f.Fatal("the plain ones are refused")
	}
	_, nft := ofNft(f, load(f, base, render.Nftables))
	_, iptables := ofSave(load(f, base, unrolled))
	f.Fuzz(func(t *testing.T, comment, prefix string) {
		if comment == "" || prefix == "" || !utf8.ValidString(comment) || !utf8.ValidString(prefix) {
			return // there is none, or it cannot stand in TOML
		}
		policy, ok := commented(t, comment, prefix)
		if !ok {
			if plainText.MatchString(comment) && plainText.MatchString(prefix) && prefix != "true" && prefix != "false" {
				t.Fatalf("refused: %q, %q", comment, prefix)
			}
			return
		}
		want := []string{comment, prefix}
		if got, n := ofNft(t, load(t, policy, render.Nftables)); !slices.Equal(got, want) || n != nft {
			t.Errorf("nft takes %q for %q, %d rules for %d", want, got, n, nft)
		}
		if got, n := ofSave(load(t, policy, unrolled)); !slices.Equal(got, append(want, want...)) || n != iptables {
			t.Errorf("iptables takes %q for %q, %d lines for %d", want, got, n, iptables)
		}
	})
}

// commented is a policy of a fleet file with these two.
func commented(t testing.TB, comment, prefix string) (p roles.Policy, ok bool) {
	t.Helper()
	text := "version = 1\n[management]\nfrom = [\"10.0.0.0/8\"]\n[hosts.h]\nlog = " + inventory.TOML(prefix) +
		"\nin = [ { allow = \"tcp/8443\", from = \"10.0.0.0/8\", comment = " + inventory.TOML(comment) + " } ]\n"
	fleet, found := inventory.Parse("fleet.toml", []byte(text))
	if len(found.Errors()) > 0 {
		return p, false
	}
	policies, more := roles.CompileAll(fleet)
	if len(more.Errors()) > 0 {
		t.Fatalf("%+v", more.Errors())
	}
	return policies[0], true
}

func unrolled(p roles.Policy) (render.Ruleset, error) { return render.Iptables(p, false) }

// sets of addresses are not what this is about.
var matchSet = regexp.MustCompile(`(?m)^-A .* --match-set .*\n`)

// load loads a policy, its half for IPv4 where there are halves, and lists what came of it.
func load(t testing.TB, p roles.Policy, say func(roles.Policy) (render.Ruleset, error)) string {
	t.Helper()
	rs, err := say(p)
	if err != nil {
		t.Fatalf("taken, and not written: %v", err)
	}
	text := rs.Text
	for _, s := range render.Sections(rs.Text) {
		if s.Tool == "iptables" {
			text = matchSet.ReplaceAllString(s.Text, "")
		}
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", taken, "sh", string(rs.Backend), text)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C", "XTABLES_LOCKFILE=/dev/null")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %.300s\n%s", err, said.String(), text)
	}
	return string(out)
}

// ofNft are the comments and prefixes in a listing, and its number of rules.
func ofNft(t testing.TB, listing string) (texts []string, n int) {
	t.Helper()
	var doc struct {
		Nftables []struct {
			Rule *struct {
				Comment string
				Expr    []struct{ Log *struct{ Prefix string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(listing), &doc); err != nil {
		t.Fatalf("%v\n%s", err, listing)
	}
	for _, o := range doc.Nftables {
		if o.Rule == nil {
			continue
		}
		n++
		if o.Rule.Comment != "" {
			texts = append(texts, o.Rule.Comment)
		}
		for _, e := range o.Rule.Expr {
			if e.Log != nil {
				texts = append(texts, e.Log.Prefix)
			}
		}
	}
	return texts, n
}

// savedText is a comment or prefix as iptables-save writes it: quoted where it has to be, with a
// backslash before quotes and backslashes.
var (
	savedText = regexp.MustCompile(` --(?:comment|log-prefix) (?:"((?:[^"\\]|\\.)*)"|(\S+))`)
	escaped   = regexp.MustCompile(`\\(.)`)
)

func ofSave(listing string) (texts []string, n int) {
	for line := range strings.Lines(listing) {
		if strings.HasPrefix(line, "#") {
			continue // the time
		}
		n++
		for _, m := range savedText.FindAllStringSubmatch(line, -1) {
			texts = append(texts, escaped.ReplaceAllString(m[1], "$1")+m[2])
		}
	}
	return texts, n
}
