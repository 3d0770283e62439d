package doctor

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// address is one that a host has.
type address struct {
	iface   string
	addr    netip.Addr
	leased  bool // has a lifetime: of DHCP, or told by a router
	passing bool // a temporary one of RFC 8981, or deprecated
}

// inner are interfaces whose addresses nobody but the host's own guests sees.
var inner = regexp.MustCompile(`^(docker[0-9]+|br-[0-9a-f]{12}|virbr[0-9]+|veth.*|lxcbr[0-9]+|lxdbr[0-9]+|incusbr[0-9]+|cni[0-9]+|podman[0-9]+|cali.*|flannel.*)$`)

// addressesOf reads `ip -o addr`: "2: eth0    inet 10.0.0.5/24 brd ... scope global dynamic eth0\ ...".
func addressesOf(text string) []address {
	var list []address
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 4 || words[2] != "inet" && words[2] != "inet6" {
			continue
		}
		written, _, _ := strings.Cut(words[3], "/")
		a, err := netip.ParseAddr(written)
		iface, _, _ := strings.Cut(words[1], "@")
		if err != nil || inner.MatchString(iface) {
			continue
		}
		list = append(list, address{iface: iface, addr: a.Unmap(), leased: slices.Contains(words, "dynamic"),
			passing: slices.Contains(words, "temporary") || slices.Contains(words, "deprecated")})
	}
	return list
}

func (p *patient) addresses() {
	listed := p.Host.Addrs()
	switch {
	case !p.health.HasIP:
		p.add("addresses", Unknown, "its addresses cannot be told: there is no ip on the host", "apt install iproute2", "")
		return
	case len(listed) == 0:
		p.ok("addresses", "the fleet file lists none", "")
		return
	}
	var more, less []string
	has := map[netip.Addr]bool{}
	for _, a := range addressesOf(p.health.Addresses) {
		if !a.passing && !slices.Contains(listed, a.addr) && !has[a.addr] {
			more = append(more, fmt.Sprintf("%s on %s", a.addr, a.iface))
		}
		has[a.addr] = true
	}
	for _, a := range listed {
		if !has[a] {
			less = append(less, a.String())
		}
	}
	if len(more) > 0 {
		p.add("addresses", Warn, "has addresses that the fleet file does not list: what it sends from them other hosts do not know as its own",
			"add them to addresses of the host", strings.Join(first(more, 8), ", "))
	}
	if len(less) > 0 {
		p.add("addresses", Warn, "does not have addresses that the fleet file lists",
			"correct addresses of the host, unless another machine translates them", strings.Join(first(less, 8), ", "))
	}
	if len(more)+len(less) == 0 {
		p.ok("addresses", "has the addresses that the fleet file lists", "")
	}
}

