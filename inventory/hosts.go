package inventory

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// inherited is what hosts have of [defaults].
type inherited struct {
	roles    []At[string]
	ssh, own fields
}

// hosts decodes [hosts.NAME] in the order of the file, with the defaults in.
func (d *decoder) hosts(n *source.Node, defaults inherited) []Host {
	var hosts []Host
	d.named(n, schema.Kind("hosts.NAME"), "host", syntax.Host, func(n *source.Node, f fields, _ int) {
		where := header("hosts", n.Name)
		h := Host{
			Name:      n.Name,
			Place:     d.place(n.Key),
			Roles:     once(defaults.roles, d.roleNames(f["roles"])),
			Addresses: d.nets(f["addresses"]),
			Ifaces:    d.words(f["ifaces"], checkName("interface alias"), syntax.Iface),
			Labels:    d.labels(f["labels"]),
			Unmanaged: flag(f["unmanaged"]),
			SSHDPorts: d.ports(f["sshd_ports"]),
			Settings:  d.settings(f),
			Backend:   Auto,
			Timers:    At[int]{V: 2},
			Mode:      At[string]{V: "coexist"},
			Rules:     d.lists(f, where),
		}
		d.shared(f["shared"], &h)
		d.machinery(&h, f, defaults.own)
		h.SSH = d.endpoint(h, d.ssh(f["ssh"], "hosts", n.Name), defaults.ssh)
		if f["ssh"] != nil {
			h.SSH.Place = d.place(f["ssh"].Key)
		}
		if len(h.SSHDPorts) == 0 {
			h.SSHDPorts = []At[uint16]{{V: h.SSH.Port, Place: h.SSH.Place}}
		}
		hosts = append(hosts, h)
	})
	return hosts
}

// machinery settles what is a host's own word, else that of [defaults], and is no
// setting of its rules.
func (d *decoder) machinery(h *Host, own, defaults fields) {
	for _, f := range []fields{defaults, own} {
		if n := f["backend"]; n != nil {
			h.Backend = Backend(n.Text())
		}
		if n := f["timers"]; n != nil {
			h.Timers = number(d, n)
		}
		h.Coexist = once(h.Coexist, d.strings(f["coexist"], func(string) *syntax.Error { return nil }))
		if n := f["mode"]; n != nil {
			h.Mode = at(d, n, n.Text())
		}
	}
	for _, w := range h.Coexist {
		if h.Mode.V == "exclusive" && (w.V == "iptables" || w.V == "nftables") {
			d.fail(d.span(w.Place), fmt.Sprintf("%s is made of rules by hand, which %s loses in mode exclusive", w.V, h.Name), `take it out, or keep them: mode = "coexist"`)
		}
	}
}

// nets decodes the addresses of a host: a list, or lists by net.
func (d *decoder) nets(n *source.Node) []Net {
	switch {
	case n == nil:
		return nil
	case n.Kind != source.Table:
		return []Net{{Place: d.place(n.Key), Addresses: d.machines(n)}}
	}
	var nets []Net
	for _, kid := range n.Kids {
		if e := syntax.Name("net", kid.Name); e != nil {
			d.fail(kid.Key, e.Msg, e.Hint)
		}
		k := Key{Name: kid.Name, Type: schema.Strings, NotEmpty: true}
		if d.fits(k, kid) {
			nets = append(nets, Net{Name: kid.Name, Place: d.place(kid.Key), Addresses: d.machines(kid)})
		}
	}
	return nets
}

// ssh checks the SSH settings of a host, or those of [defaults], and returns
// those that are usable.
func (d *decoder) ssh(n *source.Node, parent ...string) fields {
	t := schema.Kind("defaults.ssh")
	if len(parent) > 1 {
		t = schema.Kind("hosts.NAME.ssh")
	}
	f := d.table(n, t, header(append(parent, "ssh")...))
	for key, check := range map[string]func(string) *syntax.Error{"address": syntax.SSHAddress, "user": syntax.User, "jump": jump} {
		if n := f[key]; n != nil && d.wrong(n, check(n.Text())) {
			delete(f, key)
		}
	}
	d.checkPaths(f["identity"])
	d.checkPaths(f["known_hosts"])
	return f
}

// NoJump is the jump of a host that is reached straight, whatever [defaults] and
// ssh_config say.
const NoJump = "none"

func jump(s string) *syntax.Error {
	_, _, _, e := syntax.Jump(s)
	return e
}

