package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles/meaning"
)

// large is a fleet file with 10,000 prefixes in a set, which 2,000 rules name.
func large(b *testing.B) string {
	b.Helper()
	var text strings.Builder
	text.WriteString("version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n[sets.big]\naddresses = [\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  \"10.%d.%d.0/25\",\n", i/250, i%250)
	}
	text.WriteString("]\n[hosts.h]\naddresses = [\"203.0.113.1\"]\nroles = [\"r\"]\n[roles.r]\nin = [\n")
	for i := range 2_000 {
		fmt.Fprintf(&text, "  { allow = \"tcp/%d\", from = \"set:big\" },\n", 10_000+2*i)
	}
	text.WriteString("]\n[[tests]]\nfrom = \"internet\"\nto = \"role:r\"\ndeny = [\"tcp/10000\"]\n[[tests]]\nfrom = \"set:big\"\nto = \"role:r\"\nallow = [\"tcp/10000\"]\n")
	path := filepath.Join(b.TempDir(), "fleet.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func readLarge(b *testing.B, path string) (*File, []Member) {
	b.Helper()
	f, err := Read(b.Context(), Source{Path: path}, nil)
	if err != nil || len(f.Problems.Errors()) > 0 {
		b.Fatal(err, f.Problems.Errors())
	}
	members, err := f.Choose(inventory.Selection{})
	if err != nil {
		b.Fatal(err)
	}
	return f, members
}

// BenchmarkCheck is all of check: read, compile, lint, run the tests, render.
func BenchmarkCheck(b *testing.B) {
	path := large(b)
	b.ReportAllocs()
	for b.Loop() {
		f, members := readLarge(b, path)
		if _, err := f.Targets(members); err != nil {
			b.Fatal(err)
		}
		for _, r := range f.Test() {
			if !r.Passed() {
				b.Fatalf("%+v", r.Failures)
			}
		}
	}
}

// BenchmarkParts are the parts of it.
func BenchmarkParts(b *testing.B) {
	path := large(b)
	f, members := readLarge(b, path)
	p := members[0].Policy
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			readLarge(b, path)
		}
	})
	for name, say := range map[string]func() (render.Ruleset, error){
		"nftables": func() (render.Ruleset, error) { return render.Nftables(p) },
		"ipset":    func() (render.Ruleset, error) { return render.Iptables(p, true) },
		"unrolled": func() (render.Ruleset, error) { return render.Iptables(p, false) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := say(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("tests", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Test()
		}
	})
	b.Run("keep", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := meaning.Keep(p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("diff", func(b *testing.B) {
		other := p
		other.In = p.In[1:]
		b.ReportAllocs()
		for b.Loop() {
			if list, err := meaning.Diff(p, other); err != nil || len(list) != 1 {
				b.Fatal(list, err)
			}
		}
	})
}
