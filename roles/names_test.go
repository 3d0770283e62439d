package roles

import (
	"fmt"
	"strings"
	"testing"
)

// A limit and a counter go by the name of their rule, so that no two rules of a host
// may have one: not a written and a made one either, as a ruleset writes them.
func TestRuleNamesAreOneEach(t *testing.T) {
	for _, name := range []string{"udp-80", "udp_80"} {
		p := compile(t, prelude+fmt.Sprintf("[hosts.h]\nin = [ { allow = \"tcp/80\", name = %q }, { allow = \"udp/80\" } ]\n", name), "h")
		seen := map[string]bool{}
		for _, r := range p.In {
			seen[strings.ReplaceAll(r.Name, "-", "_")] = true
		}
		if len(seen) != 2 {
			t.Errorf("named beside %s: %v", name, seen)
		}
	}
}