// endpoint says how a host is reached: by its own settings, else the defaults.
func (d *decoder) endpoint(h Host, own, defaults fields) Endpoint {
	pick := func(key string) *source.Node {
		if n := own[key]; n != nil {
			return n
		}
		return defaults[key]
	}
	through := pick("jump").Text()
	if through == NoJump || own["jump"] == nil && through == h.Name {
		through = "" // what [defaults] lead others through is itself reached without
	}
	e := Endpoint{
		Name:           h.Name,
		Place:          h.Place,
		Address:        plain(pick("address").Text()),
		Port:           defaultPort,
		User:           pick("user").Text(),
		Identity:       d.paths(pick("identity")),
		KnownHosts:     d.paths(pick("known_hosts")),
		Become:         pick("become").Text(),
		Jump:           through,
		ConnectTimeout: seconds(pick("connect_timeout"), defaultConnectTimeout),
		JumpLogins:     defaultJumpLogins,
		Written:        map[string]Place{},
	}
	for _, f := range []fields{defaults, own} {
		for key, n := range f {
			e.Written[key] = d.place(n.Key)
		}
	}
	if e.Address == "" {
		e.Address = firstAddress(h)
	}
	if n := pick("port"); n != nil {
		e.Port = uint16(n.Value.(int64))
	}
	if n := pick("jump_logins"); n != nil {
		e.JumpLogins = int(n.Value.(int64))
	}
	if e.Become == "" {
		e.Become = "sudo"
		// Without a user the login is that of whoever runs this, as with ssh.
		if e.User == "root" || e.User == "" && os.Geteuid() == 0 {
			e.Become = "none"
		}
	}
	return e
}

// plain is the one way to write an address or a DNS name.
func plain(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return strings.ToLower(s)
}

func firstAddress(h Host) string {
	if list := h.Addrs(); len(list) > 0 {
		return list[0].String()
	}
	return h.Name
}

// distinctHosts reports hosts that are one machine: a rule for one of them
// would be enforced by the other.
func (d *decoder) distinctHosts(hosts []Host) {
	type owner struct {
		host   string
		place  Place
		shared bool
	}
	addrs, endpoints := map[netip.Addr]owner{}, map[string]owner{}
	for _, h := range hosts {
		shares := func(a netip.Addr) bool {
			return slices.ContainsFunc(h.Shared, func(s At[netip.Addr]) bool { return s.V == a })
		}
		if d.full() {
			return
		}
		told := map[string]bool{} // what another host was found to have
		for _, n := range h.Addresses {
			for _, a := range n.Addresses {
				first, taken := addrs[a.V]
				if !taken {
					addrs[a.V] = owner{h.Name, a.Place, shares(a.V)}
				} else if first.host != h.Name && !(first.shared && shares(a.V)) {
					told[first.host+" "+a.V.String()] = true
					d.fail(d.span(a.Place), sameAddress(first.host, h.Name, a.V.String(), first.place, a.Place), "an address that several hosts may have stands in shared of each")
				}
			}
		}
		if h.Unmanaged {
			continue
		}
		key := fmt.Sprintf("%s %s %d", h.SSH.Jump, h.SSH.Address, h.SSH.Port)
		first, taken := endpoints[key]
		if !taken {
			endpoints[key] = owner{h.Name, h.SSH.Place, false}
		} else if !told[first.host+" "+h.SSH.Address] {
			d.fail(d.span(h.SSH.Place), sameAddress(first.host, h.Name, fmt.Sprintf("%s port %d", h.SSH.Address, h.SSH.Port), first.place, h.SSH.Place), "write an ssh.address of its own for each")
		}
	}
}

func sameAddress(a, b, addr string, first, second Place) string {
	return fmt.Sprintf("%s and %s are the same address, %s (%s)", a, b, addr, both(first, second))
}

// checkWindow reports hosts whose connection and probes may take longer than they
// are given to prove they are reachable.
func (d *decoder) checkWindow(n *source.Node, window time.Duration, hosts []Host, roles map[string]Role) {
	for _, h := range hosts {
		connecting, probing := h.SSH.Slowest(), time.Duration(0)
		for _, p := range probesOf(h, roles) {
			probing += p.Timeout
		}
		if window > connecting+probing {
			continue
		}
		sp := d.span(h.SSH.Place)
		if n != nil {
			sp = n.Val
		}
		short := func(t time.Duration) string { return schema.Short(int64(t / time.Second)) }
		what, hint := "", "make rollout.window longer or ssh.connect_timeout shorter"
		if probing > 0 {
			what, hint = fmt.Sprintf(", and for its probes, which may take %s more", short(probing)), hint+", or timeout of a probe"
		}
		d.fail(sp, fmt.Sprintf("window %s leaves no time for a connection to %s, which may take %s%s", short(window), h.Name, short(connecting), what), hint)
		return
	}
}

// probesOf are the probes of a host: its own and those of its roles and of what
// these extend.
func probesOf(h Host, roles map[string]Role) []Probe {
	probes := slices.Clone(h.Probes)
	seen := map[string]bool{}
	var add func(names []At[string])
	add = func(names []At[string]) {
		for _, n := range names {
			if !seen[n.V] {
				seen[n.V] = true
				probes = append(probes, roles[n.V].Probes...)
				add(roles[n.V].Extends)
			}
		}
	}
	add(h.Roles)
	return probes
}
