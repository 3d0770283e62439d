package roles

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/inventory"
)

// told writes findings as "line:column key: severity: message; hint", one a line.
func told(fleet *inventory.Fleet, ps inventory.Problems) string {
	var list []string
	for _, p := range fleet.Annotate(ps) {
		s := fmt.Sprintf("%d:%d %s: %s%s", p.Place.Line, p.Place.Col, p.Key, map[inventory.Severity]string{inventory.Warning: "warning: ", inventory.Note: "note: "}[p.Severity], p.Msg)
		if p.Hint != "" {
			s += "; " + p.Hint
		}
		list = append(list, s)
	}
	return strings.Join(list, "\n")
}

// Each text has one mistake that only shows when names are resolved, and gets one
// finding. Rows are numbered as classes of mistakes are in docs/testing.md.
func TestBadInputs(t *testing.T) {
	const web = "[hosts.web1]\nroles = [\"web\"]\naddresses = { wan = [\"203.0.113.11\"] }\n" // from line 5
	for _, tt := range []struct{ name, fleet, want string }{
		{"15 any in management", "version = 1\n[management]\nfrom = \"any\"\n\n" + web + "\n",
			`3:8 management.from: management.from admits every address; name the networks of the administrators, or write allow_any = true in [management]`},
		{"15 0.0.0.0/0 in management", "version = 1\n[management]\nfrom = [\"10.0.0.1\", \"0.0.0.0/0\"]\n\n" + web + "\n",
			`3:21 management.from[1]: management.from admits every address; name the networks of the administrators, or write allow_any = true in [management]`},
		{"15 any in management by a set", "version = 1\n[management]\nfrom = \"set:w\"\n\n" + web + "[sets.w]\naddresses = \"0.0.0.0/0\"\n",
			`3:8 management.from: management.from admits every address; name the networks of the administrators, or write allow_any = true in [management]`},
		{"41 published on a node of Kubernetes", web + "coexist = [\"docker\", \"kube-proxy\"]\npublished = []\n",
			`8:22 hosts.web1.coexist[1]: host "web1" runs kube-proxy and has rules of published, which would cut off the services of the cluster; say in a NetworkPolicy who may reach them, and take published out`},
		{"17 empty set", web + "[sets.adm]\naddresses = []\n",
			`8:7 sets.adm: set "adm" is empty; add addresses, or allow_empty = true to leave out the rules that name it`},
		{"17 empty set that a rule names", web + "in = [ { allow = \"ssh\", from = \"set:adm\" } ]\n[sets.adm]\n",
			`9:7 sets.adm: set "adm" is empty; add addresses, or allow_empty = true to leave out the rules that name it`},
		{"23 role unknown", "[hosts.web1]\nroles = \"wbe\"\n",
			`6:9 hosts.web1.roles: role "wbe" not defined; did you mean "web"?`},
		{"23 role unknown to extend", web + "[roles.web]\nextends = \"bastoin\"\n",
			`9:11 roles.web.extends: role "bastoin" not defined; did you mean "bastion"?`},
		{"23 role unknown in a rule", web + "in = [ { allow = \"ssh\", from = \"role:bastoin\" } ]\n",
			`8:32 hosts.web1.in[0].from: role "bastoin" not defined; did you mean "bastion"?`},
		{"23 role unknown in raw", web + "[[raw]]\nroles = \"wbe\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"accept\"\n",
			`9:9 raw[0].roles: role "wbe" not defined; did you mean "web"?`},
		{"23 role unknown in serial", web + "[rollout]\nserial = \"wbe\"\n",
			`9:10 rollout.serial: role "wbe" not defined; did you mean "web"?`},
		{"24 role cycle a→b→a", "[hosts.web1]\nroles = \"a\"\n[roles.a]\nextends = \"b\"\n[roles.b]\nextends = \"a\"\n",
			`10:11 roles.b.extends: cycle: a → b → a; take one of these roles out of extends`},
		{"24 role cycle of one", "[hosts.web1]\nroles = \"a\"\n[roles.a]\nextends = \"a\"\n",
			`8:11 roles.a.extends: cycle: a → a; take one of these roles out of extends`},
		{"26 two roles allow and deny one port", "[hosts.web1]\nroles = [\"a\", \"b\"]\n[roles.a]\nin = [ { allow = \"http\" } ]\n[roles.b]\nin = [ { deny = \"http\" } ]\n",
			`8:8 roles.a.in[0]: warning: the allow is shadowed, the deny at fleet.toml:10:8 wins; narrow one of the two`},
		{"29 two sets that are one name", web + "[sets.a-b]\naddresses = \"10.0.0.1\"\n[sets.a_b]\naddresses = \"10.0.0.2\"\n",
			`10:7 sets.a_b: set "a_b" and "a-b" (fleet.toml:8:7) are one name in a ruleset; rename one of them`},
		{"29 two services that are one name", web + "[services.a-b]\ntcp = 1\n[services.a_b]\ntcp = 2\n",
			`10:11 services.a_b: service "a_b" and "a-b" (fleet.toml:8:11) are one name in a ruleset; rename one of them`},
		{"29 two groups that are one name", web + "[groups.a-b]\nhosts = \"web1\"\n[groups.a_b]\nhosts = \"web1\"\n",
			`10:9 groups.a_b: group "a_b" and "a-b" (fleet.toml:8:9) are one name in a ruleset; rename one of them`},
		{"29 two nets that are one name", "[hosts.web1]\nroles = \"web\"\naddresses = { a-b = \"10.0.0.1\", a_b = \"10.0.0.2\" }\n",
			`7:33 hosts.web1.addresses.a_b: net "a_b" and "a-b" (fleet.toml:7:15) are one name in a ruleset; rename one of them`},
		{"46 raw without text for iptables", web + "backend = \"iptables\"\n[[raw]]\nhosts = \"web1\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"accept\"\n",
			`9:3 raw[0]: raw lacks text for iptables, which web1 runs; write iptables and ip6tables`},
		{"46 raw at table with iptables", web + "backend = \"iptables\"\n[[raw]]\nhosts = \"web1\"\nat = \"table\"\nnft = \"counter x_c {\\u000a}\"\n",
			`9:3 raw[0]: raw at table cannot be had with iptables, which web1 runs; name other hosts`},
		{"46 raw without text for nftables", web + "[[raw]]\nhosts = \"web1\"\nat = \"before-allow\"\nchain = \"input\"\niptables = \"-j ACCEPT\"\nip6tables = \"-j ACCEPT\"\n",
			`8:3 raw[0]: raw has no text for nftables, which web1 may run; write nft, or backend = "iptables" for the host`},
		{"46 helper with iptables", web + "backend = \"iptables\"\nin = [ { allow = \"x\" } ]\n[services.x]\ntcp = 2121\nhelper = \"ftp\"\n",
			`9:8 hosts.web1.in[0]: helper ftp of a service cannot be had with iptables, which web1 runs; change it, or write backend = "nftables" for the host`},
		{"46 end of a rule with iptables", web + "backend = \"iptables\"\nin = [ { allow = \"http\", expires = 2038-01-19 } ]\n",
			`9:8 hosts.web1.in[0]: expires cannot be later than 2038-01-18 with iptables, which web1 runs; change it, or write backend = "nftables" for the host`},
		{"45 service unknown", web + "in = [ { allow = \"htpps\" } ]\n",
			`8:18 hosts.web1.in[0].allow: service "htpps" not defined; did you mean "https"?`},
		{"45 icmp as a service", web + "in = [ { allow = \"icmp\" } ]\n",
			`8:18 hosts.web1.in[0].allow: service "icmp" not defined; what connections need of ICMP is always let through; an echo request is "ping", other types stand in a service with icmp = [...]`},
		{"set unknown", web + "in = [ { allow = \"ssh\", from = \"set:osp\" } ]\n[sets.ops]\naddresses = \"10.0.0.1\"\n",
			`8:32 hosts.web1.in[0].from: set "osp" not defined; did you mean "ops"?`},
		{"set of an unknown set", web + "[sets.ops]\naddresses = [\"set:osp\", \"10.0.0.1\"]\n",
			`9:14 sets.ops.addresses[0]: set "osp" not defined; did you mean "ops"?`},
		{"set of itself", web + "[sets.a]\naddresses = \"set:a\"\n",
			`9:13 sets.a.addresses: cycle: a → a; take one of these references out`},
		{"set cycle", web + "[sets.a]\naddresses = [\"10.0.0.1\", \"set:b\"]\n[sets.b]\naddresses = \"set:a\"\n",
			`11:13 sets.b.addresses: cycle: a → b → a; take one of these references out`},
		{"set of an unknown host", web + "[sets.a]\naddresses = \"host:wbe1\"\n",
			`9:13 sets.a.addresses: host "wbe1" not defined; did you mean "web1"?`},
		{"set of a role without hosts", web + "[sets.a]\naddresses = \"role:db\"\n",
			`9:13 sets.a.addresses: no host has role "db"; give it to a host, or write allow_empty = true beside it to leave it out until then`},
		{"set of an unknown net", web + "[sets.a]\naddresses = \"host:web1@lan\"\n",
			`9:13 sets.a.addresses: host "web1" has no net "lan"; did you mean "wan"?`},
		{"set of an unknown group", web + "[sets.a]\naddresses = \"group:x\"\n",
			`9:13 sets.a.addresses: group "x" not defined; the file defines no group`},
		{"service that includes itself", web + "[services.a]\ninclude = \"a\"\n",
			`9:11 services.a.include: cycle: a → a; take one of these services out of include`},
		{"service cycle", web + "[services.a]\ninclude = \"b\"\n[services.b]\ninclude = \"a\"\n",
			`11:11 services.b.include: cycle: a → b → a; take one of these services out of include`},
		{"service that includes nothing known", web + "[services.a]\ninclude = \"htpp\"\n",
			`9:11 services.a.include: service "htpp" not defined; did you mean "http"?`},
		{"service with what it includes", web + "[services.a]\ntcp = 80\ninclude = \"http\"\n",
			`10:11 services.a.include: service "a" has what it includes of "http" already; take it out of one of the two`},
		{"service that includes one thing twice", web + "[services.a]\ninclude = [\"b\", \"http\"]\n[services.b]\ntcp = 80\n",
			`9:17 services.a.include[1]: service "a" has what it includes of "http" already; take it out of one of the two`},
		{"service of a built-in name", web + "[services.http]\ntcp = 8080\n",
			`8:11 services.http: service "http" is built in; choose another name, or write override = true to replace it`},
		{"service that overrides nothing", web + "[services.a]\ntcp = 80\noverride = true\n",
			`8:11 services.a: service "a" overrides nothing: no built-in service has that name; leave override out`},
		{"group unknown", web + "in = [ { allow = \"ssh\", from = \"group:x\" } ]\n",
			`8:32 hosts.web1.in[0].from: group "x" not defined; the file defines no group`},
		{"group of nobody", web + "in = [ { allow = \"ssh\", from = \"group:x\" } ]\n[groups.x]\nmatch = { env = \"prod\" }\n",
			`8:32 hosts.web1.in[0].from: no host is in group "x"; add one, or write allow_empty = true beside it to leave it out until then`},
		{"group of an unknown host", web + "[groups.x]\nhosts = [\"web1\", \"wbe2\"]\n",
			`9:18 groups.x.hosts[1]: no host matches "wbe2"; did you mean "web1"?`},
		{"group of an unknown role", web + "[groups.x]\nhosts = [\"web1\", \"role:wbe\"]\n",
			`9:18 groups.x.hosts[1]: role "wbe" not defined; did you mean "web"?`},
		{"alias that a host lacks", "[hosts.a]\nroles = \"x\"\nifaces.wan = \"eth0\"\n[hosts.b]\nroles = \"x\"\n[roles.x]\nin = [ { allow = \"http\", iface = \"wan\" } ]\n",
			`8:8 hosts.b: host "b" has no interface for "wan", but the rule at fleet.toml:11:34 needs it; write ifaces = { wan = "NAME" } in [hosts.b]`},
		{"alias that a host lacks in forward", "[hosts.a]\nroles = \"web\"\nifaces.wan = \"eth0\"\n[hosts.b]\nroles = \"web\"\nforward = [ { allow = \"http\", out_iface = \"wan\" } ]\n",
			`8:8 hosts.b: host "b" has no interface for "wan", but the rule at fleet.toml:10:43 needs it; write ifaces = { wan = "NAME" } in [hosts.b]`},
		{"alias that a host lacks in nat", "[hosts.a]\nroles = \"web\"\nifaces.wan = \"eth0\"\n[hosts.b]\nroles = \"web\"\nnat = [ { masquerade = true, family = \"ipv4\", out_iface = \"wan\" } ]\n",
			`8:8 hosts.b: host "b" has no interface for "wan", but the rule at fleet.toml:10:59 needs it; write ifaces = { wan = "NAME" } in [hosts.b]`},
		{"family that the peers lack", web + "in = [ { allow = \"ssh\", from = \"10.0.0.1\", family = \"ipv6\" } ]\n",
			`8:8 hosts.web1.in[0]: the rule matches nothing: from and to have no ipv6 address in common with family`},
		{"family that the service lacks", web + "in = [ { allow = \"x\", family = \"ipv4\" } ]\n[services.x]\nicmpv6 = \"echo-request\"\n",
			`8:8 hosts.web1.in[0]: the rule matches nothing: its services are of one address family, and from, to or family of the other`},
		{"families that have nothing in common", web + "forward = [ { allow = \"http\", from = \"10.0.0.1\", to = \"fd00::1\" } ]\n",
			`8:13 hosts.web1.forward[0]: the rule matches nothing: from and to have no address family in common`},
		{"max_conns of UDP", web + "in = [ { allow = \"dns\", max_conns = 5 } ]\n",
			`8:37 hosts.web1.in[0].max_conns: max_conns is for TCP; make a rule of its own for the TCP services`},
		{"max_conns of all", web + "in = [ { allow = \"all\", from = \"10.0.0.1\", max_conns = 5 } ]\n",
			`8:56 hosts.web1.in[0].max_conns: max_conns is for TCP; make a rule of its own for the TCP services`},
		{"rule name twice", web + "in = [ { allow = \"http\", name = \"x\" }, { allow = \"https\", name = \"x\" } ]\n",
			`8:40 hosts.web1.in[1]: rule name "x" is taken on web1 (fleet.toml:8:8); rename one of the two`},
		{"rule name twice but for a dash", web + "in = [ { allow = \"http\", name = \"x-y\" } ]\nout = [ { deny = \"https\", name = \"x_y\" } ]\n",
			`9:9 hosts.web1.out[0]: rule name "x_y" is taken on web1 (fleet.toml:8:8); rename one of the two`},
		{"expired rule", web + "in = [ { allow = \"tcp/81\", expires = 1999-12-31 } ]\n",
			`8:38 hosts.web1.in[0].expires: warning: the rule expired on 1999-12-31 and is left out; take it out, or give it a later date`},
		{"dport of ping", web + "nat = [ { redirect = 80, dport = \"ping\" } ]\n",
			`8:34 hosts.web1.nat[0].dport: dport takes services that are ports; name them, or write tcp/443`},
		{"dport of all", web + "nat = [ { redirect = 80, dport = \"all\" } ]\n",
			`8:34 hosts.web1.nat[0].dport: dport takes services that are ports; name them, or write tcp/443`},
		{"dport unknown", web + "nat = [ { redirect = 80, dport = \"htpp\" } ]\n",
			`8:34 hosts.web1.nat[0].dport: service "htpp" not defined; did you mean "http"?`},
		{"dnat of no family", web + "nat = [ { dnat = true, to_addr = \"10.0.0.1\", dport = \"http\", from = \"fd00::1\" } ]\n",
			`8:9 hosts.web1.nat[0]: the entry of nat matches nothing: from, to and what they are translated to have no address family in common`},
		{"nat from an unknown set", web + "nat = [ { snat = \"10.0.0.1\", from = \"set:lan\" } ]\n",
			`8:37 hosts.web1.nat[0].from: set "lan" not defined; the file defines no set`},
		{"raw for nobody", web + "[[raw]]\nhosts = \"db*\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"accept\"\n",
			`9:9 raw[0].hosts: no host matches "db*"`},
		{"raw for hosts that get no rules", web + "[hosts.b]\nunmanaged = true\n[[raw]]\nhosts = \"b\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"accept\"\n",
			`10:3 raw[0]: warning: raw reaches no host; give a host one of its roles, or name hosts that get rules`},
		{"raw for a role without hosts", web + "[[raw]]\nroles = [\"db\", \"base\"]\nat = \"before-allow\"\nchain = \"input\"\nnft = \"accept\"\n",
			`8:3 raw[0]: warning: raw reaches no host; give a host one of its roles, or name hosts that get rules`},
		{"raw for a forward list that is not there", web + "[[raw]]\nroles = \"web\"\nat = \"before-allow\"\nchain = \"forward\"\nnft = \"accept\"\n",
			`8:3 raw[0]: raw is for the chain forward, and web1 has no forward list; write forward = [] for it, which refuses what no rule lets through, or name other hosts`},
		{"host without a role but with rules", "[hosts.web1]\nin = [ { allow = \"http\" } ]\n",
			`5:8 hosts.web1: warning: host web1 has no role; beside management only what the host itself and [defaults] say applies there`},
		{"probe from an unknown host", web + "probe = [ { tcp = 80, from = \"host:mon1\" } ]\n",
			`8:30 hosts.web1.probe[0].from: host "mon1" not defined`},
		{"test from an unknown host", web + "[[tests]]\nfrom = \"host:wbe1\"\nto = \"host:web1\"\ndeny = \"ssh\"\n",
			`9:8 tests[0].from: host "wbe1" not defined; did you mean "web1"?`},
		{"test of an unknown service", web + "[[tests]]\nfrom = \"internet\"\nto = \"host:web1\"\ndeny = \"shs\"\n",
			`11:8 tests[0].deny: service "shs" not defined; did you mean "ssh"?`},
		{"test via an unknown host", web + "[[tests]]\nfrom = \"internet\"\nto = \"host:web1\"\ndeny = \"ssh\"\nvia = \"gw1\"\n",
			`12:7 tests[0].via: host "gw1" not defined`},
		{"test via an unmanaged host", web + "[[tests]]\nfrom = \"internet\"\nto = \"host:web1\"\ndeny = \"ssh\"\nvia = \"gw1\"\n[hosts.gw1]\nunmanaged = true\nroles = \"web\"\n",
			`12:7 tests[0].via: host "gw1" is unmanaged and has no forward rules to ask; leave via out, or name a host that gets rules`},
		{"test from the controller nobody knows", web + "[[tests]]\nfrom = \"controller\"\nto = \"host:web1\"\ndeny = \"http\"\n",
			`9:8 tests[0].from: the file does not say where the controller is; write controller = ["ADDRESS"] in [management]`},
		{"test from a role without hosts", web + "[[tests]]\nfrom = \"role:base\"\nto = \"host:web1\"\ndeny = \"http\"\n",
			`9:8 tests[0].from: no host has role "base"; give it to a host, or take the test out until then`},
		{"test to a group of nobody", web + "[groups.x]\nmatch = { env = \"prod\" }\n[[tests]]\nfrom = \"internet\"\nto = \"group:x\"\ndeny = \"http\"\n",
			`12:6 tests[0].to: no host is in group "x"; add one, or take the test out until then`},
		{"role without hosts in management", "version = 1\n[management]\nfrom = [\"10.0.0.0/8\", \"fd00::/8\", \"role:base\"]\n" + web,
			`3:35 management.from[2]: no host has role "base"; give it to a host, or take it out of management.from until then`},
		{"test via an unknown interface", web + "forward = []\nifaces = { wan = \"eth0\" }\n[[tests]]\nfrom = \"internet\"\nto = \"10.0.0.9\"\ndeny = \"ssh\"\nvia = \"web1\"\nin_iface = \"wam\"\nout_iface = \"eth1.100\"\n",
			"15:12 tests[0].in_iface: host \"web1\" has no interface \"wam\"; did you mean \"wan\"?\n16:13 tests[0].out_iface: host \"web1\" has no interface \"eth1.100\"; its interfaces are wan (eth0)"},
		{"test to an unknown interface", web + "ifaces = { wan = \"eth0\" }\n[[tests]]\nfrom = \"internet\"\nto = \"role:web\"\ndeny = \"ssh\"\nin_iface = \"wam\"\n",
			`13:12 tests[0].in_iface: host "web1" has no interface "wam"; did you mean "wan"?`},
		{"test of an interface by its name", web + "ifaces = { wan = \"eth0\" }\n[[tests]]\nfrom = \"internet\"\nto = \"role:web\"\ndeny = \"ssh\"\nin_iface = \"eth0\"\n", ""},
		{"test of an interface of a host that lists none", web + "[[tests]]\nfrom = \"internet\"\nto = \"role:web\"\ndeny = \"ssh\"\nin_iface = \"eth7\"\n", ""},
		{"test of an interface of nobody", web + "[[tests]]\nfrom = \"host:web1\"\nto = \"internet\"\ndeny = \"ssh\"\nin_iface = \"eth7\"\n",
			`12:12 tests[0].in_iface: nobody has the interface "eth7": there is no via, and nobody in to is a host that gets rules; leave it out, or write via`},
		{"test of no family", web + "[[tests]]\nfrom = \"fd00::1\"\nto = \"host:web1\"\ndeny = \"ssh\"\n",
			`8:3 tests[0]: the test asks nothing: from and to have no address family in common`},
		{"canary that nobody matches", web + "[rollout]\ncanary = \"db*\"\n",
			`9:10 rollout.canary: no host matches "db*"`},
		{"canary of an unknown role", web + "[rollout]\ncanary = \"role:wbe\"\n",
			`9:10 rollout.canary: role "wbe" not defined; did you mean "web"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.fleet
			if !strings.HasPrefix(text, "version") {
				text = prelude + text
			}
			fleet := load(t, text)
			fleet.ReadAt = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
			if got := told(fleet, Check(fleet)); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s\nin:\n%s", got, tt.want, text)
			}
		})
	}
}
