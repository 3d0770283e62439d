package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
)

func compiled(t *testing.T, text string) (*inventory.Fleet, map[string]roles.Policy) {
	t.Helper()
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	policies := map[string]roles.Policy{}
	for _, h := range fleet.Hosts {
		p, more := roles.Compile(fleet, h)
		for _, e := range append(problems.Errors(), more.Errors()...) {
			t.Fatalf("%s: %s", e.Place, e.Msg)
		}
		policies[h.Name] = p
	}
	return fleet, policies
}

const fleet = `version = 1
[management]
from = ["192.0.2.1"]
[roles.web]
in = [ { allow = "http", name = "site" } ]
[roles.db]
in = [ { allow = "tcp/5432", from = "role:web", name = "pg" } ]
[hosts]
web1 = { roles = ["web"], addresses = ["10.0.0.1"] }
web2 = { roles = ["web"], addresses = ["10.0.0.2"] }
web3 = { roles = ["web"], addresses = ["10.0.0.3"], out = [ { deny = "tcp/5432" } ] }
db1 = { roles = ["db"], addresses = ["10.0.0.9"] }
`

func TestOf(t *testing.T) {
	g, err := Of(compiled(t, fleet))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range g.Edges {
		for _, f := range e.Flows {
			if f.ByRule {
				got = append(got, fmt.Sprintf("%s > %s: %s by %s", g.Nodes[e.From].Name, g.Nodes[e.To].Name, f.Services, f.Rule))
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"internet > role:web: [http (tcp/80)] by site",
		"role:db > role:web: [http (tcp/80)] by site",
		"role:web > role:db: [postgres (tcp/5432)] by pg",
		"role:web > role:web: [http (tcp/80)] by site",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Of a thousand hosts with the same rules one is asked; what the rules are called is
// told, so it tells hosts apart too.
func TestDistinct(t *testing.T) {
	_, policies := compiled(t, fleet)
	other := policies["web1"]
	other.In = slices.Clone(other.In)
	other.In[0].Name = "shop"
	policies["web4"] = other
	list, err := distinct([]string{"web1", "web2", "web3", "web4"}, policies)
	if err != nil || !slices.Equal(list, []string{"web1", "web3", "web4"}) {
		t.Errorf("%q, %v", list, err)
	}
}
