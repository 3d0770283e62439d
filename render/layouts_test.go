package render_test

import (
	"strings"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// layouts are tables to be replaced and to replace: renderings that differ in
// their sets and chains, and tables that somebody made by hand or an older or
// newer fwpush left.
func layouts(t failer) map[string]render.Ruleset {
	rendered := func(change ...func(*roles.Policy)) render.Ruleset {
		rs, err := render.Nftables(base(change...))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return rs
	}
	foreign := func(blocks ...string) render.Ruleset {
		return render.Ruleset{Text: "add table inet fwpush\ndelete table inet fwpush\ntable inet fwpush {\n" + strings.Join(blocks, "") + "}\n"}
	}
	set := func(name, typ, flags, element string) string {
		return "\tset " + name + " {\n\t\ttype " + typ + "\n\t\tflags " + flags + "\n\t\telements = { " + element + " }\n\t}\n"
	}
	chain := func(name string, lines ...string) string {
		return "\tchain " + name + " {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}\n"
	}
	const input = "type filter hook input priority filter - 10; policy drop;"
	return map[string]render.Ruleset{
		"defaults": rendered(),
		"set moves": rendered(func(p *roles.Policy) { // s_ops4 with other elements, h_db1_4
			p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(ops)}, {Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(22)}, From: peers(db1)}}
		}),
		"set grows": rendered(func(p *roles.Policy) {
			p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(roles.SetPeer, "ops", "192.0.2.0/24", "198.51.100.16/28"))}}
		}),
		"closed": rendered(func(p *roles.Policy) { p.Outbound = inventory.Reject }),
		"denies": rendered(func(p *roles.Policy) {
			p.Inbound = inventory.Reject
			p.In = []roles.Rule{{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(25)}, From: peers(ops)}}
		}),
		"empty table": foreign(),
		"input only":  foreign(chain("input", input, "accept")),
		"other priority": foreign(set("s_ops4", "ipv4_addr", "interval", "10.0.0.0/8"),
			chain("input", "type filter hook input priority filter; policy accept;", "ip saddr @s_ops4 accept")),
		"other set type":  foreign(set("s_ops4", "ipv6_addr", "interval", "2001:db8::/32"), chain("input", input, "ip6 saddr @s_ops4 accept")),
		"other set flags": foreign(set("s_ops4", "ipv4_addr", "constant", "10.0.0.1"), chain("input", input, "ip saddr @s_ops4 accept")),
		"three chains": foreign(chain("input", input, "accept"),
			chain("output", "type filter hook output priority filter - 10; policy accept;", "accept"),
			chain("forward", "type filter hook forward priority filter - 10; policy accept;", "accept")),
		"base and regular change places": foreign(chain("icmp_in", "type filter hook input priority filter - 10; policy accept;", "accept"),
			chain("input", "accept"), chain("output", "jump input")),
		"jumps": foreign(chain("sub", "accept"), chain("sub2", "jump sub"), chain("input", input, "jump sub2")),
		"a map": foreign("\tmap m {\n\t\ttype ipv4_addr : verdict\n\t\telements = { 10.0.0.1 : jump sub }\n\t}\n",
			chain("sub", "accept"), chain("input", input, "ip saddr vmap @m")),
		"a counter": foreign("\tcounter c {\n\t}\n", chain("input", input, "counter name c")),
		"a dynamic set": foreign("\tset d_ssh4 {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic\n\t\ttimeout 2m\n\t}\n",
			chain("input", input, "tcp dport 22 ct state new update @d_ssh4 { ip saddr limit rate over 6/minute burst 3 packets } counter drop", "accept")),
	}
}
