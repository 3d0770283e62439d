package trust

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCatalogue: what is found by name is what each line says of it, in the order of the file.
func TestCatalogue(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c.d", "[a]:2222", "10.0.0.1"})
	pattern := rapid.OneOf(name, rapid.SampledFrom([]string{"*", "?", "!a", "!*", "[a]:*", "c.*", "", "x"}))
	rapid.Check(t, func(t *rapid.T) {
		var c catalogue
		var all []knownLine
		for i := range rapid.IntRange(0, 8).Draw(t, "lines") {
			l := knownLine{number: i + 1, marker: rapid.SampledFrom([]string{"", "", markAuthority, markRevoked}).Draw(t, "marker")}
			text := strings.Join(rapid.SliceOfN(pattern, 1, 4).Draw(t, "names"), ",")
			if rapid.IntRange(0, 4).Draw(t, "hidden") == 0 {
				text = hashName(name.Draw(t, "name"))
			}
			var err error
			if l.names, err = readNames(text); err != nil {
				t.Fatal(err)
			}
			all = append(all, l)
			c.add(l)
		}
		of := name.Draw(t, "of")
		var want []int
		for _, l := range all {
			if l.marker != markRevoked && l.names.match(of) {
				want = append(want, l.number)
			}
		}
		var got []int
		for _, l := range c.named(of) {
			got = append(got, l.number)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: lines %v, want %v", of, got, want)
		}
	})
}

// BenchmarkHosts looks up every host of a file that has them all.
func BenchmarkHosts(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			f := &knownFile{}
			for i := range n {
				names, err := readNames(fmt.Sprintf("web%05d.example.org,10.0.%d.%d", i, i/250, i%250))
				if err != nil {
					b.Fatal(err)
				}
				f.lines.add(knownLine{names: names})
			}
			k := &KnownHosts{files: []*knownFile{f}}
			for b.Loop() {
				for i := range n {
					if h := k.Host(Name{Address: fmt.Sprintf("web%05d.example.org", i), Port: 22}); len(h.named) != 1 {
						b.Fatal(len(h.named))
					}
				}
			}
		})
	}
}
