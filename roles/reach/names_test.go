package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Packets have the names that the file and the built-in services have for them.
func TestReachNames(t *testing.T) {
	for _, tt := range []struct{ name, rules, want, within string }{
		{"built in", `{ allow = "tcp/22" }`, "ssh (tcp/22)", "ssh"},
		{"of the file before built in", `{ allow = "postgres" }`, "pg (tcp/5432)", "pg postgres"},
		{"what is about more first", `{ allow = ["http", "https", "udp/443"] }`, "web (tcp/80, tcp/443, udp/443)", "http https web"},
		{"neighbours", `{ allow = ["snmp", "snmptrap"] }`, "snmp (udp/161), snmptrap (udp/162)", "snmp snmptrap"},
		{"a wide range", `{ allow = ["tcp/60-90", "ssh"] }`, "ssh (tcp/22), tcp/60-90", "http ssh"},
		{"half of a service", `{ allow = "tcp/3389" }`, "tcp/3389", ""},
		{"no name", `{ allow = "tcp/8080" }`, "tcp/8080", ""},
		{"one family", `{ allow = "ping", family = "ipv6" }, { allow = "pg" }`, "pg (tcp/5432) | ping", "pg postgres | ping"},
		{"another protocol", `{ allow = "gre" }`, "gre", "gre"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := reach(t, `roles = ["r"]
ping = false
in = [ `+tt.rules+` ]
[services.pg]
tcp = [5432]
[services.web]
include = ["http", "https"]
udp = [443]
[roles.r]`)
			var got, within []string
			for _, f := range g.Edges[slices.IndexFunc(g.Edges, func(e Edge) bool { return e.From == 0 })].Flows {
				var words []string
				for _, s := range f.Services {
					words = append(words, s.String())
				}
				names := slices.Clone(f.Within)
				slices.Sort(names)
				got, within = append(got, strings.Join(words, ", ")), append(within, strings.Join(names, " "))
			}
			if all := strings.Join(got, " | "); all != tt.want {
				t.Errorf("got %s, want %s", all, tt.want)
			}
			if all := strings.Join(within, " | "); all != tt.within {
				t.Errorf("within %s, want %s", all, tt.within)
			}
		})
	}
}

// What comes and goes is told of the roles that are asked about, and of no others.
func TestAbout(t *testing.T) {
	g := reach(t, `roles = ["web"]
[hosts.db]
addresses = ["203.0.113.2"]
roles = ["store"]
in = [ { allow = "postgres", from = "role:web" } ]
[hosts.other]
addresses = ["203.0.113.3"]
roles = ["other"]
[roles.store]
ping = false
[roles.other]`)
	var got []string
	about := g.About([]string{"role:store"})
	for _, e := range about.Edges {
		got = append(got, fmt.Sprintf("%s > %s", about.Nodes[e.From].Name, about.Nodes[e.To].Name))
	}
	want := []string{"role:store > internet", "role:store > role:other", "role:store > role:web", "role:web > role:store"}
	if g.Nodes[0].Name != "internet" || !slices.Equal(got, want) {
		t.Errorf("first %s, got %q, want %q", g.Nodes[0].Name, got, want)
	}
	for _, n := range about.Nodes {
		if n.Aside != (n.Name != "role:store") {
			t.Errorf("%s aside: %t", n.Name, n.Aside)
		}
	}
}

// reach is the graph of host h of this text, and of others in it.
func reach(t *testing.T, text string) Graph {
	t.Helper()
	g, err := Of(compiled(t, `version = 1
[management]
from = ["10.0.0.1"]
[sets.a]
addresses = ["192.0.2.0/24"]
[sets.b]
addresses = ["192.0.2.0/25", "198.51.100.0/24", "2001:db8::/64"]
[hosts.h]
addresses = ["203.0.113.1", "2001:db8::1"]
`+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}
