package plan

import (
	"os"
	"strings"
	"testing"

	"fwpush/inventory"
)

// TestReadme takes the fleet file of README.md together with what stands there of whole
// fleets, as who pastes it would: nothing may be wrong, and the role web stays open.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(page), "```toml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	f := read(t, blocks[0]+"[hosts.web1]\naddresses = [\"203.0.113.21\", \"2001:db8:1::21\"]\nroles = [\"web\"]\n[hosts.bastion1]\naddresses = [\"203.0.113.22\", \"2001:db8:1::22\"]\nroles = [\"bastion\"]\n"+blocks[1])
	if len(f.Problems) > 0 {
		t.Fatalf("%+v", f.Problems)
	}
	members, err := f.Choose(inventory.Selection{Limit: []string{"web1"}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Rules(members[0])
	if err != nil {
		t.Fatal(err)
	}
	// The host that is adopted is written like any other.
	if f := read(t, blocks[0]+strings.ReplaceAll(blocks[2], "web1]", "web1]\naddresses = \"203.0.113.21\"")); len(f.Problems) > 0 {
		t.Errorf("%+v", f.Problems)
	}
	if !strings.Contains(rules.Text, "tcp dport { 80, 443 } accept") {
		t.Errorf("web is not open any more:\n%s", rules.Text)
	}
}
