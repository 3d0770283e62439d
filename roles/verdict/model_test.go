package verdict_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// model is a fleet in the plainest terms, with an evaluator that knows nothing
// of compiling: an oracle for the package.
type model struct {
	sets  [3][]string // ranges
	roles [4]modelRole
	hosts [4]modelHost
}

type modelRole struct {
	extends           []int // of higher number only, so there is no cycle
	inbound, outbound string
	ping              bool
	in, out           []modelRule
}

type modelHost struct {
	roles   []int
	nets    [2][]string
	in, out []modelRule
}

type modelRule struct {
	deny     bool
	services []string
	peers    []string // from in in, to in out
	local    []string // to in in
}

// everywhere is a range of the narrow space in both families, so that no rule
// is without a family.
var everywhere = []string{"10.0.0.0-10.0.0.12", "fd00::-fd00::c"}

// small draws addresses of a space so narrow that ranges overlap and touch.
func small(t *rapid.T, label string) netip.Addr {
	return smallOf(t, label, rapid.Bool().Draw(t, label+" is IPv6"))
}

func smallOf(t *rapid.T, label string, six bool) netip.Addr {
	n := byte(rapid.IntRange(0, 20).Draw(t, label))
	if six {
		return netip.AddrFrom16([16]byte{0: 0xfd, 15: n})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, n})
}

func smallRanges(t *rapid.T, label string) []inventory.AddrRange {
	var list []inventory.AddrRange
	for range rapid.IntRange(0, 6).Draw(t, label+" count") {
		a, b := small(t, label), small(t, label)
		if a.Is4() != b.Is4() {
			b = a
		}
		if b.Less(a) {
			a, b = b, a
		}
		list = append(list, inventory.AddrRange{From: a, To: b})
	}
	return list
}

func holds(list []inventory.AddrRange, a netip.Addr) bool {
	for _, r := range list {
		if r.From.Is4() == a.Is4() && r.From.Compare(a) <= 0 && a.Compare(r.To) <= 0 {
			return true
		}
	}
	return false
}

func drawModel(t *rapid.T) model {
	var m model
	for i := range m.sets {
		for _, r := range smallRanges(t, "set") {
			m.sets[i] = append(m.sets[i], r.From.String()+"-"+r.To.String())
		}
	}
	for i := range m.roles {
		r := &m.roles[i]
		for j := i + 1; j < len(m.roles); j++ {
			if rapid.IntRange(0, 3).Draw(t, "extends") == 0 {
				r.extends = append(r.extends, j)
			}
		}
		r.inbound = rapid.SampledFrom([]string{"drop", "reject"}).Draw(t, "inbound")
		r.outbound = rapid.SampledFrom([]string{"accept", "drop", "reject"}).Draw(t, "outbound")
		r.ping = rapid.Bool().Draw(t, "ping")
		r.in = drawRules(t, true)
		r.out = drawRules(t, false)
	}
	for i := range m.hosts {
		h := &m.hosts[i]
		for j := range m.roles {
			if rapid.Bool().Draw(t, "has role") {
				h.roles = append(h.roles, j)
			}
		}
		for j := range h.nets {
			n := i*5 + j*2
			families := rapid.IntRange(1, 3).Draw(t, "families")
			if families&1 != 0 {
				h.nets[j] = append(h.nets[j], fmt.Sprintf("10.0.0.%d", n))
			}
			if families&2 != 0 {
				h.nets[j] = append(h.nets[j], netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(n)}).String())
			}
		}
		h.in = drawRules(t, true)
		h.out = drawRules(t, false)
	}
	return m
}

func drawRules(t *rapid.T, in bool) []modelRule {
	var list []modelRule
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		list = append(list, drawRule(t, in, rapid.IntRange(0, 3).Draw(t, "deny") == 0))
	}
	return list
}

func drawRule(t *rapid.T, in, deny bool) modelRule {
	r := modelRule{deny: deny}
	r.services = rapid.SliceOfN(rapid.SampledFrom([]string{"http", "https", "dns", "ntp", "ping", "all", "tcp/80-90", "udp/53", "tcp/50-60", "udp/100-130"}), 1, 2).Draw(t, "services")
	r.peers = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		net := rapid.SampledFrom([]string{"", "@n0", "@n1"}).Draw(t, "net")
		switch rapid.IntRange(0, 4).Draw(t, "peer") {
		case 0:
			return "any"
		case 1:
			return fmt.Sprintf("set:s%d", rapid.IntRange(0, 2).Draw(t, "set"))
		case 2:
			return fmt.Sprintf("host:h%d%s", rapid.IntRange(0, 3).Draw(t, "host"), net)
		case 3:
			return fmt.Sprintf("role:r%d%s", rapid.IntRange(0, 3).Draw(t, "role"), net)
		}
		return small(t, "literal").String()
	}), 1, 3).Draw(t, "peers")
	if in && rapid.Bool().Draw(t, "has to") {
		r.local = everywhere
	}
	return r
}

