package services

import (
	"sort"

	"fwpush/inventory"
)

// builtin is a service that every fleet file knows.
type builtin struct {
	name string
	tcp  uint16 // 0: not on tcp
	udp  uint16
}

// builtins are the services compiled in, sorted by name, from the IANA Service
// Name and Transport Protocol Port Number Registry. /etc/services is never
// asked, neither here nor on a host: the two may differ. `ping` and `all` are
// not in the list because they are neither ports nor protocols.
var builtins = [...]builtin{
	{"amqp", 5672, 0},
	{"bgp", 179, 0},
	{"dns", 53, 53},
	{"ftp", 21, 0},
	{"http", 80, 0},
	{"https", 443, 0},
	{"imap", 143, 0},
	{"imaps", 993, 0},
	{"ipsec-nat-t", 0, 4500},
	{"isakmp", 0, 500},
	{"kerberos", 88, 88},
	{"ldap", 389, 0},
	{"ldaps", 636, 0},
	{"mdns", 0, 5353},
	{"mongodb", 27017, 0},
	{"mqtt", 1883, 0},
	{"mysql", 3306, 0},
	{"nfs", 2049, 0},
	{"ntp", 0, 123},
	{"openvpn", 1194, 1194},
	{"pop3", 110, 0},
	{"pop3s", 995, 0},
	{"postgres", 5432, 0},
	{"radius", 0, 1812},
	{"rdp", 3389, 3389},
	{"redis", 6379, 0},
	{"rpcbind", 111, 111},
	{"rsync", 873, 0},
	{"sip", 5060, 5060},
	{"smb", 445, 0},
	{"smtp", 25, 0},
	{"snmp", 0, 161},
	{"snmptrap", 0, 162},
	{"ssh", 22, 0},
	{"submission", 587, 0},
	{"submissions", 465, 0},
	{"syslog", 0, 514},
	{"syslog-tls", 6514, 0},
	{"tftp", 0, 69},
	{"vnc", 5900, 0},
}

// protos are the built-in services that are protocols of their own (IANA, Assigned
// Internet Protocol Numbers). That vrrp goes to groups (RFC 5798 section 5.1.1.2)
// needs no rule of its own: the service matches whatever address it is sent to.
var protos = map[string]uint8{"ah": 51, "esp": 50, "gre": 47, "vrrp": 112}

// Proto returns the protocol that a built-in service is.
func Proto(name string) (uint8, bool) {
	n, ok := protos[name]
	return n, ok
}

// The two built-in services that are neither ports nor protocols.
const (
	Ping = "ping"
	All  = "all"
)

// Ports returns the ports of a built-in service.
func Ports(name string) ([]inventory.PortRange, bool) {
	i := sort.Search(len(builtins), func(i int) bool { return builtins[i].name >= name })
	if i == len(builtins) || builtins[i].name != name {
		return nil, false
	}
	var ports []inventory.PortRange
	if p := builtins[i].tcp; p != 0 {
		ports = append(ports, inventory.PortRange{Proto: "tcp", From: p, To: p})
	}
	if p := builtins[i].udp; p != 0 {
		ports = append(ports, inventory.PortRange{Proto: "udp", From: p, To: p})
	}
	return ports, true
}

// Names are all built-in services, in no order.
func Names() []string {
	names := []string{All, Ping}
	for name := range protos {
		names = append(names, name)
	}
	for _, b := range builtins {
		names = append(names, b.name)
	}
	return names
}
