package inventory

import (
	"fmt"
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	var text strings.Builder
	text.WriteString(base)
	for i := 20; i > 0; i-- {
		fmt.Fprintf(&text, "[hosts.web%02d]\nroles = [\"web\"]\n", i)
	}
	text.WriteString("[hosts.db1]\nroles = [\"db\", \"backup\"]\n[hosts.db2]\nroles = [\"db\"]\n[hosts.\"gw1.example.net\"]\n")
	fleet, ps := Parse("fleet.toml", []byte(text.String()))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	for _, tt := range []struct {
		s    Selection
		want string // folded hosts, or the error
	}{
		{Selection{}, "db[1-2],gw1.example.net,web[01-20]"},
		{Selection{Limit: []string{"all"}}, "db[1-2],gw1.example.net,web[01-20]"},
		{Selection{Roles: []string{"web"}}, "web[01-20]"},
		{Selection{Roles: []string{"db", "web"}}, "db[1-2],web[01-20]"},
		{Selection{Limit: []string{"web[03-05,20]"}}, "web[03-05,20]"},
		{Selection{Limit: []string{"web*", "*[1-9]"}}, "web[01-09,11-19]"},
		{Selection{Roles: []string{"db"}, Limit: []string{"role:backup"}}, "db1"},
		{Selection{Limit: []string{"db2,web07, gw1.example.net"}}, "db2,gw1.example.net,web07"},
		{Selection{Roles: []string{"web"}, Exclude: []string{"web[01-18]"}}, "web[19-20]"},
		{Selection{Roles: []string{"web"}, Exclude: []string{"role:db", "web01"}}, "web[02-20]"},

		{Selection{Limit: []string{"wbe*"}}, `no host matches --limit "wbe*"; 23 hosts known; did you mean "web*"?`},
		{Selection{Limit: []string{"wbe[01-20]"}}, `no host matches --limit "wbe[01-20]"; 23 hosts known; did you mean "web[01-20]"?`},
		{Selection{Limit: []string{"web21"}}, `no host matches --limit "web21"; 23 hosts known; did you mean "web01"?`},
		{Selection{Limit: []string{"web"}}, `no host matches --limit "web"; 23 hosts known; did you mean "role:web"?`},
		{Selection{Limit: []string{"web1"}}, `no host matches --limit "web1"; 23 hosts known; did you mean "web01"?`},
		{Selection{Limit: []string{"web[21-30]"}}, `no host matches --limit "web[21-30]"; 23 hosts known`},
		{Selection{Limit: []string{"web01,db3"}}, `no host matches --limit "db3"; 23 hosts known; did you mean "db1"?`},
		{Selection{Limit: []string{"role:wbe"}}, `no host matches --limit "role:wbe"; 23 hosts known; did you mean "role:web"?`},
		{Selection{Roles: []string{"wbe"}}, `no host matches --role "wbe"; 23 hosts known; did you mean "web"?`},
		{Selection{Roles: []string{"web", "nothing"}}, `no host matches --role "nothing"; 23 hosts known`},
		{Selection{Exclude: []string{"zzz*"}}, `no host matches --exclude "zzz*"; 23 hosts known`},
		{Selection{Roles: []string{"web"}, Limit: []string{"db*"}}, `no host is left by --role "web" --limit "db*"; 23 hosts known`},
		{Selection{Exclude: []string{"all"}}, `no host is left by --exclude "all"; 23 hosts known`},
		{Selection{Limit: []string{"group:eu"}}, `no host matches --limit "group:eu"; 23 hosts known`},
		{Selection{Limit: []string{"^web.*$"}}, `--limit: pattern "^web.*$": '^' has no meaning; a pattern is a host, role:web, group:staging, web[01-20], web*, a comma list of these, or all`},
		{Selection{Exclude: []string{""}}, `--exclude: pattern "": a name is missing; a pattern is a host, role:web, group:staging, web[01-20], web*, a comma list of these, or all`},
	} {
		hosts, err := Select(fleet, tt.s)
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		if folded := Fold(names); err == nil && folded != tt.want || err != nil && err.Error() != tt.want {
			t.Errorf("%+v:\ngot  %s %v\nwant %s", tt.s, folded, err, tt.want)
		}
		// In the order of the fleet, which is that of counting.
		next := 0
		for _, h := range fleet.Hosts {
			if next < len(names) && names[next] == h.Name {
				next++
			}
		}
		if next != len(names) {
			t.Errorf("%+v: order %q", tt.s, names)
		}
	}
	if _, err := Select(&Fleet{Path: "f.toml"}, Selection{}); err == nil || err.Error() != "no hosts in f.toml" {
		t.Errorf("a fleet without hosts: %v", err)
	}
	one, _ := Parse("f", []byte(base+"[hosts.a]\n"))
	if _, err := Select(one, Selection{Limit: []string{"bbbb"}}); err == nil || err.Error() != `no host matches --limit "bbbb"; 1 host known` {
		t.Errorf("one host: %v", err)
	}
}

// TestStrays selects among hosts that the fleet does not name any more as among those
// that it names: a pattern must not lose the others because it means one of these.
func TestStrays(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(base+"[hosts.db1]\n[hosts.web1]\nroles = [\"web\"]\n[hosts.web2]\nunmanaged = true\naddresses = [\"10.0.0.9\"]\n"))
	if len(ps.Errors()) > 0 {
		t.Fatal(told(ps))
	}
	strays := []string{"old1", "web2", "web3"}
	for _, tt := range []struct {
		s             Selection
		want, strayed string // the first may be the error
	}{
		{Selection{}, "db1,web1", "old1,web[2-3]"},
		{Selection{Limit: []string{"db1,web3"}}, "db1", "web3"},
		{Selection{Limit: []string{"web*"}}, "web1", "web[2-3]"},
		{Selection{Limit: []string{"web*"}, Exclude: []string{"web3"}}, "web1", "web2"},
		{Selection{Limit: []string{"all", "old*"}}, "", "old1"},
		{Selection{Named: "web[2-3]"}, "", "web[2-3]"},
		{Selection{Roles: []string{"web"}}, "web1", ""},
		{Selection{Limit: []string{"role:web,old1"}}, "web1", "old1"},
		{Selection{Only: []string{}}, "", "old1,web[2-3]"},
		{Selection{Limit: []string{"web1,web4"}}, `no host matches --limit "web4"; 3 hosts known; did you mean "web1"?`, "?"},
		{Selection{Limit: []string{"db1"}, Exclude: []string{"db1"}}, `no host is left by --limit "db1" --exclude "db1"; 3 hosts known`, "?"},
	} {
		tt.s.Strays = strays
		hosts, err := Select(fleet, tt.s)
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		if got := Fold(names); err == nil && got != tt.want || err != nil && err.Error() != tt.want {
			t.Errorf("%+v: %s %v, want %s", tt.s, got, err, tt.want)
		}
		if got := Fold(tt.s.Strayed()); err == nil && got != tt.strayed {
			t.Errorf("%+v: strays %s, want %s", tt.s, got, tt.strayed)
		}
	}
}