// interfaces are matched by name, so that a rule about one that is not there matches
// nothing.
func (p *patient) interfaces() {
	var missing []string
	miss := func(name string) {
		prefix, wild := strings.CutSuffix(strings.TrimSuffix(name, "+"), "*")
		wild = wild || strings.HasSuffix(name, "+")
		there := slices.ContainsFunc(p.health.Ifaces, func(i string) bool { return i == name || wild && strings.HasPrefix(i, prefix) })
		if !there && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	for _, i := range p.Host.Ifaces {
		miss(i.V)
	}
	for _, r := range p.Policy.AllRules() {
		for _, name := range slices.Concat(r.InIfaces, r.OutIfaces) {
			miss(name)
		}
	}
	for _, n := range p.Policy.NAT {
		for _, name := range slices.Concat(n.InIfaces, n.OutIfaces) {
			miss(name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		p.add("interfaces", Warn, "interfaces that its rules are about are missing: "+strings.Join(missing, ", "),
			"correct ifaces of the host; a rule about a missing interface matches nothing", "it has "+strings.Join(first(p.health.Ifaces, 12), ", "))
		return
	}
	p.ok("interfaces", "has the interfaces that its rules are about", "")
}

func (p *patient) forwarding() {
	v4, v6 := forwards(p.Policy)
	var off []string
	if v4 && !p.health.Forward4 {
		off = append(off, "net.ipv4.ip_forward=1")
	}
	if v6 && p.health.IPv6 && !p.health.Forward6 {
		off = append(off, "net.ipv6.conf.all.forwarding=1")
	}
	switch {
	case len(off) > 0:
		p.add("forwarding", Fail, "forwards no packets, and the fleet file has nat or forward rules for it",
			"sysctl -w "+strings.Join(off, " ")+", and write it to /etc/sysctl.d", "")
	case v4 || v6:
		p.ok("forwarding", "forwards packets", "")
	}
}

// forwards says in which families a policy needs the host to forward. Redirect goes to
// the host itself.
func forwards(policy roles.Policy) (v4, v6 bool) {
	in := func(f inventory.Family) {
		v6 = v6 || f == inventory.IPv6
		v4 = v4 || f != inventory.IPv6
	}
	for _, n := range policy.NAT {
		family := n.Family
		if n.ToAddr.IsValid() && n.ToAddr.Is6() {
			family = inventory.IPv6
		}
		if n.Kind != inventory.Redirect && !slices.Contains(policy.Addresses, n.ToAddr) {
			in(family)
		}
	}
	for _, r := range policy.Forward {
		family := r.Family
		if r.LeftIn() == "IPv6" {
			family = inventory.IPv6
		}
		if r.Allows() {
			in(family)
		}
	}
	return v4, v6
}

func (p *patient) dhcp() {
	leased := p.health.Leased
	for _, a := range addressesOf(p.health.Addresses) {
		if a.leased && a.addr.Is4() {
			leased = "an address with a lifetime on " + a.iface
		}
	}
	switch {
	case leased == "":
	case p.Policy.DHCPClient:
		p.ok("dhcp", "may renew its address", leased)
	default:
		p.add("dhcp", Warn, "has its address from DHCP, and dhcp_client is off", "write dhcp_client = true for the host: answers of the server may be dropped", leased)
	}
}

// sshd looks at where sshd listens and at its limits.
func (p *patient) sshd() {
	sound := true
	bad := func(text, remedy, detail string) {
		sound = false
		p.add("sshd", Warn, text, remedy, detail)
	}
	heard := listening(p.health.Listen)
	allowed := p.Policy.Management.Ports
	if len(heard) > 0 {
		for _, port := range heard {
			if !slices.Contains(allowed, port) {
				bad(fmt.Sprintf("sshd listens on port %d, which sshd_ports does not name", port), "add it to sshd_ports, unless it shall be closed", "")
			}
		}
		for _, port := range allowed {
			if !slices.Contains(heard, port) {
				bad(fmt.Sprintf("sshd_ports names port %d, and sshd does not listen there", port), "take it out, or let sshd listen there", "")
			}
		}
	}
	begins, _, _ := strings.Cut(p.health.SSHD["maxstartups"], ":")
	if n, err := strconv.Atoi(begins); err == nil && n < 3 {
		bad("sshd takes very few logins at a time (MaxStartups): the one that confirms may be refused", "raise MaxStartups in sshd_config", p.health.SSHD["maxstartups"])
	}
	if n, err := strconv.Atoi(p.health.SSHD["persourcemaxstartups"]); err == nil && n < 2 {
		bad("sshd takes very few logins at a time from one address (PerSourceMaxStartups): the one that confirms may be refused", "raise PerSourceMaxStartups in sshd_config", "")
	}
	if sound {
		p.ok("sshd", "listens where its rules admit", "")
	}
}

// listening are the ports of `ss -Hltn` that are not of the loopback alone, sorted.
func listening(text string) []uint16 {
	var ports []uint16
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 4 {
			continue
		}
		i := strings.LastIndexByte(words[3], ':')
		if i < 0 {
			continue
		}
		host, _, _ := strings.Cut(strings.Trim(words[3][:i], "[]"), "%")
		port, err := strconv.ParseUint(words[3][i+1:], 10, 16)
		if a, aerr := netip.ParseAddr(host); err != nil || aerr == nil && a.IsLoopback() {
			continue
		}
		ports = append(ports, uint16(port))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
