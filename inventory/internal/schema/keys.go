package schema

import (
	"maps"
	"slices"
	"time"
)

// tables is every table and key of the fleet file.
var tables = [...]Table{
	{"", "the fleet file", []Key{
		{Name: "version", Type: Integer, Required: true, Doc: "write 1: the version of the language of this file"},
		{Name: "fleet", Type: String, Default: `"default"`, Doc: "name of the fleet, stamped on each host; another fleet's hosts are refused"},
		{Name: "include", Type: Strings, Default: "[]", Doc: "further files, beside this one or below; * and ? stand for parts of a name"},
		{Name: "defaults", Type: Sub, Table: "defaults", Doc: "what every host gets unless it says otherwise"},
		{Name: "management", Type: Sub, Table: "management", Required: true, Doc: "who may always reach SSH"},
		{Name: "rollout", Type: Sub, Table: "rollout", Doc: "how a run walks through the fleet"},
		{Name: "sets", Type: Named, Table: "sets.NAME", Doc: "named lists of addresses"},
		{Name: "services", Type: Named, Table: "services.NAME", Doc: "named lists of ports and protocols, beside the built-in ones"},
		{Name: "hosts", Type: Named, Table: "hosts.NAME", Doc: "the machines"},
		{Name: "groups", Type: Named, Table: "groups.NAME", Doc: "named groups of hosts"},
		{Name: "roles", Type: Named, Table: "roles.NAME", Doc: "named lists of rules that hosts have in common"},
		{Name: "raw", Type: Tables, Table: "raw", Default: "[]", Doc: "text for a backend as it is, written as [[raw]]"},
		{Name: "tests", Type: Tables, Table: "tests", Default: "[]", Doc: "what must be allowed and denied, asked before every push, written as [[tests]]"},
	}},
	{"defaults", "what every host gets unless it or one of its roles says otherwise", join([]Key{
		{Name: "roles", Type: Strings, Default: "[]", Doc: "roles of every host, before its own"},
		{Name: "ssh", Type: Sub, Table: "defaults.ssh", Doc: "how hosts are reached; each host may override each key"},
	}, hostKeys, settingKeys)},
	{"defaults.ssh", "how hosts are reached", join([]Key{
		{Name: "address", Type: String, Doc: "where a host is dialled", Refused: "each host has an address of its own"},
	}, sshKeys)},
	{"management", "the lock-out guard: who may always reach SSH", []Key{
		{Name: "from", Type: Strings, Required: true, NotEmpty: true, Doc: `addresses, prefixes, ranges, set:, host:, role: and group: references, the last three with @net`},
		{Name: "controller", Type: Strings, Default: "the jump gone through, or the local address of the route", NotEmpty: true, Doc: "where pushes come from as the hosts see it"},
		{Name: "failsafe_ports", Type: Integers, Min: 1, Max: 65535, Default: "[]", Doc: "ports open to management beside those of sshd"},
		{Name: "allow_any", Type: Bool, Default: "false", Doc: `lets from hold every address`},
	}},
	{"rollout", "how a run walks through the fleet", []Key{
		{Name: "window", Type: Duration, Default: `"2m"`, Min: int64(MinWindow / time.Second), Max: 3600, Doc: "a change that is not confirmed is reverted no earlier than this; longer than a connection to any host and its probes may take"},
		{Name: "parallel", Type: Integer, Default: "50", Min: 1, Max: 1024, Doc: "hosts worked on at a time"},
		{Name: "canary", Type: Strings, Default: "[]", Doc: "hosts that go first, by name or pattern; one that is not confirmed stops the run"},
		{Name: "waves", Type: Strings, Default: `["100%"]`, NotEmpty: true, Doc: "shares of the hosts of a run, cumulative, the last one 100%; each share is a wave"},
		{Name: "serial", Type: Strings, Default: "[]", Doc: "roles of which never two hosts go in one wave; hosts that others are reached through go last by themselves"},
		{Name: "max_failures", Type: Budget, Default: "0", Doc: "failed hosts that a run goes on after: a number or a share of its hosts; the next one stops it"},
		{Name: "max_unreachable", Type: Budget, Default: `"100%"`, Doc: "hosts that could not be reached before anything was applied, and that a run goes on after"},
		{Name: "soak", Type: Duration, Default: `"0s"`, Max: 3300, Doc: "time that a commit group runs its new rules, every host in and every probe passed, before it is confirmed"},
		{Name: "on_stop", Type: String, Values: []string{"keep", "rollback"}, Default: `"keep"`, Doc: "what becomes of confirmed hosts when the run stops"},
	}},
	{"sets.NAME", "a list of addresses of both families", []Key{
		{Name: "addresses", Type: Strings, Default: "[]", Doc: "addresses, prefixes, ranges such as 10.0.0.1-10.0.0.9, set:, host:, role: and group: references"},
		{Name: "file", Type: String, Doc: "file with more of them, one a line, # begins a comment; beside the fleet file or below"},
		{Name: "names", Type: Strings, Default: "[]", Doc: "DNS names, resolved where fwpush runs whenever rules are made; what they resolve to is printed"},
		{Name: "allow_empty", Type: Bool, Default: "false", Doc: "rules that name the set are left out while it is empty"},
	}},
	{"services.NAME", "a list of ports and protocols", []Key{
		{Name: "tcp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "TCP ports"},
		{Name: "udp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "UDP ports"},
		{Name: "sctp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "SCTP ports"},
		{Name: "icmp", Type: Strings, NotEmpty: true, Doc: "types of ICMP by name, such as echo-request"},
		{Name: "icmpv6", Type: Strings, NotEmpty: true, Doc: "types of ICMPv6 by name"},
		{Name: "proto", Type: Protos, Min: 1, Max: 255, NotEmpty: true, Doc: "protocols without ports, by name or number, such as gre, esp or 112"},
		{Name: "include", Type: Strings, NotEmpty: true, Doc: "services this one has all of"},
		{Name: "helper", Type: String, Values: slices.Sorted(maps.Keys(Helpers)), Doc: "connection tracking helper that the kernel runs for its ports; nftables only"},
		{Name: "override", Type: Bool, Default: "false", Doc: "replaces the built-in service of this name"},
	}},
	{"hosts.NAME", "one machine", join([]Key{
		{Name: "roles", Type: Strings, Default: "[]", Doc: "roles of the host, after those of [defaults]"},
		{Name: "addresses", Type: Nets, NotEmpty: true, Doc: "its addresses, by net if it has several; needed where a rule or a test refers to the host"},
		{Name: "shared", Type: Strings, Default: "[]", Doc: "those of its addresses that other hosts may have too, as a VIP"},
		{Name: "ifaces", Type: Words, Doc: "its interfaces by alias: the same word means another interface on another host"},
		{Name: "labels", Type: Words, Doc: "words to select the host by in [groups.NAME]"},
		{Name: "ssh", Type: Sub, Table: "hosts.NAME.ssh", Doc: "how the host is reached"},
		{Name: "sshd_ports", Type: Integers, Min: 1, Max: 65535, NotEmpty: true, Default: "ssh.port", Doc: "ports sshd listens on as the host sees them"},
		{Name: "unmanaged", Type: Bool, Default: "false", Doc: "only an entry of the address book: never pushed"},
	}, hostKeys, ruleKeys, settingKeys)},
	{"hosts.NAME.ssh", "how the host is reached", join([]Key{
		{Name: "address", Type: String, Default: "its first address, else its name", Doc: "where the host is dialled"},
	}, sshKeys)},
	{"groups.NAME", "hosts, listed or matched; with both keys the union", []Key{
		{Name: "hosts", Type: Strings, Default: "[]", Doc: "hosts by name or pattern, such as web[01-20] or role:web"},
		{Name: "match", Type: Words, Doc: "labels that a host must have, all of them"},
	}},
	{"roles.NAME", "rules and settings that hosts have in common", join([]Key{
		{Name: "extends", Type: Strings, Default: "[]", Doc: "roles this one builds on"},
	}, ruleKeys, settingKeys)},
	{ruleIn, "lets packets to the host in, or refuses them", join(Verbs, []Key{
		{Name: "from", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "who may connect: addresses, set:, host:, role: and group: references"},
		{Name: "to", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "which addresses of the host"},
		{Name: "iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces packets come by, an alias or a name"},
		{Name: "in_iface", Type: Strings, Doc: "interfaces packets come by", Refused: "write iface"},
		{Name: "out_iface", Type: Strings, Doc: "interfaces packets leave by", Refused: "packets in in do not leave the host; write iface"},
	}, conditionKeys, noteKeys)},
	{ruleOut, "lets packets from the host out, or refuses them", join(Verbs, []Key{
		{Name: "from", Type: Strings, Doc: "not in out", Refused: "packets in out come from the host; say where they go with to"},
		{Name: "to", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "where the host may connect: addresses, set:, host:, role: and group: references"},
		{Name: "iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces packets leave by, an alias or a name"},
		{Name: "in_iface", Type: Strings, Doc: "interfaces packets come by", Refused: "packets in out come from the host; write iface"},
		{Name: "out_iface", Type: Strings, Doc: "interfaces packets leave by", Refused: "write iface"},
	}, conditionKeys, noteKeys)},
	{ruleForward, "lets packets through the host, or refuses them", join(Verbs, []Key{
		{Name: "from", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "who may connect"},
		{Name: "to", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "to whom"},
		{Name: "in_iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces packets come by, an alias or a name"},
		{Name: "out_iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces packets leave by, an alias or a name"},
		{Name: "iface", Type: Strings, Doc: "one of the two", Refused: "a forwarded packet has two interfaces; write in_iface or out_iface"},
	}, conditionKeys, noteKeys)},
	{rulePublished, "lets connections to published ports pass, or refuses them; its ports are those of the host, not those in the container", join(Verbs, []Key{
		{Name: "from", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "who may connect"},
		{Name: "to", Type: Strings, Doc: "not in published", Refused: "whoever publishes a port says on which addresses"},
		{Name: "iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces packets come by, an alias or a name"},
		{Name: "in_iface", Type: Strings, Doc: "interfaces packets come by", Refused: "write iface"},
		{Name: "out_iface", Type: Strings, Doc: "interfaces packets leave by", Refused: "the bridge of containers may change; write iface, or leave it out"},
	}, conditionKeys, noteKeys)},
	{ruleNAT, "translates addresses of connections; exactly one of masquerade, snat, dnat and redirect", join([]Key{
		{Name: "masquerade", Type: Bool, Doc: "connections leave with the address of the interface they leave by"},
		{Name: "snat", Type: String, Doc: "connections leave with this address"},
		{Name: "dnat", Type: Bool, Doc: "connections go to to_addr instead; where forwarding is restricted, that is allowed too"},
		{Name: "redirect", Type: Integer, Min: 1, Max: 65535, Doc: "connections go to this port of the host itself, if an allow lets them in"},
		{Name: "to_addr", Type: String, Doc: `where dnat sends connections: an address, or with another port 10.0.0.5:8080 or [2001:db8::5]:8080`},
		{Name: "from", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "whose connections"},
		{Name: "to", Type: Strings, Default: `"any", for dnat the host's own addresses`, NotEmpty: true, Doc: "connections to whom"},
		{Name: "iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces connections come by, for dnat and redirect"},
		{Name: "out_iface", Type: Strings, Default: "any interface", NotEmpty: true, Doc: "interfaces connections leave by, for masquerade and snat"},
		{Name: "dport", Type: Strings, NotEmpty: true, Doc: "services the connections are for; needed for redirect and for dnat"},
		familyKey,
		{Name: "allow_empty", Type: Bool, Default: "false", Doc: "the entry is left out while a role or group it names has no host"},
		commentKey,
	})},
	{"probe", "what must work before a change is confirmed, exactly one of tcp, http, ssh and run; each is tried before the push too, and one that failed then is told and not counted", []Key{
		{Name: "tcp", Type: Integer, Min: 1, Max: 65535, Doc: "a connection to this port is made"},
		{Name: "http", Type: String, Doc: "URL, or path on the host, that is asked for"},
		{Name: "ssh", Type: String, Values: []string{"ipv4", "ipv6"}, Doc: "an SSH connection over this family is made"},
		{Name: "run", Type: String, Doc: "shell text that is run on the host as the ssh user; printed in the plan"},
		{Name: "from", Type: String, Default: `"controller"`, Doc: `where the probe starts: controller or host:NAME`},
		{Name: "host", Type: String, Default: "the host itself", Doc: "what is probed instead: a name or an address"},
		{Name: "expect", Type: Expect, Default: "true", Doc: "false if the probe must fail; for http also the status"},
		{Name: "timeout", Type: Duration, Min: 1, Max: 60, Default: `"5s"`, Doc: "time for one probe"},
		{Name: "become", Type: Bool, Default: "false", Doc: "run as root"},
	}},
	{"raw", "text that reaches nft or iptables as it is, on the hosts named; opaque to tests, printed in the plan", []Key{
		{Name: "hosts", Type: Strings, Default: "[]", Doc: "hosts by name or pattern"},
		{Name: "roles", Type: Strings, Default: "[]", Doc: "hosts by role, with those whose role extends it"},
		{Name: "chain", Type: String, Values: []string{"input", "output", "forward"}, Doc: "chain the lines stand in, forward only where there is a forward list; not with at = table"},
		{Name: "at", Type: String, Required: true, Values: []string{"before-allow", "before-default", "table"}, Doc: "where: after every deny, after every allow, or outside of the chains"},
		{Name: "nft", Type: String, Doc: "rules in nft's words, one a line; with at = table whole sets, maps and chains, whose names begin with x_"},
		{Name: "iptables", Type: String, Doc: "rules in the words of iptables without -A CHAIN, one a line"},
		{Name: "ip6tables", Type: String, Doc: "rules in the words of ip6tables"},
	}},
	{"tests", "what must be allowed and denied; a test that fails stops check, diff and apply", []Key{
		{Name: "name", Type: String, Doc: "what the test is about, for people"},
		{Name: "from", Type: Strings, Required: true, NotEmpty: true, Doc: "internet, controller, addresses, set:, host:, role: and group: references"},
		{Name: "to", Type: Strings, Required: true, NotEmpty: true, Doc: "who is to be reached, in the same words"},
		{Name: "allow", Type: Strings, NotEmpty: true, Doc: "services every pair of addresses must be allowed"},
		{Name: "deny", Type: Strings, NotEmpty: true, Doc: "services every pair of addresses must be refused"},
		familyKey,
		{Name: "via", Type: String, Doc: "host that packets pass between the two ends; its forward rules are asked as well, and its nat changes their source"},
		{Name: "published", Type: Bool, Default: "false", Doc: "the ports are published: the rules of published are asked at the target, not those of in"},
		{Name: "in_iface", Type: String, Doc: "interface of via, or of the target, that packets come by"},
		{Name: "out_iface", Type: String, Doc: "interface of via that packets leave by"},
		{Name: "raw_ok", Type: Bool, Default: "false", Doc: "the test passes where [[raw]] leaves it undecided"},
	}},
}

func join(lists ...[]Key) []Key {
	var all []Key
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
