package schema

import "time"

// tables is every table and key of the fleet file.
var tables = [...]Table{
	{"", "the fleet file", []Key{
		{Name: "version", Type: Integer, Required: true, Doc: "version of the schema of this file; must be 1"},
		{Name: "fleet", Type: String, Default: `"default"`, Doc: "name of the fleet, stamped on each host; another fleet's hosts are refused"},
		{Name: "defaults", Type: Sub, Table: "defaults", Doc: "what every host gets unless it says otherwise"},
		{Name: "management", Type: Sub, Table: "management", Required: true, Doc: "who may always reach SSH"},
		{Name: "rollout", Type: Sub, Table: "rollout", Doc: "how a run walks through the fleet"},
		{Name: "sets", Type: Named, Table: "sets.NAME", Doc: "named lists of addresses"},
		{Name: "services", Type: Named, Table: "services.NAME", Doc: "named lists of ports, beside the built-in ones"},
		{Name: "hosts", Type: Named, Table: "hosts.NAME", Doc: "the machines"},
		{Name: "roles", Type: Named, Table: "roles.NAME", Doc: "named lists of rules that hosts have in common"},
		{Name: "include", Later: true, Doc: "further files"},
		{Name: "groups", Later: true, Doc: "named groups of hosts"},
		{Name: "raw", Later: true, Doc: "text for a backend as it is"},
		{Name: "tests", Later: true, Doc: "what must be allowed and denied, checked before every push"},
	}},
	{"defaults", "what every host gets unless it or one of its roles says otherwise", join([]Key{
		{Name: "roles", Type: Strings, Default: "[]", Doc: "roles of every host, before its own"},
		{Name: "ssh", Type: Sub, Table: "defaults.ssh", Doc: "how hosts are reached; each host may override each key"},
		{Name: "backend", Later: true, Doc: "nftables or iptables"},
		{Name: "timers", Later: true, Doc: "how many independent timers must be proved"},
		{Name: "mode", Later: true, Doc: "what happens to rules the host already has"},
	}, settingKeys)},
	{"defaults.ssh", "how hosts are reached", join([]Key{
		{Name: "address", Type: String, Doc: "where a host is dialled", Refused: "each host has an address of its own"},
	}, sshKeys)},
	{"management", "the lock-out guard: who may always reach SSH", []Key{
		{Name: "from", Type: Strings, Required: true, NotEmpty: true, Doc: `addresses, prefixes, ranges, "set:NAME", "host:NAME", "role:NAME", the last two with @net`},
		{Name: "controller", Type: Strings, Default: "local address of the route", NotEmpty: true, Doc: "where pushes come from as the hosts see it"},
		{Name: "failsafe_ports", Type: Integers, Min: 1, Max: 65535, Default: "[]", Doc: "ports open to management beside those of sshd"},
		{Name: "allow_any", Type: Bool, Default: "false", Doc: `lets from hold every address`},
	}},
	{"rollout", "how a run walks through the fleet", []Key{
		{Name: "window", Type: Duration, Default: `"2m"`, Min: int64(MinWindow / time.Second), Max: 3600, Doc: "a change that is not confirmed is reverted no earlier than this"},
		{Name: "parallel", Type: Integer, Default: "50", Min: 1, Max: 1024, Doc: "hosts worked on at a time"},
		{Name: "canary", Later: true, Doc: "hosts that go first"},
		{Name: "waves", Later: true, Doc: "shares of the fleet, one after the other"},
		{Name: "serial", Later: true, Doc: "roles whose hosts never go together"},
		{Name: "max_failures", Later: true, Doc: "failed hosts that stop the run"},
		{Name: "max_unreachable", Later: true, Doc: "unreachable hosts that stop the run"},
		{Name: "soak", Later: true, Doc: "time to wait before a wave is confirmed"},
		{Name: "on_stop", Later: true, Doc: "what happens to confirmed hosts when the run stops"},
	}},
	{"sets.NAME", "a list of addresses of both families", []Key{
		{Name: "addresses", Type: Strings, Default: "[]", Doc: "addresses, prefixes and ranges such as 10.0.0.1-10.0.0.9"},
		{Name: "allow_empty", Type: Bool, Default: "false", Doc: "rules that name the set are left out while it is empty"},
		{Name: "file", Later: true, Doc: "addresses from a file"},
		{Name: "names", Later: true, Doc: "addresses of DNS names"},
	}},
	{"services.NAME", "a list of ports", []Key{
		{Name: "tcp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "TCP ports"},
		{Name: "udp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "UDP ports"},
		{Name: "sctp", Type: Ports, Min: 1, Max: 65535, NotEmpty: true, Doc: "SCTP ports"},
		{Name: "icmp", Later: true, Doc: "ICMP types"},
		{Name: "icmpv6", Later: true, Doc: "ICMPv6 types"},
		{Name: "proto", Later: true, Doc: "protocols without ports"},
		{Name: "include", Later: true, Doc: "other services"},
		{Name: "helper", Later: true, Doc: "connection tracking helper"},
		{Name: "override", Later: true, Doc: "replaces a built-in service"},
	}},
	{"hosts.NAME", "one machine", join([]Key{
		{Name: "roles", Type: Strings, Default: "[]", Doc: "roles of the host, after those of [defaults]"},
		{Name: "addresses", Type: Nets, NotEmpty: true, Doc: "its addresses, by net if it has several; needed where a rule refers to the host"},
		{Name: "ssh", Type: Sub, Table: "hosts.NAME.ssh", Doc: "how the host is reached"},
		{Name: "sshd_ports", Type: Integers, Min: 1, Max: 65535, NotEmpty: true, Default: "ssh.port", Doc: "ports sshd listens on as the host sees them"},
	}, ruleKeys, []Key{
		{Name: "backend", Later: true, Doc: "nftables or iptables"},
		{Name: "timers", Later: true, Doc: "how many independent timers must be proved"},
		{Name: "mode", Later: true, Doc: "what happens to rules the host already has"},
		{Name: "labels", Later: true, Doc: "words to select the host by"},
		{Name: "ifaces", Later: true, Doc: "names for interfaces"},
		{Name: "shared", Later: true, Doc: "addresses it shares with other hosts"},
		{Name: "unmanaged", Later: true, Doc: "an entry of the address book, never pushed"},
		{Name: "coexist", Later: true, Doc: "other firewalls accepted on the host"},
	}, settingKeys)},
	{"hosts.NAME.ssh", "how the host is reached", join([]Key{
		{Name: "address", Type: String, Default: "its first address, else its name", Doc: "where the host is dialled"},
	}, sshKeys)},
	{"roles.NAME", "rules and settings that hosts have in common", join([]Key{
		{Name: "extends", Type: Strings, Default: "[]", Doc: "roles this one builds on"},
	}, ruleKeys, settingKeys)},
	{"rule in in", "lets packets in, or refuses them", join(Verbs, []Key{
		{Name: "from", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "who may connect: addresses, set:, host: and role: references"},
		{Name: "to", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "which addresses of the host"},
	}, noteKeys)},
	{"rule in out", "lets packets out, or refuses them", join(Verbs, []Key{
		{Name: "from", Type: Strings, Doc: "not in out", Refused: "packets in out come from the host; say where they go with to"},
		{Name: "to", Type: Strings, Default: `"any"`, NotEmpty: true, Doc: "where the host may connect: addresses, set:, host: and role: references"},
	}, noteKeys)},
}

// settingKeys are the scalars that [defaults], roles and hosts share.
var settingKeys = []Key{
	{Name: "inbound", Type: String, Values: []string{"drop", "reject"}, Default: `"drop"`, Doc: "what happens to packets in that no rule allows"},
	{Name: "outbound", Type: String, Values: []string{"accept", "reject", "drop"}, Default: `"accept"`, Doc: "what happens to packets out that no rule decides"},
	{Name: "log", Type: Log, Default: "true", Doc: "logs what is refused; a string is the prefix of the log lines"},
	{Name: "ping", Type: Bool, Default: "true", Doc: "echo requests are accepted, in and out"},
	{Name: "dhcp_client", Type: Bool, Default: "false", Doc: "answers of DHCP servers are accepted"},
	{Name: "antispoof", Type: Bool, Default: "true", Doc: "packets from outside with an address of the host are dropped"},
	{Name: "igmp", Later: true, Doc: "IGMP in and out"},
	{Name: "accept_ra", Later: true, Doc: "router advertisements are accepted"},
	{Name: "sends_ra", Later: true, Doc: "router advertisements are sent"},
}

// ruleKeys are the lists that roles and hosts share.
var ruleKeys = []Key{
	{Name: "in", Type: List, Table: "rule in in", Default: "[]", Doc: "rules for packets to the host"},
	{Name: "out", Type: List, Table: "rule in out", Default: "[]", Doc: "rules for packets from the host"},
	{Name: "forward", Later: true, Doc: "rules for packets through the host"},
	{Name: "nat", Later: true, Doc: "address translation"},
	{Name: "probe", Later: true, Doc: "what must work before a change is confirmed"},
}

// sshKeys are the settings of SSH that [defaults] and hosts share.
var sshKeys = []Key{
	{Name: "port", Type: Integer, Min: 1, Max: 65535, Default: "22", Doc: "port of sshd"},
	{Name: "user", Type: String, Default: "as ssh would", Doc: "login name"},
	{Name: "identity", Type: Strings, Default: "the agent, then ~/.ssh/id_*", Doc: "key files"},
	{Name: "known_hosts", Type: Strings, Default: "as ssh would", Doc: "files with the keys of hosts"},
	{Name: "become", Type: String, Values: []string{"none", "sudo"}, LaterValues: []string{"doas", "su"}, Default: `"none" to log in as root, else "sudo"`, Doc: "how to be root on the host"},
	{Name: "connect_timeout", Type: Duration, Min: 1, Max: 300, Default: `"10s"`, Doc: "time for one connection, from the first packet to the login"},
	{Name: "jump", Later: true, Doc: "host to go through"},
}

// Verbs are the keys that say what a rule does.
var Verbs = []Key{
	{Name: "allow", Type: Strings, NotEmpty: true, Doc: `services, or literals such as "tcp/8443"`},
	{Name: "deny", Type: Strings, NotEmpty: true, Doc: "services to refuse; wins over every allow"},
	{Name: "drop", Later: true, Doc: "services to drop"},
	{Name: "reject", Later: true, Doc: "services to reject"},
}

// noteKeys are the keys of a rule that say more about it.
var noteKeys = []Key{
	{Name: "allow_empty", Type: Bool, Default: "false", Doc: "the rule is left out while a role it names has no host"},
	{Name: "comment", Type: String, Default: `""`, Doc: "stands in the ruleset, at most 128 bytes"},
	{Name: "owner", Type: String, Default: `""`, Doc: "who wants the rule, at most 128 bytes"},
	{Name: "ticket", Type: String, Default: `""`, Doc: "where it was decided, at most 128 bytes"},
	{Name: "iface", Later: true, Doc: "interface"},
	{Name: "in_iface", Later: true, Doc: "interface packets come from"},
	{Name: "out_iface", Later: true, Doc: "interface packets leave by"},
	{Name: "family", Later: true, Doc: "IPv4 or IPv6 only"},
	{Name: "rate", Later: true, Doc: "limit of new connections"},
	{Name: "max_conns", Later: true, Doc: "limit of connections at a time"},
	{Name: "log", Later: true, Doc: "logs what the rule matches"},
	{Name: "expires", Later: true, Doc: "last day of the rule"},
	{Name: "name", Later: true, Doc: "name of the rule"},
}

func join(lists ...[]Key) []Key {
	var all []Key
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
