package schema

// Names of the tables that rules and NAT entries are.
const (
	ruleIn        = "rule in in"
	ruleOut       = "rule in out"
	ruleForward   = "rule in forward"
	rulePublished = "rule in published"
	ruleNAT       = "entry of nat"
)

// Helpers are the connection tracking helpers of the kernel that a service may
// ask for, and the protocols each reads (nf_conntrack_*; nft(8), "ct helper").
// H.323 is no helper but three, of which each needs the others.
var Helpers = map[string][]string{
	"amanda": {"udp"}, "ftp": {"tcp"}, "irc": {"tcp"}, "netbios-ns": {"udp"}, "pptp": {"tcp"},
	"sane": {"tcp"}, "sip": {"tcp", "udp"}, "snmp": {"udp"}, "tftp": {"udp"},
}

// NATKinds and ProbeKinds are the keys of which an entry of nat and a probe have
// exactly one.
var (
	NATKinds   = []string{"masquerade", "snat", "dnat", "redirect"}
	ProbeKinds = []string{"tcp", "http", "ssh", "run"}
)

// settingKeys are the scalars that [defaults], roles and hosts share.
var settingKeys = []Key{
	{Name: "inbound", Type: String, Values: []string{"drop", "reject"}, Default: `"drop"`, Doc: "what happens to packets in, and through, that no rule allows"},
	{Name: "outbound", Type: String, Values: []string{"accept", "reject", "drop"}, Default: `"accept"`, Doc: "what happens to packets out that no rule decides"},
	{Name: "log", Type: Log, Default: "true", Doc: "logs what is refused; a string is the prefix of the log lines"},
	{Name: "ping", Type: Ping, Default: "true", Doc: `echo requests are accepted, in and out; a rate such as "20/s" limits those that come in`},
	{Name: "dhcp_client", Type: Bool, Default: "false", Doc: "answers of DHCP servers are accepted"},
	{Name: "antispoof", Type: Bool, Default: "true", Doc: "packets from outside with an address of the host are dropped"},
	{Name: "igmp", Type: Bool, Default: "false", Doc: "IGMP is accepted, in and out"},
	{Name: "accept_ra", Type: Bool, Default: "true", Doc: "router advertisements of neighbours are accepted; false where routes are static"},
	{Name: "sends_ra", Type: Bool, Default: "false", Doc: "router advertisements are sent, as gateways do"},
}

// hostKeys are what [defaults] and hosts share beside the settings.
var hostKeys = []Key{
	{Name: "backend", Type: String, Values: []string{"auto", "nftables", "iptables"}, Default: `"auto"`, Doc: "what loads the rules; auto keeps what the host last confirmed, on a first push nftables where it works, else iptables"},
	{Name: "timers", Type: Integer, Min: 1, Max: 2, Default: "2", Doc: "how many independent timers must be proved before a change; 1 stands in the table of a host, never in [defaults]"},
	{Name: "coexist", Type: Strings, Values: []string{"docker", "libvirt", "fail2ban", "kube-proxy", "firewalld", "ufw", "podman", "crowdsec", "sshguard", "tailscale", "iptables", "nftables"}, Default: "[]", Doc: "other firewalls that are left as they are; iptables and nftables are rules made by hand. a host with any that is not named is not changed; those of [defaults] and of the host together"},
	{Name: "mode", Type: String, Values: []string{"coexist", "exclusive"}, Default: `"coexist"`, Doc: "what happens to home-made rules that the host already has: exclusive replaces them in the commit, and its revert puts them back"},
}

// ruleKeys are the lists that roles and hosts share.
var ruleKeys = []Key{
	{Name: "in", Type: List, Table: ruleIn, Default: "[]", Doc: "rules for packets to the host"},
	{Name: "out", Type: List, Table: ruleOut, Default: "[]", Doc: "rules for packets from the host"},
	{Name: "forward", Type: List, Table: ruleForward, Default: "[]", Doc: "rules for packets through the host; with any, what none allows is refused"},
	{Name: "published", Type: List, Table: rulePublished, Default: "as their owner has it", Doc: "rules for ports of the host that Docker and its like hand on to a container; once written, be it as [], what none allows is refused"},
	{Name: "nat", Type: List, Table: ruleNAT, Default: "[]", Doc: "address translation"},
	{Name: "probe", Type: List, Table: "probe", Default: "[]", Doc: "what must work before a change is confirmed"},
}