// text writes the model as a fleet file. shuffle permutes whatever has no order.
func (m model) text(shuffle func([]string) []string) string {
	list := func(items []string) string {
		quoted := make([]string, len(items))
		for i, s := range shuffle(items) {
			quoted[i] = `"` + s + `"`
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	rules := func(key, peers string, rules []modelRule) string {
		var items []string
		for _, r := range rules {
			verb := map[bool]string{true: "deny", false: "allow"}[r.deny]
			s := fmt.Sprintf("{ %s = %s, %s = %s, allow_empty = true", verb, list(r.services), peers, list(r.peers))
			if len(r.local) > 0 {
				s += ", to = " + list(r.local)
			}
			items = append(items, s+" }")
		}
		return key + " = [ " + strings.Join(shuffle(items), ", ") + " ]\n"
	}
	names := func(prefix string, numbers []int) []string {
		var s []string
		for _, n := range numbers {
			s = append(s, fmt.Sprintf("%s%d", prefix, n))
		}
		return s
	}
	tables := []string{"[defaults]\nantispoof = false\n", "[management]\nfrom = [\"10.0.0.3\", \"fd00::3\"]\n"}
	for i, s := range m.sets {
		tables = append(tables, fmt.Sprintf("[sets.s%d]\naddresses = %s\nallow_empty = true\n", i, list(s)))
	}
	for i, r := range m.roles {
		tables = append(tables, fmt.Sprintf("[roles.r%d]\nextends = %s\ninbound = %q\noutbound = %q\nping = %t\n", i, list(names("r", r.extends)), r.inbound, r.outbound, r.ping)+
			rules("in", "from", r.in)+rules("out", "to", r.out))
	}
	for i, h := range m.hosts {
		nets := shuffle([]string{"n0 = " + list(h.nets[0]), "n1 = " + list(h.nets[1])})
		tables = append(tables, fmt.Sprintf("[hosts.h%d]\nroles = %s\naddresses = { %s }\n", i, list(names("r", h.roles)), strings.Join(nets, ", "))+
			rules("in", "from", h.in)+rules("out", "to", h.out))
	}
	return "version = 1\n" + strings.Join(shuffle(tables), "")
}

func asWritten(s []string) []string { return s }

// closure is the roles of a host with all they extend.
func (m model) closure(roles []int) []int {
	var list []int
	for _, r := range roles {
		for _, n := range append([]int{r}, m.closure(m.roles[r].extends)...) {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	return list
}

// verdict decides a packet on host h from the model alone.
func (m model) verdict(h int, k verdict.Packet) inventory.Verdict {
	remote, local, port := k.Src, k.Dst, k.DstPort
	if k.Direction == roles.Output {
		remote, local, port = k.Dst, k.Src, k.SrcPort
	}
	mgmt := remote == netip.MustParseAddr("10.0.0.3") || remote == netip.MustParseAddr("fd00::3")
	if k.Proto == space.TCP && port == 22 && mgmt {
		return inventory.Accept
	}
	otherwise, ping := inventory.Verdict(""), true
	for _, r := range m.hosts[h].roles {
		v := inventory.Verdict(m.roles[r].inbound)
		if k.Direction == roles.Output {
			v = inventory.Verdict(m.roles[r].outbound)
		}
		if otherwise == "" || v == inventory.Drop || otherwise == inventory.Accept {
			otherwise = v
		}
		ping = ping && m.roles[r].ping
	}
	if otherwise == "" {
		otherwise = map[roles.Direction]inventory.Verdict{roles.Input: inventory.Drop, roles.Output: inventory.Accept}[k.Direction]
	}
	rules := slices.Clone(m.hosts[h].in)
	if k.Direction == roles.Output {
		rules = slices.Clone(m.hosts[h].out)
	}
	for _, r := range m.closure(m.hosts[h].roles) {
		if k.Direction == roles.Input {
			rules = append(rules, m.roles[r].in...)
		} else {
			rules = append(rules, m.roles[r].out...)
		}
	}
	for _, deny := range []bool{true, false} {
		for _, r := range rules {
			if r.deny == deny && m.speaksOf(r, k, remote, local) {
				switch {
				case !deny:
					return inventory.Accept
				case otherwise == inventory.Accept:
					return inventory.Reject
				}
				return otherwise
			}
		}
		if deny && ping && isPing(k) {
			return inventory.Accept
		}
	}
	if line := lifelineOf(k); line != nil && !slices.ContainsFunc(rules, func(r modelRule) bool { return r.takesOver(line) }) {
		return inventory.Accept
	}
	return otherwise
}

// lifelineOf is every way of the model to name the service by which a closed
// host may send the packet anywhere; nil if there is none.
func lifelineOf(k verdict.Packet) []string {
	switch {
	case k.Direction != roles.Output:
	case k.DstPort == 53 && (k.Proto == space.TCP || k.Proto == space.UDP):
		return []string{"dns", "udp/53"}
	case k.DstPort == 123 && k.Proto == space.UDP:
		return []string{"ntp"}
	}
	return nil
}

// takesOver reports whether the rule, whoever it stands for, is an allow that
// names the service.
func (r modelRule) takesOver(names []string) bool {
	return !r.deny && slices.ContainsFunc(r.services, func(s string) bool { return slices.Contains(names, s) })
}

func (m model) speaksOf(r modelRule, k verdict.Packet, remote, local netip.Addr) bool {
	served := slices.ContainsFunc(r.services, func(s string) bool {
		tcp, udp := k.Proto == space.TCP, k.Proto == space.UDP
		switch s {
		case "all":
			return true
		case "ping":
			return isPing(k)
		case "http":
			return tcp && k.DstPort == 80
		case "https":
			return tcp && k.DstPort == 443
		case "dns":
			return (tcp || udp) && k.DstPort == 53
		case "udp/53":
			return udp && k.DstPort == 53
		case "tcp/50-60":
			return tcp && k.DstPort >= 50 && k.DstPort <= 60
		case "ntp":
			return udp && k.DstPort == 123
		case "udp/100-130":
			return udp && k.DstPort >= 100 && k.DstPort <= 130
		}
		return tcp && k.DstPort >= 80 && k.DstPort <= 90
	})
	return served && m.named(r.peers, remote) && (len(r.local) == 0 || m.named(r.local, local))
}

// named reports whether one of the references stands for the address.
func (m model) named(refs []string, a netip.Addr) bool {
	return slices.ContainsFunc(refs, func(ref string) bool {
		kind, name, cut := strings.Cut(ref, ":")
		if ref == "any" {
			return true
		}
		if !cut || kind == "fd00" {
			from, to, ok := strings.Cut(ref, "-")
			if !ok {
				to = from
			}
			return inRange(from, to, a)
		}
		name, net, _ := strings.Cut(name, "@")
		n := int(name[1] - '0')
		switch kind {
		case "set":
			return m.named(m.sets[n], a)
		case "host":
			return m.owns(n, net, a)
		}
		for h := range m.hosts {
			if slices.Contains(m.hosts[h].roles, n) && m.owns(h, net, a) {
				return true
			}
		}
		return false
	})
}

func isPing(k verdict.Packet) bool {
	return k.Proto == space.ICMP && k.Type == 8 || k.Proto == space.ICMPv6 && k.Type == 128
}

func (m model) owns(h int, net string, a netip.Addr) bool {
	return net != "n1" && slices.Contains(m.hosts[h].nets[0], a.String()) ||
		net != "n0" && slices.Contains(m.hosts[h].nets[1], a.String())
}

func inRange(from, to string, a netip.Addr) bool {
	return holds([]inventory.AddrRange{{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}}, a)
}

func drawPacket(t *rapid.T) verdict.Packet {
	k := verdict.Packet{
		Direction: rapid.SampledFrom([]roles.Direction{roles.Input, roles.Output}).Draw(t, "direction"),
		Proto:     rapid.SampledFrom([]uint8{space.TCP, space.UDP, space.ICMP, 47}).Draw(t, "proto"),
		SrcPort:   rapid.SampledFrom([]uint16{22, 50000}).Draw(t, "sport"),
		DstPort:   rapid.SampledFrom([]uint16{22, 53, 80, 85, 90, 91, 123, 443}).Draw(t, "dport"),
	}
	six := rapid.Bool().Draw(t, "is IPv6")
	k.Src, k.Dst = smallOf(t, "src", six), smallOf(t, "dst", six)
	if k.Proto == space.ICMP {
		k.Type = 8
		if six {
			k.Proto, k.Type = space.ICMPv6, 128
		}
	}
	return k
}
