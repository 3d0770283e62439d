package roles

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory"
)

// Names in an entry that has another mistake are looked up all the same.
func TestNamesBesideOtherMistakes(t *testing.T) {
	fleet, problems := inventory.Parse("fleet.toml", []byte(prelude+`[hosts.web1]
addresses = "203.0.113.11"
in = [ { allow = "htp", from = "set:nope", rate = "0/s" } ]
nat = [ { redirect = 0, dport = "htpps", from = "role:web" } ]
probe = [ { tpc = 443, from = "host:wbe1" } ]
[[raw]]
roles = "wbe"
at = "before-allow"
chain = "input"
nft = "policy accept"
[[tests]]
from = ["host:wbe1", "internet"]
to = "role:wbe"
allow = ["tpc/80", "htp"]
`))
	want := `7:18 hosts.web1.in[0].allow: service "htp" not defined; did you mean "ftp"?
7:32 hosts.web1.in[0].from: set "nope" not defined; the file defines no set
7:51 hosts.web1.in[0].rate: rate must be n/second, n/min, n/h or n/day with n from 1 to 10000, not "0/s"
8:22 hosts.web1.nat[0].redirect: redirect must be 1..65535, not 0
8:33 hosts.web1.nat[0].dport: service "htpps" not defined; did you mean "https"?
9:13 hosts.web1.probe[0].tpc: unknown key "tpc" in a probe of [hosts.web1]; did you mean "tcp"?
9:31 hosts.web1.probe[0].from: host "wbe1" not defined; did you mean "web1"?
11:9 raw[0].roles: role "wbe" not defined; did you mean "web"?
14:8 raw[0].nft: "policy" is not allowed in nft at column 8; raw adds to table inet fwpush and touches nothing else
16:9 tests[0].from[0]: host "wbe1" not defined; did you mean "web1"?
17:6 tests[0].to: role "wbe" not defined; did you mean "web"?
18:10 tests[0].allow[0]: unknown protocol "tpc"; did you mean "tcp"?
18:20 tests[0].allow[1]: service "htp" not defined; did you mean "ftp"?`
	problems = append(problems, Check(fleet).Errors()...)
	problems.Sort()
	if diff := cmp.Diff(want, told(fleet, problems)); diff != "" {
		t.Error(diff)
	}
}

// A set that is empty because of a mistake is not called empty too, and words that
// are taken for services get more than the name next to them.
func TestOneMistakeIsToldOnce(t *testing.T) {
	for text, want := range map[string]string{
		"[sets.x]\naddres = \"10.0.0.1\"\n":              `6:1 sets.x.addres: unknown key "addres" in [sets.x]; did you mean "addresses"?`,
		"[sets.x]\naddresses = [7]\n":                    `6:14 sets.x.addresses[0]: addresses holds strings, not the number 7`,
		"[roles.x]\nin = [ { allow = \"any\" } ]\n":      `6:18 roles.x.in[0].allow: service "any" not defined; write "all" for every service`,
		"[roles.x]\nin = [ { allow = \"udp\" } ]\n":      `6:18 roles.x.in[0].allow: service "udp" not defined; write the port too, as in "udp/5005", or "udp/1-65535" for all`,
		"[roles.x]\nin = [ { accept = \"http\" } ]\n":    `6:10 roles.x.in[0].accept: unknown key "accept" in a rule of [roles.x]; did you mean "allow"?`,
		"[roles.x]\nin = [ { allow = \"http/tcp\" } ]\n": `6:18 roles.x.in[0].allow: "http/tcp": the protocol stands first; write "tcp/443"`,
	} {
		fleet, problems := inventory.Parse("fleet.toml", []byte(prelude+text))
		if diff := cmp.Diff(want, told(fleet, append(problems, Check(fleet).Errors()...))); diff != "" {
			t.Error(diff)
		}
	}
}
