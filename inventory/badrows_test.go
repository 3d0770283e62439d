package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mistake is a text and the one finding that it gets, as line:column key: message.
type mistake struct{ name, text, want string }

// one reads texts with one mistake each. What it says is told, once, with the key it
// is about; and nothing else is, because a second finding that comes of the first
// sends people to a place where nothing is wrong.
func one(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			_, ps := Parse("fleet.toml", []byte(tt.text))
			if diff := cmp.Diff([]string{tt.want}, keyed(ps)); diff != "" {
				t.Errorf("(-want +got)\n%s\nin\n%s", diff, tt.text[:min(len(tt.text), 2000)])
			}
		})
	}
}

// keyed writes findings as told does, with the key behind the place.
func keyed(ps Problems) []string {
	var out []string
	for i, s := range told(ps) {
		place, rest, _ := strings.Cut(s, " ")
		out = append(out, place+" "+ps[i].Key+": "+rest)
	}
	return out
}

// top adds lines to what every file needs. The others put entries into a list of
// role x, at 5:8 and behind.
func top(s string) string       { return base + s + "\n" }
func out(s string) string       { return top("[roles.x]\nout = [ " + s + " ]") }
func published(s string) string { return top("[roles.x]\npublished = [ " + s + " ]") }
func forward(s string) string   { return top("[roles.x]\nforward = [ " + s + " ]") }
func natEntry(s string) string  { return top("[roles.x]\nnat = [ " + s + " ]") }
func probe(s string) string     { return top("[roles.x]\nprobe = [ " + s + " ]") }

