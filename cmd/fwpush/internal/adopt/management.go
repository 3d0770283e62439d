package adopt

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
)

// Towards finds the addresses of this machine towards a host, none if that is not known.
type Towards func(ctx context.Context, ep inventory.Endpoint) []netip.Addr

// Guard says who may always reach SSH: what this machine is to the hosts, and the jump
// hosts they are behind. None is known if no name resolves and there is no route; it is
// never everybody.
func (f Fleet) Guard(ctx context.Context, local Towards) []Source {
	fleet, _ := inventory.Parse("fleet.toml", []byte(f.guarded().Text()))
	direct := map[netip.Addr][]string{}
	jumps := map[string][]string{}
	known := map[string]inventory.Host{}
	for _, h := range fleet.Hosts {
		known[h.Name] = h
	}
	for _, h := range fleet.Hosts {
		if j, is := known[h.SSH.Jump]; is {
			if len(j.Addrs()) > 0 {
				jumps[j.Name] = append(jumps[j.Name], h.Name)
			}
			continue
		}
		if h.SSH.Jump != "" {
			continue // one that is none of the fleet: the comment asks for its address
		}
		for _, a := range local(ctx, h.SSH) {
			if !slices.Contains(direct[a], h.Name) {
				direct[a] = append(direct[a], h.Name)
			}
		}
	}
	var list []Source
	for a, names := range direct {
		list = append(list, Source{a.String(), "this machine towards " + towards(names) + "; behind a NAT they see another"})
	}
	for j, names := range jumps {
		list = append(list, Source{"host:" + j, "the jump host of " + towards(names)})
	}
	slices.SortFunc(list, func(a, b Source) int { return strings.Compare(a.Value, b.Value) })
	return list
}

// towards names hosts, in few words.
func towards(names []string) string {
	slices.Sort(names)
	text := inventory.Fold(names)
	if len(names) > 1 && len(text) > 40 {
		return fmt.Sprintf("%d hosts", len(names))
	}
	return text
}

// Starter is a fleet file for those who have no list of hosts yet. Its hosts are from the
// networks of documentation (RFC 5737, RFC 3849).
func Starter(ctx context.Context, local Towards) string {
	from := []string{"198.51.100.16/28"}
	for _, host := range []string{"203.0.113.11", "2001:db8:1::11"} {
		for _, a := range local(ctx, inventory.Endpoint{Address: host, Port: 22}) {
			from = append(from, a.String())
		}
	}
	return fmt.Sprintf(starter, inventory.TOML(from))
}

const starter = `# fleet.toml: which hosts there are, and what each of them lets in.
#
# Change the addresses, then: fwpush check, fwpush diff, fwpush apply.
# The language is in docs/policy.md; fwpush schema describes it to an editor. fwpush init
# makes this file of an Ansible inventory (--ansible), an ssh_config (--ssh-config) or hosts.

version = 1

# Who may always reach SSH: this comes first on every host and cannot be denied. CHECK IT:
# it must hold the addresses that hosts see you come from, and should hold a second way in.
[management]
from = %s

# What every host gets unless it says otherwise.
[defaults]
# ssh = { user = "ops", identity = "~/.ssh/id_ed25519" }   # the user is root, or may use sudo

# A host has roles; a role is rules, one a line. web, base, bastion, db, monitoring and gateway
# come with fwpush: fwpush roles show web. In are already: replies, loopback, ping, and what IPv4
# and IPv6 need of ICMP; all else is dropped.
[hosts.www1]
addresses = ["203.0.113.11", "2001:db8:1::11"]
roles = ["web", "app"]

[roles.app]
in = [
  { allow = "tcp/8443", from = "set:office", comment = "admin interface" },
  # { allow = "tcp/5432", from = "role:web" },     # addresses of hosts with a role
  # { deny  = "all", from = "203.0.113.66" },      # wins over every allow
]

[sets.office]
addresses = ["198.51.100.0/24"]

# What must stay true, asked before every push.
[[tests]]
name  = "the internet reaches only the web ports"
from  = "internet"
to    = "role:web"
allow = ["http", "https"]
deny  = ["ssh", "tcp/8443"]
`
