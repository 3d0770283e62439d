package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// exampleFile reads a file of testdata/example: eight hosts with seven roles, as the
// description of the policy language has them.
func exampleFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/example", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exampleController has the example as its fleet, with changes to its text: old and
// new in turn.
func exampleController(t *testing.T, changes ...string) *controller {
	t.Helper()
	text := exampleFile(t, "fleet.toml")
	for pair := range slices.Chunk(changes, 2) {
		if n := strings.Count(text, pair[0]); n != 1 {
			t.Fatalf("%d times in the example: %s", n, pair[0])
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	c := newController(t, text)
	if err := os.Mkdir(filepath.Join(c.dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.write(t, "lists/badnets.txt", exampleFile(t, "lists/badnets.txt"))
	return c
}

// exampleChecked is what check says of the example in JSON.
type exampleChecked struct {
	Exit     int
	Problems []struct {
		Severity, File, Message string
		Line, Column            int
	}
	Tests []struct {
		Name   string
		Line   int
		Passed bool
		Flows  int
	}
	Hosts []struct {
		Name  string
		WayIn string `json:"way_in"`
	}
}

func (c *controller) exampleCheck(t *testing.T, want int) exampleChecked {
	t.Helper()
	var got exampleChecked
	if err := json.Unmarshal([]byte(c.run(t, want, "check", "-o", "json").stdout), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// exampleFlows are the tests of the example, and how many pairs of ends, services
// and families each asks about.
var exampleFlows = map[string]int{
	"the internet reaches only the web ports": 11 * 6, // web3 has no IPv6 on wan
	"databases are reached from web only":     3 * 2 * 2 * 2,
	"databases cannot call home":              2 * 2 * 2,
}

// The example is right as it stands. Here there is no route to its hosts, so the
// proof that the controller is let in is left to the hosts; the other test makes the
// controller one of ops and has it proved.
func TestExampleIsRight(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, wayIn    string
		changes, notes []string
	}{
		{"the file to the letter", "undecided", nil, []string{
			"bastion1 (1 host): whether this machine would be locked out is decided on the host: there is no route from here",
			"db[1-2],gw1,mon1,web[1-3] (7 hosts): whether this machine would be locked out is decided on the host: the host is reached through bastion1, of which 203.0.113.5 is not admitted"}},
		{"from a machine of ops", "admitted", []string{"[management] ", "[management]\ncontroller = [\"198.51.100.20\"]\n#"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := exampleController(t, tt.changes...).exampleCheck(t, 0)
			flows := map[string]int{}
			var notes []string
			for _, r := range got.Tests {
				flows[r.Name] = r.Flows
				if !r.Passed {
					t.Errorf("%s (line %d) failed", r.Name, r.Line)
				}
			}
			if !maps.Equal(flows, exampleFlows) {
				t.Errorf("tests asked about %v, want %v", flows, exampleFlows)
			}
			for _, p := range got.Problems {
				if p.Severity == "error" {
					t.Errorf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
				}
				if p.Severity == "note" {
					notes = append(notes, p.Message)
				}
			}
			if !slices.Equal(notes, tt.notes) {
				t.Errorf("notes %q, want %q", notes, tt.notes)
			}
			if len(got.Hosts) != 8 {
				t.Errorf("%d hosts", len(got.Hosts))
			}
			for _, h := range got.Hosts {
				if h.WayIn != tt.wayIn {
					t.Errorf("%s: way in %s, want %s", h.Name, h.WayIn, tt.wayIn)
				}
			}
		})
	}
}

// One mistake makes those tests fail that are about it, each with a packet, what
// decides it and where, at the service that the test asks about.
func TestExampleBroken(t *testing.T) {
	t.Parallel()
	const web, db, home = `test "the internet reaches only the web ports": `, `test "databases are reached from web only": `, `test "databases cannot call home": `
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"ssh from any in role web", `{ allow = "ssh", from = "role:bastion@lan", rate`, `{ allow = "ssh", rate`, []string{
			`fleet.toml:130:10: ` + web + `tcp 1.0.0.0 > 203.0.113.11:22, in by eth0, would be accepted in input of web1 by rule tcp-22, fleet.toml:91:3`}},
		{"outbound of db open", "outbound = \"drop\"\nin  = [", "outbound = \"accept\"\nin  = [", []string{
			`fleet.toml:141:9: ` + home + `tcp 10.20.2.21 > 1.0.0.0:80 would be accepted in output of db1 by outbound = accept of role db, fleet.toml:97:12`,
			`fleet.toml:141:17: ` + home + `tcp 10.20.2.21 > 1.0.0.0:443 would be accepted in output of db1 by outbound = accept of role db, fleet.toml:97:12`}},
		{"pg for db only", `from = ["role:web@lan", "role:db@lan"]`, `from = "role:db@lan"`, []string{
			`fleet.toml:135:10: ` + db + `tcp 10.20.1.11 > 10.20.2.21:5432 would be rejected in input of db1 by inbound = reject of role db, fleet.toml:96:12; near: rule tcp-5432, fleet.toml:99:3, is from role:db@lan`}},
		{"ssh to db from web", `  { allow = "ssh", from = "role:bastion@lan" },`, `  { allow = "ssh", from = ["role:bastion@lan", "role:web@lan"] },`, []string{
			`fleet.toml:136:10: ` + db + `tcp 10.20.1.11 > 10.20.2.21:22 would be accepted in input of db1 by rule tcp-22, fleet.toml:100:3`}},
		{"HTTP/3 forgotten", "udp = [443] ", "udp = [444] ", []string{
			`fleet.toml:129:27: ` + web + `udp 1.0.0.0 > 203.0.113.11:443, in by eth0, would be dropped in input of web1 by inbound = drop of defaults, fleet.toml:6:12`}},
		{"a deny for a part of the internet, on one host", "in    = [ {", `in    = [ { deny = "https", from = "192.0.2.64/26" }, {`, []string{
			`fleet.toml:129:18: ` + web + `tcp 192.0.2.64 > 203.0.113.13:443, in by ens3, would be dropped in input of web3 by rule deny-tcp-443, fleet.toml:57:11`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := exampleController(t, tt.old, tt.new).exampleCheck(t, 2)
			var errs []string
			failed := map[string]bool{}
			for _, p := range got.Problems {
				if p.Severity == "error" {
					errs = append(errs, fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message))
				}
			}
			for _, r := range got.Tests {
				failed[r.Name] = !r.Passed
			}
			if !slices.Equal(errs, tt.want) {
				t.Errorf("errors\n%s\nwant\n%s", strings.Join(errs, "\n"), strings.Join(tt.want, "\n"))
			}
			for name := range exampleFlows {
				want := slices.ContainsFunc(tt.want, func(s string) bool { return strings.Contains(s, `"`+name+`"`) })
				if failed[name] != want {
					t.Errorf("%s: failed %v, want %v", name, failed[name], want)
				}
			}
		})
	}
}

// What web1 of the example gets stands in testdata/example/web1.nft, for a reader.
func TestExampleGolden(t *testing.T) {
	t.Parallel()
	got := exampleController(t).run(t, 0, "render", "web1").stdout
	path := filepath.Join("testdata/example", "web1.nft")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := exampleFile(t, "web1.nft")
	if got == want {
		return
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s differs at line %d: %q, want %q; go test ./internal/e2e -run TestExampleGolden -update writes it", path, i+1, b[i], a[i])
		}
	}
	t.Fatalf("%s has %d lines, got %d", path, len(a), len(b))
}