// sshKeys are the settings of SSH that [defaults] and hosts share.
var sshKeys = []Key{
	{Name: "port", Type: Integer, Min: 1, Max: 65535, Default: "22", Doc: "port of sshd"},
	{Name: "user", Type: String, Default: "as ssh would", Doc: "login name"},
	{Name: "identity", Type: Strings, Default: "the agent, then ~/.ssh/id_*", Doc: "key files"},
	{Name: "known_hosts", Type: Strings, Default: "as ssh would", Doc: "files with the keys of hosts"},
	{Name: "become", Type: String, Values: []string{"none", "sudo", "doas", "su"}, Default: `"none" to log in as root, else "sudo"`, Doc: "how to be root on the host"},
	{Name: "connect_timeout", Type: Duration, Min: 1, Max: 300, Default: `"10s"`, Doc: "time for one connection, from the first packet to the login"},
	{Name: "jump", Type: String, Doc: `host to go through: its name in the fleet, or [user@]address[:port], which is logged in to with the keys and known_hosts of this host; a jump host may be behind another; "none" for none, whatever ssh_config and [defaults] say`},
	{Name: "jump_logins", Type: Integer, Min: 1, Max: 1024, Default: "16", Doc: "logins under way at a time through this host, where others are reached through it; a jump host that is no host of the fleet has that of the host behind it"},
}

// Verbs are the keys that say what a rule does.
var Verbs = []Key{
	{Name: "allow", Type: Strings, NotEmpty: true, Doc: `services, or literals such as "tcp/8443"`},
	{Name: "deny", Type: Strings, NotEmpty: true, Doc: "services to refuse as the chain does by default; wins over every allow"},
	{Name: "drop", Type: Strings, NotEmpty: true, Doc: "services to refuse without an answer; wins over every allow"},
	{Name: "reject", Type: Strings, NotEmpty: true, Doc: "services to refuse with an answer; wins over every allow"},
}

// conditionKeys narrow a rule beside whom it is about.
var conditionKeys = []Key{
	familyKey,
	{Name: "rate", Type: Rate, Default: "no limit", Doc: `limit of new connections for an allow: "N/s", "N/min", "N/h" or "N/day", then per source (the default), per net or global, then burst B; what is over is refused`},
	{Name: "max_conns", Type: Integer, Min: 1, Max: 65535, Default: "no limit", Doc: "limit of connections at a time of one source, for an allow"},
	{Name: "log", Type: Log, Default: "false", Doc: "logs what the rule matches; a string is the prefix of the log lines"},
	{Name: "expires", Type: Date, Default: "never", Doc: "last day of the rule, such as 2027-01-31 (UTC); the host itself ends it, and from then on it is left out with a warning"},
}

var familyKey = Key{Name: "family", Type: String, Values: []string{"ipv4", "ipv6", "both"}, Default: `"both"`, Doc: "IPv4 or IPv6 only"}

var commentKey = Key{Name: "comment", Type: String, Default: `""`, Doc: "stands in the ruleset, at most 128 bytes"}

// noteKeys are the keys of a rule that say more about it.
var noteKeys = []Key{
	{Name: "allow_empty", Type: Bool, Default: "false", Doc: "the rule is left out while a role or group it names has no host"},
	{Name: "name", Type: String, Default: "made of its ports, such as tcp-443", Doc: "name of the rule, as explain calls it; what it matches is counted under it"},
	commentKey,
	{Name: "owner", Type: String, Default: `""`, Doc: "who wants the rule, at most 128 bytes"},
	{Name: "ticket", Type: String, Default: `""`, Doc: "where it was decided, at most 128 bytes"},
}
