package render_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fwpush/render"
)

// The same policies in the words of iptables, with sets and, for a host without
// them, unrolled.
func TestGoldenIptables(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(concepts)) {
		for file, ipset := range map[string]bool{"ruleset.ipt": true, "unrolled.ipt": false} {
			t.Run(name+"/"+file, func(t *testing.T) {
				rs, err := render.Iptables(concepts[name], ipset)
				if err != nil {
					if !strings.Contains(err.Error(), "cannot be had with iptables") {
						t.Fatal(err)
					}
					return
				}
				golden(t, filepath.Join("testdata", name, file), rs.Text)
				for range 20 {
					if again, _ := render.Iptables(concepts[name], ipset); again.Text != rs.Text {
						t.Fatal("two renderings differ")
					}
				}
			})
		}
	}
}