// Rows are numbered as classes of mistakes are in docs/testing.md, which tells where
// those are tested that a text alone does not show.
func TestBadInputs(t *testing.T) {
	one(t, []mistake{
		{`1 unknown TOML key`, rule(`{ alow = "http" }`),
			`5:10 roles.x.in[0].alow: unknown key "alow" in a rule of [roles.x]; did you mean "allow"?`},
		{`1 unknown table`, top(`[host.web1]`),
			`4:2 host: unknown key "host"; did you mean "hosts"?`},
		{`1 unknown key of a host`, top("[hosts.web1]\nprot = 22"),
			`5:1 hosts.web1.prot: unknown key "prot" in [hosts.web1]; did you mean "ssh.port"?`},
		{`2 duplicate host`, top("[hosts.web1]\n[hosts.web1]"),
			`5:8 hosts.web1: host "web1" defined twice (line 4, 5)`},
		{`2 duplicate table`, top("[rollout]\n[rollout]"),
			`5:2 rollout: "rollout" defined twice (line 4, 5)`},
		{`2 duplicate set`, top("[sets.a]\naddresses = \"10.0.0.1\"\n[sets.a]"),
			`6:7 sets.a: set "a" defined twice (line 4, 6)`},
		{`2 duplicate key`, top("[hosts.web1]\nroles = \"a\"\nroles = \"b\""),
			`6:1 hosts.web1.roles: "roles" in [hosts.web1] defined twice (line 5, 6)`},
		{`4 wrong type of port`, top("[hosts.a]\nssh.port = \"22\""),
			`5:12 hosts.a.ssh.port: port must be a number, not the string "22"`},
		{`5 port 0`, top("[hosts.a]\nssh.port = 0"),
			`5:12 hosts.a.ssh.port: port must be 1..65535, not 0`},
		{`5 port 65536`, top("[hosts.a]\nssh.port = 65536"),
			`5:12 hosts.a.ssh.port: port must be 1..65535, not 65536`},
		{`5 port -1`, top("[hosts.a]\nssh.port = -1"),
			`5:12 hosts.a.ssh.port: port must be 1..65535, not -1`},
		{`5 port 0 of a service`, top("[services.x]\ntcp = 0"),
			`5:7 services.x.tcp: port must be 1..65535, not 0`},
		{`5 port 0 of a rule`, rule(`{ allow = "tcp/0" }`),
			`5:18 roles.x.in[0].allow: port must be 1..65535, not 0`},
		{`6 range 80-22`, rule(`{ allow = "tcp/80-22" }`),
			`5:18 roles.x.in[0].allow: "80-22": range ends before it starts; write "22-80"`},
		{`6 range 80-22 of a service`, top("[services.x]\nudp = \"80-22\""),
			`5:7 services.x.udp: "80-22": range ends before it starts; write "22-80"`},
		{`8 010.1.1.1`, rule(`{ allow = "http", from = "010.1.1.1" }`),
			`5:33 roles.x.in[0].from: "010.1.1.1": leading zero is read as octal by nft (8.1.1.1); write 10.1.1.1`},
		{`9 10.0.0.5/24`, rule(`{ allow = "http", from = "10.0.0.5/24" }`),
			`5:33 roles.x.in[0].from: "10.0.0.5/24": host bits set; write 10.0.0.0/24 or 10.0.0.5/32`},
		{`10 /33`, top("[sets.x]\naddresses = \"10.0.0.0/33\""),
			`5:13 sets.x.addresses: "10.0.0.0/33": prefix length out of range; 0 to 32 for this family`},
		{`10 /-1`, top("[sets.x]\naddresses = \"10.0.0.0/-1\""),
			`5:13 sets.x.addresses: "10.0.0.0/-1": prefix length out of range; 0 to 32 for this family`},
		{`11 host name in a rule`, rule(`{ allow = "http", from = "db.example.net" }`),
			`5:33 roles.x.in[0].from: "db.example.net" is a name, and from takes addresses only; nft would resolve it by DNS at load`},
		{`11 host of the fleet in a rule`, rule("{ allow = \"http\", from = [\"10.0.0.1\", \"web1\"] } ]\n[hosts.web1]\nin = ["),
			`5:46 roles.x.in[0].from[1]: "web1" is a name, and from takes addresses only; nft would resolve it by DNS at load; write "host:web1"`},
		{`13 ::ffff:1.2.3.4`, rule(`{ allow = "http", from = "::ffff:1.2.3.4" }`),
			`5:33 roles.x.in[0].from: "::ffff:1.2.3.4": IPv4-mapped never matches; write 1.2.3.4`},
		{`14 zone fe80::1%eth0`, rule(`{ allow = "http", from = "fe80::1%eth0" }`),
			`5:33 roles.x.in[0].from: "fe80::1%eth0": zone not allowed; write fe80::1`},
		{`16 overlapping CIDRs are merged with a note`, top("[sets.x]\naddresses = [\"10.0.0.0/8\", \"10.1.0.0/16\"]"),
			`5:28 sets.x.addresses[1]: note: 10.1.0.0/16 overlaps 10.0.0.0/8 (line 5); merged`},
		{`17 empty list of services`, rule(`{ allow = [] }`),
			`5:18 roles.x.in[0].allow: list "allow" is empty; give it an item`},
		{`17 empty list of peers`, rule(`{ allow = "http", from = [] }`),
			`5:33 roles.x.in[0].from: list "from" is empty; take the rule out, or write "any" if everybody is meant`},
		{`17 empty list of management`, "version = 1\n[management]\nfrom = []\n",
			`3:8 management.from: list "from" is empty; give it an item`},
		{`17 service without ports`, top(`[services.x]`),
			`4:11 services.x: service "x" has no ports; write tcp, udp, sctp, icmp, icmpv6, proto or include`},
		{`19 comment with a quote`, rule(`{ allow = "http", comment = 'a"b' }`),
			`5:38 roles.x.in[0].comment: character not allowed in comment at column 38; remove U+0022`},
		{`19 comment with a newline`, rule(`{ allow = "http", comment = "a\u000ab" }`),
			`5:38 roles.x.in[0].comment: character not allowed in comment at column 38; remove U+000A`},
		{`19 comment with NUL`, rule(`{ allow = "http", comment = "a\u0000b" }`),
			`5:38 roles.x.in[0].comment: character not allowed in comment at column 38; remove U+0000`},
		{`19 comment with ESC`, rule(`{ allow = "http", comment = "a\u001bb" }`),
			`5:38 roles.x.in[0].comment: character not allowed in comment at column 38; remove U+001B`},
		{`20 comment of 129 bytes`, rule(`{ allow = "http", comment = "` + strings.Repeat("x", 129) + `" }`),
			`5:36 roles.x.in[0].comment: comment is too long: 129 bytes, at most 128`},
		{`20 log prefix of 30 bytes`, rule(`{ allow = "http", log = "` + strings.Repeat("x", 30) + `" }`),
			`5:32 roles.x.in[0].log: log prefix is too long: 30 bytes, at most 29`},
		{`21 interface of 16 characters`, rule(`{ allow = "http", iface = "abcdefghijklmnop" }`),
			`5:34 roles.x.in[0].iface: invalid interface name "abcdefghijklmnop"; a name has at most 15 characters`},
		{`21 interface with a slash`, rule(`{ allow = "http", iface = "eth0/1" }`),
			`5:34 roles.x.in[0].iface: invalid interface name "eth0/1"; letters, digits, _ . - and @`},
		{`21 interface with a space`, rule(`{ allow = "http", iface = "eth 0" }`),
			`5:34 roles.x.in[0].iface: invalid interface name "eth 0"; letters, digits, _ . - and @`},
		{`21 interface with a star`, rule(`{ allow = "http", iface = "eth*" }`),
			`5:34 roles.x.in[0].iface: invalid interface name "eth*"; patterns are not known; name each interface`},
		{`29 set name input;drop`, top("[sets.\"input;drop\"]\naddresses = \"10.0.0.1\""),
			`4:7 sets."input;drop": set name must match [a-z][a-z0-9_-]{0,30}, not "input;drop"`},
		{`29 service name in upper case`, top("[services.Http]\ntcp = 80"),
			`4:11 services.Http: service name must match [a-z][a-z0-9_-]{0,30}, not "Http"`},
		{`29 role name of 32 letters`, top(`[roles.` + strings.Repeat("x", 32) + `]`),
			`4:8 roles.` + strings.Repeat("x", 32) + `: role name must match [a-z][a-z0-9_-]{0,30}, not "` + strings.Repeat("x", 32) + `"`},
		{`30 host name with a space`, top(`[hosts."a b"]`),
			`4:8 hosts."a b": invalid host name "a b"; a DNS name has letters, digits, - and dots`},
		{`30 host name -oProxyCommand`, top(`[hosts.-oProxyCommand]`),
			`4:8 hosts.-oProxyCommand: invalid host name "-oProxyCommand"; a part between dots neither begins nor ends with -`},
		{`30 host name $(x)`, top(`[hosts."$(x)"]`),
			`4:8 hosts."$(x)": invalid host name "$(x)"; a DNS name has letters, digits, - and dots`},
		{`30 host name with a newline`, top(`[hosts."a\u000ab"]`),
			`4:8 hosts."a\nb": invalid host name "a\nb"; a DNS name has letters, digits, - and dots`},
		{`31 user root;id`, top("[hosts.a]\nssh.user = \"root;id\""),
			`5:12 hosts.a.ssh.user: invalid user name "root;id"; letters, digits, _ . @ and -, not - or . first`},
		{`31 user empty`, top("[defaults]\nssh.user = \"\""),
			`5:12 defaults.ssh.user: invalid user name ""; letters, digits, _ . @ and -, not - or . first`},
		{`32 bastion cycle`, top("[hosts.web1]\nssh.jump = \"bas1\"\n[hosts.bas1]\nssh.jump = \"web1\""),
			`5:12 hosts.web1.ssh.jump: jump cycle: web1 → bas1 → web1; one of these hosts must be reached without the others`},
		{`32 bastion of itself`, top("[hosts.web1]\nssh.jump = \"web1\""),
			`5:12 hosts.web1.ssh.jump: jump cycle: web1 → web1; one of these hosts must be reached without the others`},
		{`32 bastion cycle met from outside`, top("[hosts.a]\nssh.jump = \"b\"\n[hosts.b]\nssh.jump = \"c\"\n[hosts.c]\nssh.jump = \"b\""),
			`7:12 hosts.b.ssh.jump: jump cycle: b → c → b; one of these hosts must be reached without the others`},
		{`32 bastion unknown`, top("[hosts.web1]\nssh.jump = \"bsa1\"\n[hosts.bas1]"),
			`5:12 hosts.web1.ssh.jump: warning: jump "bsa1" is no host of the fleet; did you mean "bas1"?`},
		{`32 bastion by an address of the fleet`, top("[hosts.a]\nssh.jump = \"ops@192.0.2.9:2222\"\n[hosts.bas1]\naddresses = [\"192.0.2.9\"]"),
			`5:12 hosts.a.ssh.jump: warning: jump "ops@192.0.2.9:2222" is bas1 of the fleet; write jump = "bas1", so that it is changed after the hosts behind it`},
		{`32 bastion of the fleet with another user`, top("[hosts.a]\nssh.jump = \"ops@bas1\"\n[hosts.bas1]"),
			`5:12 hosts.a.ssh.jump: warning: jump "ops@bas1" is bas1 of the fleet; write jump = "bas1", so that it is changed after the hosts behind it`},
		{`32 bastion with a bad user`, top("[hosts.a]\nssh.jump = \"root;id@b\""),
			`5:12 hosts.a.ssh.jump: invalid user name "root;id"; letters, digits, _ . @ and -, not - or . first`},
		{`32 bastion without the port of its colon`, top("[hosts.a]\nssh.jump = \"u@b:\""),
			`5:12 hosts.a.ssh.jump: invalid jump host "u@b:"; a port is missing after the colon`},
		{`32 bastion with port 0`, top("[hosts.a]\nssh.jump = \"b:0\""),
			`5:12 hosts.a.ssh.jump: port must be 1..65535, not 0`},
		{`32 bastion with a port by name`, top("[hosts.a]\nssh.jump = \"b:ssh\""),
			`5:12 hosts.a.ssh.jump: invalid jump host "b:ssh"; the port is not a number`},
		{`32 bastion empty`, top("[hosts.a]\nssh.jump = \"\""),
			`5:12 hosts.a.ssh.jump: "" is not an IPv4 or IPv6 address`},
		{`32 bastion -oProxyCommand`, top("[hosts.a]\nssh.jump = \"-oProxyCommand\""),
			`5:12 hosts.a.ssh.jump: invalid jump host "-oProxyCommand"; an address does not begin with -`},
		{`33 same address dialled`, top("[hosts.web1]\nssh.address = \"10.0.0.1\"\n[hosts.web2]\nssh.address = \"10.0.0.1\""),
			`7:1 hosts.web2.ssh: web1 and web2 are the same address, 10.0.0.1 port 22 (line 5, 7); write an ssh.address of its own for each`},
		{`33 same address listed`, top("[hosts.web1]\naddresses = \"10.0.0.1\"\n[hosts.web2]\naddresses = \"10.0.0.1\""),
			`7:13 hosts.web2.addresses: web1 and web2 are the same address, 10.0.0.1 (line 5, 7); an address that several hosts may have stands in shared of each`},
		{`34 window "1s"`, top("[rollout]\nwindow = \"1s\""),
			`5:10 rollout.window: window must be ` + windows + `, not the string "1s"`},
		{`34 window "0s"`, top("[rollout]\nwindow = \"0s\""),
			`5:10 rollout.window: window must be ` + windows + `, not the string "0s"`},
		{`34 window "-1m"`, top("[rollout]\nwindow = \"-1m\""),
			`5:10 rollout.window: window must be ` + windows + `, not the string "-1m"`},
		{`34 window "60"`, top("[rollout]\nwindow = \"60\""),
			`5:10 rollout.window: window must be ` + windows + `, not the string "60"`},
		{`34 window 60`, top("[rollout]\nwindow = 60"),
			`5:10 rollout.window: window must be ` + windows + `, not the number 60; write the unit in a string, as in "60s"`},
		{`34 window "61m"`, top("[rollout]\nwindow = \"61m\""),
			`5:10 rollout.window: window must be ` + windows + `, not the string "61m"`},
		{`35 canary that is no pattern`, top("[rollout]\ncanary = \"web[\""),
			`5:10 rollout.canary: pattern "web[": a "[" is not closed; a pattern is a host, role:web, group:staging, web[01-20], web*, a comma list of these, or all`},
		{`35 canary that is a number`, top("[rollout]\ncanary = 3"),
			`5:10 rollout.canary: canary must be a string or a list of strings, not the number 3`},
		{`35 wave of 0%`, top("[rollout]\nwaves = [\"0%\", \"100%\"]"),
			`5:10 rollout.waves[0]: "0%" is not a share from 1% to 100%`},
		{`35 wave of 150%`, top("[rollout]\nwaves = \"150%\""),
			`5:9 rollout.waves: "150%" is not a share from 1% to 100%`},
		{`36 parallel 0`, top("[rollout]\nparallel = 0"),
			`5:12 rollout.parallel: parallel must be 1..1024, not 0`},
		{`36 parallel 100000`, top("[rollout]\nparallel = 100000"),
			`5:12 rollout.parallel: parallel must be 1..1024, not 100000`},
		{`41 TOML syntax error`, top("[defaults]\ninbound = drop"),
			`5:11 : expected value but found "drop" instead; strings stand in quotes`},
		{`41 TOML header that is open`, top(`[hosts.a`),
			`4:9 : expected '.' or ']' to end table name, but got '\n' instead`},
		{`44 raw with include`, top("[[raw]]\nhosts = \"a\"\nat = \"before-allow\"\nchain = \"input\"\nnft = 'include \"/etc/shadow\"'"),
			`8:8 raw[0].nft: "include" is not allowed in nft at column 8; raw adds to table inet fwpush and touches nothing else`},
		{`44 raw with define`, top("[[raw]]\nhosts = \"a\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"define x = 1\""),
			`8:8 raw[0].nft: "define" is not allowed in nft at column 8; raw adds to table inet fwpush and touches nothing else`},
		{`44 raw with flush ruleset`, top("[[raw]]\nhosts = \"a\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"flush ruleset\""),
			`8:8 raw[0].nft: "flush" is not allowed in nft at column 8; raw adds to table inet fwpush and touches nothing else`},
		{`44 raw with another table`, top("[[raw]]\nhosts = \"a\"\nat = \"table\"\nnft = \"table inet other {\\u000a}\""),
			`7:8 raw[0].nft: "table" is not allowed in nft at column 8; raw adds to table inet fwpush and touches nothing else`},
		{`44 raw that ends the chain`, top("[[raw]]\nhosts = \"a\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"}\""),
			`8:8 raw[0].nft: a brace is closed that was not opened in nft at column 8`},
		{`44 raw with a hook`, top("[[raw]]\nhosts = \"a\"\nat = \"table\"\nnft = \"chain x_a {\\ntype filter hook input priority 0\\n}\""),
			`7:21 raw[0].nft: "type" is not allowed in nft at column 21; raw adds to table inet fwpush and touches nothing else`},
		{`45 protocol tpc`, rule(`{ allow = "tpc/80" }`),
			`5:18 roles.x.in[0].allow: unknown protocol "tpc"; did you mean "tcp"?`},
		{`45 icmp with a port`, rule(`{ allow = "icmp/8" }`),
			`5:18 roles.x.in[0].allow: "icmp/8": icmp has no port; "ping" is the service for echo requests`},
		{`48 inbound = "dorp"`, top("[defaults]\ninbound = \"dorp\""),
			`5:11 defaults.inbound: inbound must be drop or reject, not "dorp"; did you mean "drop"?`},
		{`48 inbound = "accept"`, top("[hosts.a]\ninbound = \"accept\""),
			`5:11 hosts.a.inbound: inbound must be drop or reject, not "accept"`},
		{`49 rate "0/s"`, rule(`{ allow = "ssh", rate = "0/s" }`),
			`5:32 roles.x.in[0].rate: rate must be n/second, n/min, n/h or n/day with n from 1 to 10000, not "0/s"`},
		{`49 rate "10/fortnight"`, rule(`{ allow = "ssh", rate = "10/fortnight" }`),
			`5:32 roles.x.in[0].rate: rate must be n/second, n/min, n/h or n/day with n from 1 to 10000, not "10/fortnight"`},
		{`53 password of a host`, top("[hosts.a]\nssh.password = \"hunter2\""),
			`5:5 hosts.a.ssh.password: secrets are not read from inventory; use a key file or an agent`},
		{`53 password in a URL`, probe(`{ http = "http://u:hunter2@x/" }`),
			`5:20 roles.x.probe[0].http: secrets are not read from inventory; leave user and password out of the URL`},
		{`54 65 addresses in a rule`, rule(`{ allow = "http", from = [` + strings.Repeat(`"10.0.0.1", `, 65) + `] }`),
			`5:33 roles.x.in[0].from: a rule has at most 64 addresses in from, not 65; put them into [sets.NAME] and write "set:NAME"`},
		{`54 100001 CIDRs`, top("[sets.x]\naddresses = [" + strings.Repeat("\"10.0.0.1\",\n", 100_001) + `]`),
			`5:13 sets.x.addresses: a set has at most 100000 addresses, not 100001; write prefixes or ranges`},
	})
}
