package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// wide is a fleet file of so many hosts in twenty roles, which name each other and sets.
func wide(b *testing.B, hosts int) string {
	b.Helper()
	var text strings.Builder
	text.WriteString("version = 1\nfleet = \"wide\"\n[defaults]\nroles = [\"base\"]\n[management]\nfrom = [\"192.0.2.1\", \"role:r00\"]\n")
	for i := range 20 {
		fmt.Fprintf(&text, "[sets.s%02d]\naddresses = [\"10.%d.0.0/16\", \"2001:db8:%d::/48\"]\n", i, 100+i, i)
	}
	for i := range 20 {
		fmt.Fprintf(&text, `[roles.r%02d]
outbound = "reject"
in = [
  { allow = ["tcp/80", "tcp/443"], from = "any" },
  { allow = "tcp/%d", from = "role:r%02d" },
  { allow = "tcp/9100", from = ["set:s%02d", "set:s%02d"] },
  { deny = "udp/161", from = "any", log = true },
]
out = [ { allow = "tcp/5432", to = "role:r%02d" } ]
`, i, 8000+i, (i+1)%20, i, (i+7)%20, (i+3)%20)
	}
	for i := range hosts {
		fmt.Fprintf(&text, "[hosts.h%05d]\nroles = [\"r%02d\"]\naddresses = [\"10.%d.%d.%d\"]\n", i, i%20, i/60000, i/250%250, 1+i%250)
	}
	path := filepath.Join(b.TempDir(), "fleet.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkFleet reads, compiles and renders a fleet of 2,000 hosts. What it then holds for a push
// is told per host.
func BenchmarkFleet(b *testing.B) {
	const hosts = 2000
	path := wide(b, hosts)
	b.Run("read and compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			readLarge(b, path)
		}
	})
	b.Run("render", func(b *testing.B) {
		f, members := readLarge(b, path)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Targets(members); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("held", func(b *testing.B) {
		var before, after runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&before)
			f, members := readLarge(b, path)
			targets, err := f.Targets(members)
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/hosts, "B/host")
			runtime.KeepAlive(targets)
			runtime.KeepAlive(f)
		}
	})
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
