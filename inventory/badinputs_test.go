package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory/internal/schema"
)

// base is what every fleet file needs; what a test adds begins in line 4.
const base = "version = 1\n[management]\nfrom = \"10.0.0.0/8\"\n"

// told writes findings as "line:col severity: message; hint".
func told(ps Problems) []string {
	var out []string
	for _, p := range ps {
		s := fmt.Sprintf("%d:%d ", p.Place.Line, p.Place.Col) + map[Severity]string{Warning: "warning: ", Note: "note: "}[p.Severity] + p.Msg
		if p.Hint != "" {
			s += "; " + p.Hint
		}
		out = append(out, s)
	}
	return out
}

// rule puts one rule into a file, beginning at 5:8.
func rule(s string) string { return base + "[roles.x]\nin = [ " + s + " ]\n" }

// set puts one address into a set, at 5:14.
func set(s string) string { return base + "[sets.x]\naddresses = [" + s + "]\n" }

// Several mistakes in one text are told together, each once. Row is the number of
// the class of mistake, as in TestBadInputs.
func TestP1ManyBadInputs(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, tt := range []struct {
		row  int
		text string
		want []string
	}{
		{1, rule(`{ alow = "http" }`), []string{`5:10 unknown key "alow" in a rule of [roles.x]; did you mean "allow"?`}},
		{1, "vrsion = 1\n[management]\nfrom = \"10.0.0.0/8\"\n", []string{`1:1 unknown key "vrsion"; did you mean "version"?`}},
		{1, base + "[defualts]\nroles = []\n", []string{`4:2 unknown key "defualts"; did you mean "defaults"?`}},
		{1, base + "[host.web1]\n[host.web2]\n", []string{`4:2 unknown key "host"; did you mean "hosts"?`}},
		{1, "version = 1\n[management]\nform = \"10.0.0.0/8\"\n", []string{`3:1 unknown key "form" in [management]; did you mean "from"?`}},
		{1, base + "[hosts.web1]\nprot = 22\nssh.usr = \"x\"\n", []string{
			`5:1 unknown key "prot" in [hosts.web1]; did you mean "ssh.port"?`,
			`6:5 unknown key "usr" in [hosts.web1.ssh]; did you mean "user"?`,
		}},
		{1, base + "[hosts.\"web.1\"]\nxyzzy = 22\n[sets.a]\naddrs = []\naddresses = [\"10.0.0.1\"]\n", []string{
			`4:8 invalid host name "web.1"; a DNS name does not end in a number`,
			`5:1 unknown key "xyzzy" in [hosts."web.1"]`,
			`7:1 unknown key "addrs" in [sets.a]`,
		}},
		{1, base + "rates = 1\n", []string{`4:1 unknown key "rates" in [management]`}},
		{1, base + "\"\\u001b[2J\" = 1\n", []string{`4:1 unknown key "\x1b[2J" in [management]`}},

		{2, base + "[hosts.web1]\n\n[hosts.web2]\n\n\n[hosts.web1]\nroles = 7\n", []string{`9:8 host "web1" defined twice (line 4, 9)`}},
		{2, base + "[sets.a]\naddresses = [\"10.0.0.1\"]\n[sets.a]\n[services.b]\ntcp = [1]\n[services.b]\n[roles.c]\n[roles.c]\n", []string{
			`6:7 set "a" defined twice (line 4, 6)`, `9:11 service "b" defined twice (line 7, 9)`, `11:8 role "c" defined twice (line 10, 11)`,
		}},
		{2, base + "[hosts.web1]\nroles = [\"a\"]\nroles = [\"b\"]\n[management]\n", []string{
			`6:1 "roles" in [hosts.web1] defined twice (line 5, 6)`, `7:2 "management" defined twice (line 2, 7)`,
		}},
		{2, base + "[hosts]\nweb1 = { roles = [\"a\"], roles = [\"b\"] }\nweb1 = {}\n", []string{
			`5:25 "roles" in [hosts.web1] defined twice (line 5, 5)`, `6:1 host "web1" defined twice (line 5, 6)`,
		}},

		{4, base + "[hosts.a]\nssh = { port = \"22\" }\n", []string{`5:16 port must be a number, not the string "22"`}},
		{4, base + "[hosts.a]\nssh = { port = 22.5, user = 1, identity = true }\nroles = 3\nin = { allow = \"http\" }\naddresses = 7\nsshd_ports = [\"22\"]\n", []string{
			`5:16 port must be a whole number, not 22.5`, `5:29 user must be a string, not the number 1`,
			`5:43 identity must be a string or a list of strings, not true`,
			`6:9 roles must be a string or a list of strings, not the number 3`,
			`7:6 in must be a list of rules, not a table`,
			`8:13 addresses must be a list of addresses, or a table of such lists, not the number 7`,
			`9:15 port must be a number, not the string "22"`,
		}},
		{4, "version = \"1\"\nfleet = 3\nhosts = []\nsets = 3\n[[roles]]\n[[management]]\n", []string{
			`1:11 version must be a number, not the string "1"`, `2:9 fleet must be a string, not the number 3`,
			`3:9 hosts must be tables such as [hosts.NAME], not a list`, `4:8 sets must be tables such as [sets.NAME], not the number 3`,
			`5:3 roles must be tables such as [roles.NAME], not a list`, `6:3 management must be a table, not a list`,
		}},
		{4, base + "[hosts]\nweb1 = \"10.0.0.1\"\n[defaults]\nping = \"yes\"\nlog = 3\nssh = \"x\"\nantispoof = 2026-01-01\n", []string{
			`5:8 host "web1" must be a table, not the string "10.0.0.1"`, `7:8 ping must be true, false or a rate such as "20/s", not the string "yes"`,
			`8:7 log must be true, false or a string, not the number 3`, `9:7 ssh must be a table, not the string "x"`,
			`10:13 antispoof must be true or false, not a date`,
		}},
		{4, rule(`"http", { allow = 80, from = [1], allow_empty = "no" }`), []string{
			`5:8 in holds rules, not the string "http"; write { allow = "http" }`,
			`5:26 allow must be a string or a list of strings, not the number 80; write "tcp/80"`, `5:38 from holds strings, not the number 1`,
			`5:56 allow_empty must be true or false, not the string "no"`,
		}},

		{5, base + "[hosts.a]\nssh = { port = 0 }\nsshd_ports = [65536, -1]\n[services.x]\ntcp = [0, \"0-3\", \"1-65536\"]\n", []string{
			`5:16 port must be 1..65535, not 0`, `6:15 port must be 1..65535, not 65536`, `6:22 port must be 1..65535, not -1`,
			`8:8 port must be 1..65535, not 0`, `8:11 port must be 1..65535, not 0`, `8:18 port must be 1..65535, not 65536`,
		}},
		{5, rule(`{ allow = ["tcp/0", "udp/65536", "tcp/1-70000"] }`), []string{
			`5:19 port must be 1..65535, not 0`, `5:28 port must be 1..65535, not 65536`, `5:41 port must be 1..65535, not 70000`,
		}},
		{5, base + "failsafe_ports = [0]\n", []string{`4:19 port must be 1..65535, not 0`}},

		{6, base + "[services.x]\ntcp = [\"80-22\"]\n", []string{`5:8 "80-22": range ends before it starts; write "22-80"`}},
		{6, rule(`{ deny = "udp/80-22" }`), []string{`5:17 "80-22": range ends before it starts; write "22-80"`}},
		{6, set(`"10.0.0.9-10.0.0.1"`), []string{`5:14 "10.0.0.9-10.0.0.1": range ends before it starts; write 10.0.0.1-10.0.0.9`}},

		{8, set(`"010.1.1.1", "10.0.0.08", "10.1.1.010/32"`), []string{
			`5:14 "010.1.1.1": leading zero is read as octal by nft (8.1.1.1); write 10.1.1.1`,
			`5:27 "10.0.0.08": leading zero not allowed; write 10.0.0.8`,
			`5:40 "10.1.1.010/32": leading zero is read as octal by nft (10.1.1.8); write 10.1.1.10/32`,
		}},
		{9, set(`"10.0.0.5/24", "2001:db8::1/64"`), []string{
			`5:14 "10.0.0.5/24": host bits set; write 10.0.0.0/24 or 10.0.0.5/32`,
			`5:29 "2001:db8::1/64": host bits set; write 2001:db8::/64 or 2001:db8::1/128`,
		}},
		{10, set(`"10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/x", "10.0.0.0/08"`), []string{
			`5:14 "10.0.0.0/33": prefix length out of range; 0 to 32 for this family`,
			`5:29 "10.0.0.0/-1": prefix length out of range; 0 to 32 for this family`,
			`5:44 "::/129": prefix length out of range; 0 to 128 for this family`,
			`5:54 "10.0.0.0/x": prefix length is not a number`, `5:68 "10.0.0.0/08": prefix length is not a number`,
		}},
		{11, rule(`{ allow = "http", from = ["db.example.net", "web1", "ops"], to = "y" }`) + "[hosts.web1]\n[sets.ops]\naddresses = [\"10.0.0.1\"]\n[roles.y]\n", []string{
			`5:34 "db.example.net" is a name, and from takes addresses only; nft would resolve it by DNS at load`,
			`5:52 "web1" is a name, and from takes addresses only; nft would resolve it by DNS at load; write "host:web1"`,
			`5:60 "ops" is a name, and from takes addresses only; nft would resolve it by DNS at load; write "set:ops"`,
			`5:73 "y" is a name, and to takes addresses only; nft would resolve it by DNS at load; write "role:y"`,
		}},
		{11, set(`"10.0.0.300", "10.0.0", "db1", ""`), []string{
			`5:14 "10.0.0.300" is not an IPv4 or IPv6 address`, `5:28 "10.0.0" is not an IPv4 or IPv6 address`,
			`5:38 "db1" is a name, and addresses are addresses; write it in names to have it looked up`, `5:45 "" is not an IPv4 or IPv6 address`,
		}},
		{13, set(`"::ffff:1.2.3.4", "::ffff:1.2.3.0/120"`), []string{
			`5:14 "::ffff:1.2.3.4": IPv4-mapped never matches; write 1.2.3.4`,
			`5:32 "::ffff:1.2.3.0/120": IPv4-mapped never matches; write 1.2.3.0/24`,
		}},
		{14, set(`"fe80::1%eth0"`) + "[hosts.a]\nssh.address = \"fe80::1%eth0\"\n", []string{
			`5:14 "fe80::1%eth0": zone not allowed; write fe80::1`, `7:15 "fe80::1%eth0": zone not allowed; write fe80::1`,
		}},
		{16, set(`"10.1.0.0/16", "10.0.0.0/8", "10.0.0.0-11.0.0.0", "192.0.2.1", "192.0.2.1"`), []string{
			`5:14 note: 10.1.0.0/16 overlaps 10.0.0.0-11.0.0.0 (line 5); merged`,
			`5:29 note: 10.0.0.0/8 overlaps 10.0.0.0-11.0.0.0 (line 5); merged`,
			`5:77 note: 192.0.2.1 overlaps 192.0.2.1 (line 5); merged`,
		}},
		{16, set(`"10.0.0.1-fd00::1", "10.0.0.1-x", "x-10.0.0.1"`), []string{
			`5:14 "10.0.0.1-fd00::1": range mixes IPv4 and IPv6`, `5:34 "x" is not an IPv4 or IPv6 address`,
			`5:48 "x-10.0.0.1" is not a range of addresses`,
		}},
		{17, rule(`{ allow = [] }, { allow = "http", from = [], to = [] }`), []string{
			`5:18 list "allow" is empty; give it an item`,
			`5:49 list "from" is empty; take the rule out, or write "any" if everybody is meant`,
			`5:58 list "to" is empty; take the rule out, or write "any" if everybody is meant`,
		}},
		{17, "version = 1\n[management]\nfrom = []\n[services.x]\n[services.y]\ntcp = []\n", []string{
			`3:8 list "from" is empty; give it an item`,
			`4:11 service "x" has no ports; write tcp, udp, sctp, icmp, icmpv6, proto or include`,
			`6:7 list "tcp" is empty; leave the key out, or give it an item`,
		}},
		{17, base + "[hosts.a]\naddresses = {}\n", []string{`5:13 table "addresses" is empty; leave the key out, or give it an item`}},
		{54, rule(`{ allow = "http", from = [` + strings.Repeat(`"10.0.0.1", `, 64) + `"set:x", "any"] }, { deny = "http", from = [` + strings.Repeat(`"10.0.0.1", `, 65) + `] }`), []string{
			`5:845 a rule has at most 64 addresses in from, not 65; put them into [sets.NAME] and write "set:NAME"`,
		}},
		{18, base + "[services.x]\ntcp = [80, 443, 80, \"80-90\", 81]\n", nil},

		{19, rule(`{ allow = "http", comment = 'a "quote"', owner = "ü\u0007", ticket = "a\nb" }, { allow = "http", comment = "\u0000" }, { allow = "http", comment = "\u202e" }`), []string{
			`5:39 character not allowed in comment at column 39; remove U+0022`,
			`5:59 character not allowed in owner at column 59; remove U+0007`,
			`5:79 character not allowed in ticket at column 79; remove U+000A`,
			`5:116 character not allowed in comment at column 116; remove U+0000`,
			`5:156 character not allowed in comment at column 156; remove U+202E`,
		}},
		{20, rule(`{ allow = "http", comment = "` + long + `", owner = "` + long[1:] + `" }`), []string{`5:36 comment is too long: 129 bytes, at most 128`}},
		{20, base + "[defaults]\nlog = \"123456789012345678901234567890\"\n[roles.x]\nlog = \"\"\n[roles.y]\nlog = 'a\"'\n[roles.z]\nlog = \"12345678901234567890123456789\"\n[roles.d]\nlog = \"a$b\"\n[roles.t]\nlog = \"true\"\n", []string{
			`5:7 log prefix is too long: 30 bytes, at most 29`, `7:7 log prefix is empty; write true or false`,
			`9:9 character not allowed in log at column 9; remove U+0022`,
			`13:9 character not allowed in log at column 9; nft takes $ for a variable; remove it`,
			`15:7 log is a string; write true without quotes`,
		}},

		{29, base + "[sets.\"input;drop\"]\naddresses = [\"10.0.0.1\"]\n[services.Http]\ntcp = [80]\n[roles.\"" + strings.Repeat("r", 32) + "\"]\n[hosts.a]\naddresses = { \"L AN\" = [\"10.0.0.2\"] }\nroles = [\"x y\"]\n", []string{
			`4:7 set name must match [a-z][a-z0-9_-]{0,30}, not "input;drop"`,
			`6:11 service name must match [a-z][a-z0-9_-]{0,30}, not "Http"`,
			`8:8 role name must match [a-z][a-z0-9_-]{0,30}, not "` + strings.Repeat("r", 32) + `"`,
			`10:15 net name must match [a-z][a-z0-9_-]{0,30}, not "L AN"`,
			`11:10 role name must match [a-z][a-z0-9_-]{0,30}, not "x y"`,
		}},
		{29, "version = 1\nfleet = \"Eu Prod\"\n[management]\nfrom = [\"set:A\", \"role:x@\", \"host:-o\", \"role:\"]\n[roles.x]\nextends = \"B\"\nin = [ { allow = \"ht tp\" } ]\n", []string{
			`2:9 fleet name must match [a-z][a-z0-9_-]{0,30}, not "Eu Prod"`,
			`4:9 set name must match [a-z][a-z0-9_-]{0,30}, not "A"`,
			`4:18 net name must match [a-z][a-z0-9_-]{0,30}, not ""`,
			`4:29 invalid host name "-o"; a part between dots neither begins nor ends with -`,
			`4:40 role name must match [a-z][a-z0-9_-]{0,30}, not ""`,
			`6:11 role name must match [a-z][a-z0-9_-]{0,30}, not "B"`,
			`7:18 service name must match [a-z][a-z0-9_-]{0,30}, not "ht tp"`,
		}},
		{30, base + "[hosts.\"a b\"]\n[hosts.-oProxyCommand]\n[hosts.\"$(x)\"]\n[hosts.\"a\\nb\"]\n[hosts.Web1]\n[hosts.all]\n[hosts.a_b]\n[hosts.\"\"]\n[hosts.10]\n[hosts.\"10.0.0.1\"]\n[hosts.0x1f]\n[hosts.\"a..b\"]\n", []string{
			`4:8 invalid host name "a b"; a DNS name has letters, digits, - and dots`,
			`5:8 invalid host name "-oProxyCommand"; a part between dots neither begins nor ends with -`,
			`6:8 invalid host name "$(x)"; a DNS name has letters, digits, - and dots`,
			`7:8 invalid host name "a\nb"; a DNS name has letters, digits, - and dots`,
			`8:8 invalid host name "Web1"; write web1`, `9:8 invalid host name "all"; "all" selects every host`,
			`10:8 invalid host name "a_b"; a DNS name has no underscore`,
			`11:8 invalid host name ""; a DNS name has 1 to 253 characters`,
			`12:8 invalid host name "10"; a DNS name does not end in a number`,
			`13:8 invalid host name "10.0.0.1"; a DNS name does not end in a number`,
			`14:8 invalid host name "0x1f"; a DNS name does not end in a number`,
			`15:8 invalid host name "a..b"; a part between dots has 1 to 63 characters`,
		}},
		{30, base + "[hosts.a]\nssh.address = \"-oProxyCommand=x\"\n[hosts.b]\nssh.address = \"10.0.0.5/24\"\n[hosts.c]\naddresses = [\"0.0.0.0\", \"ff02::1\", \"10.0.0.1/8\", \"web1\"]\n[hosts.d]\nssh.address = \"\"\n", []string{
			`5:15 invalid address "-oProxyCommand=x"; a part between dots neither begins nor ends with -`,
			`7:15 "10.0.0.5/24": an address of one machine has no prefix length; write 10.0.0.5`,
			`9:14 "0.0.0.0" is not the address of one machine`, `9:25 "ff02::1" is not the address of one machine`,
			`9:36 "10.0.0.1/8": an address of one machine has no prefix length; write 10.0.0.1`,
			`9:50 "web1" is not an IPv4 or IPv6 address`,
			`11:15 "" is not an IPv4 or IPv6 address`,
		}},
		{31, base + "[defaults]\nssh.user = \"root;id\"\n[hosts.a]\nssh.user = \"\"\n[hosts.b]\nssh.user = \"-l\"\n", []string{
			`5:12 invalid user name "root;id"; letters, digits, _ . @ and -, not - or . first`,
			`7:12 invalid user name ""; letters, digits, _ . @ and -, not - or . first`,
			`9:12 invalid user name "-l"; letters, digits, _ . @ and -, not - or . first`,
		}},
		{33, base + "[hosts.web1]\nssh = { address = \"10.0.0.1\" }\n[hosts.web2]\nssh = { address = \"10.0.0.1\", port = 2222 }\n[hosts.web3]\naddresses = [\"10.0.0.1\"]\n[hosts.web4]\nssh.address = \"WEB5\"\n[hosts.web5]\n", []string{
			`8:8 web1 and web3 are the same address, 10.0.0.1 port 22 (line 5, 8); write an ssh.address of its own for each`,
			`12:8 web4 and web5 are the same address, web5 port 22 (line 11, 12); write an ssh.address of its own for each`,
		}},
		{33, base + "[hosts.web1]\naddresses = { wan = [\"2001:db8::1\"], lan = \"10.0.0.1\" }\n[hosts.web2]\naddresses = [\"2001:DB8:0::1\", \"10.0.0.1\", \"10.0.0.1\"]\n", []string{
			`7:14 web1 and web2 are the same address, 2001:db8::1 (line 5, 7); an address that several hosts may have stands in shared of each`,
			`7:31 web1 and web2 are the same address, 10.0.0.1 (line 5, 7); an address that several hosts may have stands in shared of each`,
			`7:43 note: 10.0.0.1 is in the list twice`,
		}},

		{34, base + "[rollout]\nwindow = 60\n", []string{`5:10 window must be ` + windows + `, not the number 60; write the unit in a string, as in "60s"`}},
		{34, base + "[rollout]\nwindow = \"1s\"\n", []string{`5:10 window must be ` + windows + `, not the string "1s"`}},
		{34, base + "[rollout]\nwindow = \"0s\"\n", []string{`5:10 window must be ` + windows + `, not the string "0s"`}},
		{34, base + "[rollout]\nwindow = \"-1m\"\n", []string{`5:10 window must be ` + windows + `, not the string "-1m"`}},
		{34, base + "[rollout]\nwindow = \"60\"\n", []string{`5:10 window must be ` + windows + `, not the string "60"`}},
		{34, base + "[rollout]\nwindow = \"61m\"\n", []string{`5:10 window must be ` + windows + `, not the string "61m"`}},
		{34, base + "[rollout]\nwindow = \"90.5s\"\n", []string{`5:10 window must be ` + windows + `, not the string "90.5s"; write whole seconds`}},
		{34, base + "[defaults]\nssh.connect_timeout = 10\n[hosts.a]\nssh.connect_timeout = \"6m\"\n", []string{
			`5:23 connect_timeout must be 1s..5m, not the number 10; write the unit in a string, as in "10s"`,
			`7:23 connect_timeout must be 1s..5m, not the string "6m"`,
		}},
		{34, base + "[rollout]\nwindow = \"20s\"\n[hosts.a]\naddresses = [\"10.0.0.1\"]\n[hosts.b]\n", []string{
			`5:10 window 20s leaves no time for a connection to b, which may take 20s; make rollout.window longer or ssh.connect_timeout shorter`,
		}},
		{34, base + "[hosts.a]\nssh = { connect_timeout = \"90s\" }\n", []string{
			`5:1 window 2m leaves no time for a connection to a, which may take 3m; make rollout.window longer or ssh.connect_timeout shorter`,
		}},
		{36, base + "[rollout]\nparallel = 0\n", []string{`5:12 parallel must be 1..1024, not 0`}},
		{36, base + "[rollout]\nparallel = 100000\n", []string{`5:12 parallel must be 1..1024, not 100000`}},
		{36, base + "[defaults.ssh]\njump_logins = 0\n[hosts.a]\nssh.jump_logins = \"4\"\n[hosts.b]\nssh.jump_logins = 2000\n", []string{
			`5:15 jump_logins must be 1..1024, not 0`,
			`7:19 jump_logins must be a number, not the string "4"`,
			`9:19 jump_logins must be 1..1024, not 2000`,
		}},

		{41, "version = 1\n[management\nfrom = 1\n", []string{`2:12 expected '.' or ']' to end table name, but got '\n' instead`}},
		{41, base + "[defaults]\ninbound = drop\n", []string{`5:11 expected value but found "drop" instead; strings stand in quotes`}},
		{41, base + "[hosts.web1]\nroles = [\n\"a\"\n\n", []string{`7:1 expected a comma (',') or array terminator (']'), but got end of file`}},
		{41, base + "[roles.x]\nin = [ { allow = \"http\",\n from = \"any\" } ]\n", []string{`5:8 an inline table stands on one line and has no comma after its last key`}},
		{41, base + "a = \"\x1b\"\n", []string{`4:6 control character U+001B is not allowed`}},
		{45, rule(`{ allow = ["tpc/80", "icmp/8", "gre/1", "tcp/", "tcp/http", "80"] }`), []string{
			`5:19 unknown protocol "tpc"; did you mean "tcp"?`, `5:29 "icmp/8": icmp has no port; "ping" is the service for echo requests`,
			`5:39 unknown protocol "gre"; tcp, udp and sctp have ports`,
			`5:48 "tcp/" has no port or range of ports; write "tcp/443" or "tcp/6000-6100"`,
			`5:56 "tcp/http" has no port or range of ports; write "tcp/443" or "tcp/6000-6100"`,
			`5:68 port "80" has no protocol; write "tcp/80"`,
		}},
		{48, base + "[defaults]\ninbound = \"dorp\"\noutbound = \"permit\"\n[hosts.a]\ninbound = \"accept\"\n[roles.x]\noutbound = \"rejcet\"\n", []string{
			`5:11 inbound must be drop or reject, not "dorp"; did you mean "drop"?`,
			`6:12 outbound must be accept, reject or drop, not "permit"`,
			`8:11 inbound must be drop or reject, not "accept"`,
			`10:12 outbound must be accept, reject or drop, not "rejcet"; did you mean "reject"?`,
		}},
		{53, base + "[hosts.a]\nssh = { password = \"hunter2\" }\nsudo_password = \"hunter2\"\n[defaults.ssh]\npassphrase = \"x\"\n", []string{
			`5:9 secrets are not read from inventory; use a key file or an agent`,
			`6:1 secrets are not read from inventory; use a key file or an agent`,
			`8:1 secrets are not read from inventory; use a key file or an agent`,
		}},

		// Not of the list: what a file must have, and verbs.
		{0, "", []string{`1:1 [management] is missing; write from = ["ADDRESS"] in it: who may always reach SSH`, `1:1 version is missing; write version = 1`}},
		{0, "version = 2\n[management]\n", []string{`1:11 unknown schema version 2; this fwpush knows version 1`,
			`2:2 from is missing in [management]; addresses, prefixes, ranges, set:, host:, role: and group: references, the last three with @net`}},
		{0, rule(`{ from = "any" }, { allow = "http", deny = "ssh" }, { alow = "http", deny = "x" }`), []string{
			`5:8 a rule needs a verb; write allow = "SERVICE" or deny = "SERVICE"`,
			`5:44 a rule has one verb, not allow and deny; make two rules of it`,
			`5:62 unknown key "alow" in a rule of [roles.x]; did you mean "allow"?`,
		}},
		{0, rule(`{ allow = "http", from = ["!10.0.0.1", "controller", "internet", "set:a@b", "hsot:web1", "any"] }`), []string{
			`5:34 no negation in from; write a rule with deny`, `5:47 "controller" is for tests, not for from; write the addresses`,
			`5:61 "internet" is for tests, not for from; write the addresses`,
			`5:73 "set:a@b": a set has no nets; host:, role: and group: take @net`,
			`5:84 "hsot:web1" is not an address; did you mean "host:"?`,
		}},
		{0, base + "[roles.x]\nout = [ { allow = \"http\", from = \"any\" } ]\n[defaults]\nssh.address = \"10.0.0.1\"\n", []string{
			`5:27 "from" has no meaning in a rule of [roles.x]; packets in out come from the host; say where they go with to`,
			`7:5 "address" has no meaning in [defaults.ssh]; each host has an address of its own`,
		}},
		{0, base + "[defaults]\nssh = { identity = [\"\", \"~bob/key\", \"a\\u0000b\"] }\n", []string{
			`5:21 path is empty`, `5:25 path "~bob/key": only ~/ is known; write the whole path`, `5:37 path "a\x00b" holds a control character`,
		}},
	} {
		t.Run(fmt.Sprint(tt.row), func(t *testing.T) {
			fleet, ps := Parse("fleet.toml", []byte(tt.text))
			if fleet == nil {
				t.Fatal("no fleet")
			}
			if diff := cmp.Diff(tt.want, told(ps)); diff != "" {
				t.Errorf("(-want +got)\n%s\nin\n%s", diff, tt.text[:min(len(tt.text), 2000)])
			}
		})
	}
}

var windows = schema.Short(int64(schema.MinWindow.Seconds())) + "..60m"
