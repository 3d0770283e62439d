package roles

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/roles/space"
)

// Nothing is left of an allow that is called shadowed.
func TestShadowsHoldAllOfAnAllow(t *testing.T) {
	draw := func(t *rapid.T) string {
		pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
		return pick("services", `"http"`, `["http", "https"]`, `"tcp/80-443"`, `"ping"`, `"all"`) +
			pick("from", "", "", `, from = "10.0.0.0/24"`, `, from = ["10.0.0.7", "fd00::/64"]`, `, from = "::/0"`) +
			pick("iface", "", "", `, iface = "eth0"`, `, iface = ["eth0", "eth1"]`) +
			pick("family", "", "", `, family = "ipv4"`)
	}
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		rules := fmt.Sprintf("{ allow = %s }", draw(t))
		for range rapid.IntRange(1, 3).Draw(t, "denies") {
			rules += fmt.Sprintf(", { deny = %s }", draw(t))
		}
		fleet, problems := inventory.Parse("fleet.toml", []byte(prelude+"[hosts.h]\nin = [ "+rules+" ]\n"))
		if len(problems.Errors()) > 0 {
			t.Fatalf("%v", problems)
		}
		p, problems := Compile(fleet, fleet.Hosts[0])
		if len(problems.Errors()) > 0 {
			return // a rule of no family
		}
		denies, allows := byVerb(p.In)
		by := shadow(allows[0], denies)
		if by == nil {
			return
		}
		hits++
		var refused space.Region
		for _, r := range by {
			refused = append(refused, r.packets()...)
		}
		if left := allows[0].packets().Without(refused); len(left) > 0 {
			t.Fatalf("%s: %v is left", rules, left)
		}
	})
	if hits == 0 {
		t.Error("nothing was shadowed")
	}
}
