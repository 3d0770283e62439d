package roles

import (
	"fmt"
	"strings"
	"testing"

	"fwpush/inventory"
)

// found writes problems of one severity as "line: message", one a line.
func found(problems inventory.Problems, s inventory.Severity) string {
	var list []string
	for _, p := range problems {
		if p.Severity == s {
			list = append(list, fmt.Sprintf("%d: %s", p.Place.Line, p.Msg))
		}
	}
	return strings.Join(list, "\n")
}

// Every mistake is one finding, at its place, however many hosts meet it.
func TestCheckErrors(t *testing.T) {
	const hosts = `[hosts.web1]
roles = ["web"]
addresses = { lan = ["10.20.1.11"], wan = ["203.0.113.11"] }
[hosts.web2]
roles = ["web"]
addresses = { lan = ["10.20.1.12"] }
[hosts.db1]
addresses = ["10.20.2.21"]
[hosts.bare]
` // lines 5 to 13
	for _, tt := range []struct{ name, fleet, want string }{
		{"nothing wrong", prelude + hosts, ""},
		{"unknown role", prelude + "[defaults]\nroles = [\"wbe\"]\n" + hosts, `6: role "wbe" not defined; did you mean "web"?`},
		{"a gateway without interfaces", prelude + "[hosts.a]\nroles = [\"gateway\"]\n", "5: host \"a\" has no interface for \"lan\", but the rule at fwpush:standard/gateway.toml:6:31 needs it\n5: host \"a\" has no interface for \"wan\", but the rule at fwpush:standard/gateway.toml:6:50 needs it"},
		{"unknown parent", prelude + hosts + "[roles.x]\nextends = [\"bastoin\"]\n", `15: role "bastoin" not defined; did you mean "bastion"?`},
		{"unknown service", prelude + hosts + "[roles.web]\nin = [ { allow = \"htpp\" } ]\n", `15: service "htpp" not defined; did you mean "http"?`},
		{"unknown service of the file", prelude + hosts + "[services.billing]\ntcp = [1]\n[roles.web]\nin = [ { allow = \"biling\" } ]\n", `17: service "biling" not defined; did you mean "billing"?`},
		{"in a role nobody has", prelude + hosts + "[roles.x]\nout = [ { allow = \"htpp\" } ]\n", `15: service "htpp" not defined; did you mean "http"?`},
		{"unknown set", prelude + hosts + "[sets.ops]\naddresses = [\"10.0.0.1\"]\n[roles.web]\nin = [ { allow = \"http\", from = \"set:osp\" } ]\n", `17: set "osp" not defined; did you mean "ops"?`},
		{"unknown host", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"host:bd1\" } ]\n", `15: host "bd1" not defined; did you mean "db1"?`},
		{"unknown role in a rule", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"role:bastoin\" } ]\n", `15: role "bastoin" not defined; did you mean "bastion"?`},
		{"unknown names in management", "version = 1\n[management]\nfrom = [\"set:ops\", \"role:x\"]\n\n" + hosts, lines(`3: set "ops" not defined`, `3: role "x" not defined`)},
		{"every mistake at once", prelude + hosts + "[roles.web]\nin = [ { allow = [\"nope1\", \"http\", \"b2\"], from = [\"set:c3\", \"host:d4\"] } ]\n",
			lines(`15: service "nope1" not defined`, `15: service "b2" not defined`, `15: set "c3" not defined`, `15: host "d4" not defined`)},

		{"cycle", prelude + hosts + "[roles.b]\nextends = [\"a\"]\n[roles.a]\nextends = [\"b\"]\n", `15: cycle: a → b → a`},
		{"cycle of one", prelude + hosts + "[roles.a]\nextends = [\"a\"]\n", `15: cycle: a → a`},
		{"cycle of three, told once", prelude + hosts + "[roles.web]\nextends = [\"a\"]\n[roles.a]\nextends = [\"b\"]\n[roles.b]\nextends = [\"c\"]\n[roles.c]\nextends = [\"a\"]\n", `21: cycle: a → b → c → a`},
		{"cycle met from outside", prelude + hosts + "[roles.a]\nextends = [\"m\"]\n[roles.m]\nextends = [\"n\"]\n[roles.n]\nextends = [\"m\"]\n", `19: cycle: m → n → m`},
		{"a standard role is no way out of a cycle", prelude + "[roles.web]\nextends = \"front\"\n[roles.front]\nextends = \"web\"\n", `6: cycle: front → web → front`},

		{"parents disagree", prelude + hosts + "[roles.x]\nextends = [\"a\", \"b\"]\n[roles.a]\nping = true\n[roles.b]\nping = false\n", `14: role "x" extends "a" and "b", which disagree on ping`},
		{"disagreement is settled by the child", prelude + hosts + "[roles.x]\nextends = [\"a\", \"b\"]\nping = true\n[roles.a]\nping = true\n[roles.b]\nping = false\n", ``},

		{"empty set", prelude + hosts + "[sets.adm]\naddresses = []\n[roles.web]\nin = [ { allow = \"http\", from = \"set:adm\" }, { allow = \"ssh\", from = \"set:adm\" } ]\n", `14: set "adm" is empty`},
		{"empty set that nobody names", prelude + hosts + "[sets.adm]\naddresses = []\n", `14: set "adm" is empty`},
		{"role without hosts", prelude + hosts + "[roles.web]\nin = [ { allow = \"ssh\", from = \"role:bastion\" } ]\n", `15: no host has role "bastion"`},
		{"role without hosts in management", "version = 1\n[management]\nfrom = [\"10.0.0.0/8\", \"role:bastion\"]\n\n" + hosts, `3: no host has role "bastion"`},
		{"host without addresses", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"host:bare\" }, { allow = \"ssh\", from = \"host:bare\" } ]\n",
			`13: host "bare" has no addresses, but host:bare refers to it at fleet.toml:15:33`},
		{"host of a role without addresses", prelude + hosts + "roles = [\"bastion\"]\n[roles.web]\nin = [ { allow = \"http\", from = \"role:bastion\" } ]\n",
			`13: host "bare" has no addresses, but role:bastion refers to it at fleet.toml:16:33`},
		{"host of a role without the net", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"role:web@wan\" } ]\n",
			`8: host "web2" has no addresses in net "wan", but role:web@wan refers to it at fleet.toml:15:33`},
		{"unknown net", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = [\"role:web@lna\", \"host:web1@wna\"] } ]\n",
			lines(`15: no host of role "web" has a net "lna"; did you mean "lan"?`, `15: host "web1" has no net "wna"; did you mean "wan"?`)},
		{"net of a plain list", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"host:db1@lan\" } ]\n",
			`15: host "db1" has no net "lan"`},
		{"no family in common", prelude + hosts + "[roles.web]\nin = [ { allow = \"http\", from = \"10.0.0.1\", to = \"fd00::1\" } ]\n",
			`15: the rule matches nothing: from and to have no address family in common`},

		{"any in management", strings.Replace(prelude, `["10.0.0.0/8", "fd00::/8"]`, `"any"`, 1) + hosts, `3: management.from admits every address`},
		{"all of IPv4 in management", strings.Replace(prelude, `10.0.0.0/8`, `0.0.0.0/0`, 1) + hosts, `3: management.from admits every address`},
		{"all of IPv6 in management", strings.Replace(prelude, `fd00::/8`, `::/0`, 1) + hosts, `3: management.from admits every address`},
		{"services that do not exist", prelude + "[hosts.a]\nin = [ { allow = [\"vrrp\", \"gree\"] } ]\n", "6: service \"gree\" not defined; did you mean \"gre\"?"},
		{"two halves in management", strings.Replace(prelude, `10.0.0.0/8`, `0.0.0.0/1", "128.0.0.0/1`, 1) + hosts, `3: management.from admits every address`},
		{"the public addresses in management", strings.Replace(prelude, `"10.0.0.0/8", "fd00::/8"`, `"2000::/3", "1.0.0.0-223.255.255.255"`, 1) + hosts, `3: management.from admits most addresses there are`},
		{"all but one in management", strings.Replace(prelude, `10.0.0.0/8`, `0.0.0.1-255.255.255.255`, 1) + hosts, `3: management.from admits most addresses there are`},
		{"a set of everything in management", strings.Replace(prelude, `10.0.0.0/8`, `set:w`, 1) + hosts + "[sets.w]\naddresses = [\"0.0.0.0-255.255.255.255\"]\n", `3: management.from admits every address`},

		{"no management path", strings.Replace(prelude, `"10.0.0.0/8", `, ``, 1) + hosts, `2: hosts db1,web[1-2] would have no management path`},
		{"no management path by the address dialled", strings.Replace(prelude, `, "fd00::/8"`, ``, 1) + "[hosts.a]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\nssh = { address = \"fd00::1\" }\n", `2: host a would have no management path`},
		{"nobody in management", "version = 1\n[management]\nfrom = \"set:none\"\n[sets.none]\nallow_empty = true\n[hosts.a]\n", `2: host a would have no management path`},

		{"built-in service", prelude + hosts + "[services.http]\ntcp = [8080]\n[services.all]\ntcp = [1]\n", lines(`14: service "http" is built in`, `16: service "all" is built in`)},
		{"two sets of one name", prelude + hosts + "[sets.a-b]\naddresses = [\"10.0.0.1\"]\n[sets.a_b]\naddresses = [\"10.0.0.2\"]\n", `16: set "a_b" and "a-b" (fleet.toml:14:7) are one name in a ruleset`},
		{"two roles of one name", prelude + hosts + "[roles.a_b]\n[roles.a-b]\n", `15: role "a-b" and "a_b" (fleet.toml:14:8) are one name in a ruleset`},
		{"a set and a role may share one", prelude + hosts + "[sets.a-b]\naddresses = [\"10.0.0.1\"]\n[roles.a_b]\n", ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fleet := load(t, tt.fleet)
			if got := found(Check(fleet), inventory.Error); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// Who asks about a role without hosts has no line to write allow_empty beside.
func TestNamesOfNobody(t *testing.T) {
	_, err := NamesOf(load(t, prelude+"[hosts.a]\n")).Ends("role:db")
	if want := `no host has role "db"; give it to a host`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A rule of which one peer cannot be resolved is left out, not narrowed to the
// others.
func TestCompileLeavesOutWhatItCannotResolve(t *testing.T) {
	for _, tt := range []struct{ from, want string }{
		{`"role:x"`, `10: host "c" has no addresses, but role:x refers to it at fleet.toml:6:33`},
		{`["role:bastion", "10.0.0.9"]`, `6: no host has role "bastion"`},
		{`["set:none", "10.0.0.9"]`, `12: set "none" is empty`},
		{`["set:nnoe", "10.0.0.9"]`, `6: set "nnoe" not defined; did you mean "none"?`},
	} {
		fleet := load(t, prelude+"[hosts.a]\nin = [ { allow = \"http\", from = "+tt.from+" } ]\n"+
			"[hosts.b]\nroles = [\"x\"]\naddresses = [\"10.0.0.1\"]\n[hosts.c]\nroles = [\"x\"]\n[sets.none]\n[roles.x]\n")
		p, problems := Compile(fleet, fleet.Hosts[0])
		if got := found(problems, inventory.Error); got != tt.want || len(p.In) != 0 {
			t.Errorf("got %s\nand %s", got, say(p.In))
		}
	}
}

// A service of a built-in name never stands for either of the two.
func TestCompileRefusesRedefinedServices(t *testing.T) {
	fleet := load(t, prelude+"[hosts.a]\nin = [ { allow = \"http\" } ]\n[services.http]\ntcp = [8080]\n")
	p, problems := Compile(fleet, fleet.Hosts[0])
	if got := found(problems, inventory.Error); got != `7: service "http" is built in` || len(p.In) != 0 {
		t.Errorf("got %s\nand %s", got, say(p.In))
	}
}

// What is wrong for a host is told when that host alone is compiled, too.
func TestCompileReportsErrors(t *testing.T) {
	fleet := load(t, prelude+"[hosts.a]\nroles = [\"x\"]\n[hosts.b]\n[roles.x]\nin = [ { allow = \"htpp\" } ]\n")
	want := `9: service "htpp" not defined; did you mean "http"?`
	if _, got := Compile(fleet, fleet.Hosts[0]); found(got, inventory.Error) != want {
		t.Errorf("a: got %v", got)
	}
	if _, got := Compile(fleet, fleet.Hosts[1]); len(got) != 0 {
		t.Errorf("b: got %v", got)
	}
	if policies, got := CompileAll(fleet); found(got, inventory.Error) != want || len(policies) != 2 || policies[1].Host != "b" {
		t.Errorf("all: got %v", got)
	}
}

func TestLints(t *testing.T) {
	for _, tt := range []struct{ name, fleet, want string }{
		{"nothing to say", "[hosts.a]\nroles = [\"web\"]", ""},
		{"the standard bastion is for SSH", "[hosts.a]\nroles = [\"bastion\"]", ""},
		{"host without a role", "[hosts.a]", `5: host a has no role`},
		{"hosts without a role", "[hosts.a1]\n[hosts.a2]\n[hosts.b]\nroles = [\"web\"]", `5: hosts a[1-2] have no role`},
		{"role without a host", "[hosts.a]\nroles = [\"web\"]\n[roles.x]\nin = [ { allow = \"http\" } ]", `7: no host has role "x", its rules apply nowhere`},
		{"role used by extends", "[hosts.a]\nroles = [\"y\"]\n[roles.x]\n[roles.y]\nextends = \"x\"", ""},

		{"shadowed, two roles", two2(`{ allow = "http" }`, `{ deny = "http" }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"shadowed on two hosts, told once", two2(`{ allow = "http" }`, `{ deny = "http" }`) + "\n[hosts.b]\nroles = [\"a\", \"b\"]", `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"one of two services left", two2(`{ allow = ["http", "https"] }`, `{ deny = "tcp/1-100" }`), ""},
		{"ports of a range left", two2(`{ allow = "tcp/1000-2000" }`, `{ deny = "tcp/1500" }`), ""},
		{"shadowed by two of two services", two2(`{ allow = ["http", "https"], from = "10.0.0.1" }`, `{ deny = "http" }, { deny = "tcp/400-500", from = "10.0.0.0/24" }`), `8: the allow is shadowed, the denies at fleet.toml:10:8, fleet.toml:10:27 win`},
		{"shadowed by two of two families", two2(`{ allow = "http" }`, `{ deny = "http", family = "ipv4" }, { deny = "http", from = "::/0" }`), `8: the allow is shadowed, the denies at fleet.toml:10:8, fleet.toml:10:44 win`},
		{"a deny of one interface is meant", two2(`{ allow = "http" }`, `{ deny = "http", iface = "eth1" }`), ""},
		{"shadowed on one interface", two2(`{ allow = "http", iface = "eth1" }`, `{ deny = "http", iface = ["eth0", "eth1"] }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"a deny of one family by name is meant", two2(`{ allow = "http" }`, `{ deny = "http", family = "ipv4" }`), ""},
		{"shadowed in its family", two2(`{ allow = "http", family = "ipv4" }`, `{ deny = "http", from = "0.0.0.0/0" }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"a deny that ends is meant", two2(`{ allow = "http" }`, `{ deny = "http", expires = 2027-01-31 }`), ""},
		{"a deny that ends before", two2(`{ allow = "http", expires = 2027-02-01 }`, `{ deny = "http", expires = 2027-01-31 }`), ""},
		{"shadowed until both end", two2(`{ allow = "http", expires = 2027-01-31 }`, `{ deny = "http", expires = 2027-01-31 }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"ssh shadowed opens nothing", two2(`{ allow = "ssh" }`, `{ deny = "ssh" }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"all but ssh", two2(`{ allow = "all" }`, `{ deny = "ssh" }`), ""},
		{"ssh for a while", two2(`{ allow = "ssh" }`, `{ deny = "ssh", expires = 2027-01-31 }`), `8: the rule opens SSH (port 22) to every address`},
		{"shadowed by all", two2(`{ allow = "http", from = "10.0.0.1" }`, `{ deny = "all", from = "10.0.0.0/24" }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"ping shadowed", two2(`{ allow = "ping" }`, `{ deny = "ping" }`), `8: the allow is shadowed, the deny at fleet.toml:10:8 wins`},
		{"a deny of some sources is meant", two2(`{ allow = "http" }`, `{ deny = "all", from = "10.0.0.0/24" }`), ""},
		{"a deny of one family is meant", two2(`{ allow = "http" }`, `{ deny = "all", from = "0.0.0.0/0" }`), ""},
		{"a deny of another service", two2(`{ allow = "http" }`, `{ deny = "https" }`), ""},
		{"a deny of another local address", two2(`{ allow = "http" }`, `{ deny = "http", to = "10.0.0.1" }`), ""},

		{"ssh from any", "[hosts.a]\nroles = [\"x\"]\n[hosts.b]\nroles = [\"x\"]\n[roles.x]\nin = [ { allow = [\"http\", \"ssh\"] } ]", `10: the rule opens SSH (port 22) to every address`},
		{"ssh from all of IPv4", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nin = [ { allow = \"ssh\", from = \"0.0.0.0/0\" } ]", `8: the rule opens SSH (port 22) to every address`},
		{"all from any", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nin = [ { allow = \"all\" } ]", `8: the rule opens SSH (port 22) to every address`},
		{"the port sshd really has", "[hosts.a]\nssh = { port = 2222 }\nroles = [\"x\"]\n[roles.x]\nin = [ { allow = [\"ssh\", \"tcp/2000-3000\"] } ]", lines(`9: the rule opens SSH (port 2222) to every address`, `9: the rule opens port 22, but sshd listens on 2222 on host a`)},
		{"ssh from somewhere", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nin = [ { allow = \"ssh\", from = \"192.0.2.0/24\" } ]", ""},

		{"outbound closed", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\noutbound = \"drop\"", ""},
		{"outbound closed, dns somewhere", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\noutbound = \"reject\"\nout = [ { allow = \"dns\", to = \"10.0.0.1\" }, { deny = \"ntp\" } ]", ""},
		{"outbound closed, dns nowhere", "[hosts.a]\nroles = [\"x\"]\n[hosts.b]\nroles = [\"x\"]\n[roles.x]\noutbound = \"drop\"\nout = [ { allow = \"dns\", to = \"set:none\" } ]\n[sets.none]\nallow_empty = true", `10: outbound is drop and no rule allows dns out on hosts a,b`},
		{"outbound closed, both nowhere", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\noutbound = \"reject\"\nout = [ { allow = [\"dns\", \"ntp\"], to = \"role:db\", allow_empty = true } ]", `8: outbound is reject and no rule allows dns and ntp out on host a`},
		{"outbound closed, dns over tcp alone", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\noutbound = \"reject\"\nout = [ { allow = \"tcp/53\" } ]", `8: outbound is reject and no rule allows dns out on host a`},
		{"outbound closed, dns nowhere and yet by all", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\noutbound = \"reject\"\nout = [ { allow = \"dns\", to = \"set:none\" }, { allow = \"all\", to = \"10.0.0.1\" } ]\n[sets.none]\nallow_empty = true", ""},
		{"outbound open, dns nowhere", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nout = [ { allow = \"dns\", to = \"set:none\" } ]\n[sets.none]\nallow_empty = true", ""},
		{"an allow that limits what goes out", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nout = [ { allow = \"smtp\", rate = \"5/min global\" }, { deny = \"dns\" } ]", ``},
		{"an allow that does nothing", "[hosts.a]\nroles = [\"x\"]\n[roles.x]\nout = [ { allow = \"dns\" }, { deny = \"smtp\" } ]", `8: this allow does nothing, outbound accepts everything`},
		{"an allow that one host needs", "[hosts.a]\nroles = [\"x\"]\n[hosts.b]\nroles = [\"x\"]\noutbound = \"reject\"\n[roles.x]\nout = [ { allow = [\"dns\", \"ntp\"] } ]", ""},

		{"a family left out", "[hosts.a]\nroles = [\"x\"]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\n[hosts.b]\nroles = [\"web\"]\naddresses = [\"10.0.0.2\"]\n[roles.x]\nin = [ { allow = \"http\", from = \"role:web\" } ]", `12: role:web has IPv4 addresses only, over IPv6 the rule does nothing`},
		{"a family left out by to", "[hosts.a]\nroles = [\"web\"]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\nin = [ { allow = \"http\", from = \"role:web\", to = \"host:b\" } ]\n[hosts.b]\nroles = [\"web\"]\naddresses = [\"10.0.0.2\"]", `8: host:b has IPv4 addresses only, over IPv6 the rule does nothing`},
		{"a family nobody has", "[hosts.a]\nroles = [\"x\"]\naddresses = [\"10.0.0.1\"]\n[hosts.b]\nroles = [\"web\"]\naddresses = [\"10.0.0.2\"]\n[roles.x]\nin = [ { allow = \"http\", from = \"role:web\" } ]", ""},
		{"both families by two peers", "[hosts.a]\nroles = [\"x\"]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\n[hosts.b]\nroles = [\"web\"]\naddresses = [\"10.0.0.2\"]\n[roles.x]\nin = [ { allow = \"http\", from = [\"role:web\", \"fd00::/64\"] } ]", ""},

		{"db opens nothing", "[hosts.a]\nroles = [\"db\"]\n[hosts.b]\nroles = [\"db\"]", `6: role "db" opens nothing on hosts a,b`},
		{"monitoring opens nothing", "[hosts.a]\nroles = [\"web\", \"monitoring\"]", `6: role "monitoring" opens nothing on host a`},
		{"db with a port in a role of its own", "[hosts.a]\nroles = [\"db\", \"pg\"]\n[roles.pg]\nin = [ { allow = \"postgres\", from = \"10.0.0.0/24\" } ]", ""},
		{"db with a port", "[hosts.a]\nroles = [\"db\"]\n[roles.db]\nextends = \"db\"\nin = [ { allow = \"postgres\", from = \"10.0.0.0/24\" } ]", ""},
		{"base is to open nothing", "[hosts.a]\nroles = [\"base\"]", ""},
		{"db with a port of the host", "[hosts.a]\nroles = [\"db\"]\nin = [ { allow = \"postgres\", from = \"10.0.0.0/24\" } ]", ""},
		{"a role by extension", "[hosts.s]\nroles = [\"shop\"]\naddresses = [\"10.0.0.1\"]\n[hosts.w]\nroles = [\"web\"]\naddresses = [\"10.0.0.2\"]\n[hosts.d]\nroles = [\"x\"]\n[roles.shop]\nextends = \"web\"\n[roles.x]\nin = [ { deny = \"all\", from = \"role:web\" } ]", `16: role:web does not stand for host s, whose role only extends it`},
		{"a role by extension and by name", "[hosts.s]\nroles = [\"shop\", \"web\"]\naddresses = [\"10.0.0.1\"]\n[hosts.d]\nroles = [\"x\"]\n[roles.shop]\nextends = \"web\"\n[roles.x]\nin = [ { deny = \"all\", from = \"role:web\" } ]", ""},
		{"no ping", "[hosts.a]\nroles = [\"web\"]\nping = false", `7: host a will not answer ping`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems := Check(load(t, prelude+tt.fleet+"\n"))
			if got := found(problems, inventory.Error); got != "" {
				t.Fatalf("errors:\n%s", got)
			}
			if got := found(problems, inventory.Warning); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestLintManagementFamily(t *testing.T) {
	problems := Check(load(t, strings.Replace(prelude, `, "fd00::/8"`, ``, 1)+"[hosts.a]\nroles = [\"web\"]\naddresses = [\"10.0.0.1\", \"fd00::1\"]\n"))
	want := `2: management.from has no IPv6 address, but host a can be reached over IPv6`
	if got := found(problems, inventory.Warning); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// two2 is a host with two roles of one rule each.
func two2(a, b string) string {
	return "[hosts.a]\nroles = [\"a\", \"b\"]\n[roles.a]\nin = [ " + a + " ]\n[roles.b]\nin = [ " + b + " ]"
}
