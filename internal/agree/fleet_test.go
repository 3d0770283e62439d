package agree

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// The world is small, so that everything meets everything: the host under test has
// address 1, everybody else one up to 30, in both families.
const (
	own4, own6   = "10.9.0.1", "fd09::1"
	own          = 1
	mostAddress  = 30
	ifaceIn      = "eth0"
	otherIface   = "lan0"
	anotherIface = "wan.7"
)

var ifaceNames = []string{ifaceIn, otherIface, anotherIface}

func address(six bool, n int) netip.Addr {
	if six {
		return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x09, 15: byte(n)})
	}
	return netip.AddrFrom4([4]byte{10, 9, 0, byte(n)})
}

// drawn is a fleet file, and what is worth asking about.
type drawn struct {
	text  string
	edges []int    // last parts of addresses at which something begins or ends
	ports []uint16 // likewise
}

// drawFleet draws a fleet file without mistakes: the host under test is h, the
// others are there to be referred to.
func drawFleet(t *rapid.T) drawn {
	d := drawn{edges: []int{2, 7}, ports: []uint16{22, 53, 80}}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("version = 1")
	say("[management]\nfrom = [%q, %q]", address(false, 7), address(true, 7))
	for i := range 3 {
		say("[sets.s%d]\nallow_empty = true\naddresses = %s", i, quoted(d.ranges(t)))
	}
	say("[services.v0]\ninclude = [\"http\"]\nudp = [\"100-110\", 53]\nicmp = [\"timestamp-request\"]")
	say("[services.v1]\nproto = [\"gre\", 51]\nicmpv6 = [\"echo-request\", \"node-information-query\"]\nsctp = [80]")
	for i := range 3 {
		say("[roles.r%d]", i)
		d.settings(t, say)
		d.lists(t, say)
	}
	roles := rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 0, 3, rapid.ID)
	say("[hosts.h]\nroles = %s\naddresses = [%q, %q]", roleList(roles.Draw(t, "roles")), own4, own6)
	d.settings(t, say)
	d.lists(t, say)
	for i := range 3 {
		say("[hosts.h%d]\nroles = %s\naddresses = { n0 = [%q], n1 = [%q, %q] }", i, roleList(roles.Draw(t, "roles")),
			address(i == 1, 10+i), address(false, 20+i), address(true, 20+i))
		d.edges = append(d.edges, 10+i, 20+i)
	}
	d.text = b.String()
	return d
}

func roleList(numbers []int) string {
	var names []string
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("r%d", n))
	}
	return quoted(names)
}

func quoted(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = fmt.Sprintf("%q", w)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// ranges draws a few addresses, ranges and prefixes.
func (d *drawn) ranges(t *rapid.T) []string {
	var list []string
	for range rapid.IntRange(0, 3).Draw(t, "ranges") {
		six := rapid.Bool().Draw(t, "six")
		from := rapid.IntRange(2, mostAddress).Draw(t, "from")
		to := min(mostAddress, from+rapid.IntRange(0, 9).Draw(t, "span"))
		d.edges = append(d.edges, from, to, to+1)
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			list = append(list, address(six, from).String())
		case 1:
			bits := address(six, from).BitLen() - rapid.IntRange(1, 3).Draw(t, "bits")
			p, _ := address(six, from).Prefix(bits)
			list = append(list, p.String())
		case 2:
			list = append(list, map[bool]string{false: "0.0.0.0/1", true: "fd00::/8"}[six])
		default:
			list = append(list, address(six, from).String()+"-"+address(six, to).String())
		}
	}
	return list
}

func (d *drawn) settings(t *rapid.T, say func(string, ...any)) {
	maybe := func(key string, values ...string) {
		if rapid.IntRange(0, 2).Draw(t, "says "+key) == 0 {
			say("%s = %s", key, rapid.SampledFrom(values).Draw(t, key))
		}
	}
	maybe("inbound", `"drop"`, `"reject"`)
	maybe("outbound", `"accept"`, `"drop"`, `"reject"`)
	maybe("ping", "true", "false", `"1000/s"`)
	maybe("log", "true", "false")
	maybe("antispoof", "true", "false")
	for _, key := range []string{"dhcp_client", "igmp", "accept_ra", "sends_ra"} {
		maybe(key, "true", "false")
	}
}

func (d *drawn) lists(t *rapid.T, say func(string, ...any)) {
	for _, list := range []string{"in", "out", "forward"} {
		if list == "forward" && rapid.Bool().Draw(t, "no forward") {
			continue
		}
		say("%s = [", list)
		for range rapid.IntRange(0, 3).Draw(t, list) {
			say("  { %s },", d.rule(t, list))
		}
		say("]")
	}
}

func (d *drawn) rule(t *rapid.T, list string) string {
	verb := rapid.SampledFrom([]string{"allow", "allow", "allow", "deny", "drop", "reject"}).Draw(t, "verb")
	services := rapid.SliceOfN(rapid.Custom(d.service), 1, 3).Draw(t, "services")
	words := []string{verb + " = " + quoted(services), "allow_empty = true"}
	peers := func(key string) {
		if rapid.IntRange(0, 2).Draw(t, "anybody") > 0 {
			words = append(words, key+" = "+quoted(rapid.SliceOfN(rapid.Custom(d.peer), 1, 2).Draw(t, key)))
		}
	}
	ifaces := func(key string) {
		if rapid.IntRange(0, 3).Draw(t, "with "+key) == 0 {
			words = append(words, key+" = "+quoted(rapid.SliceOfNDistinct(rapid.SampledFrom(ifaceNames), 1, 2, rapid.ID).Draw(t, key)))
		}
	}
	if list != "out" {
		peers("from")
	}
	if list != "in" || rapid.IntRange(0, 3).Draw(t, "to the host") == 0 {
		peers("to")
	}
	if list == "forward" {
		ifaces("in_iface")
		ifaces("out_iface")
	} else {
		ifaces("iface")
	}
	if verb == "allow" && rapid.IntRange(0, 4).Draw(t, "limited") == 0 {
		// Never reached: a limit that is has no one answer.
		words = append(words, rapid.SampledFrom([]string{`rate = "1000/s burst 1000"`, `rate = "9999/s global burst 9999"`, `rate = "1000/s per net burst 1000"`}).Draw(t, "rate"))
	}
	if rapid.IntRange(0, 5).Draw(t, "ends") == 0 {
		words = append(words, "expires = 2037-12-31")
	}
	if rapid.IntRange(0, 5).Draw(t, "logged") == 0 {
		words = append(words, "log = true")
	}
	return strings.Join(words, ", ")
}

func (d *drawn) service(t *rapid.T) string {
	switch rapid.IntRange(0, 4).Draw(t, "service") {
	case 0:
		return rapid.SampledFrom([]string{"v0", "v1", "all", "ping", "gre"}).Draw(t, "of the file")
	case 1:
		return rapid.SampledFrom([]string{"http", "dns", "ntp", "ssh"}).Draw(t, "built in")
	}
	proto := rapid.SampledFrom([]string{"tcp", "tcp", "udp", "sctp"}).Draw(t, "proto")
	from := rapid.SampledFrom([]uint16{1, 22, 53, 80, 99, 1024, 65530}).Draw(t, "port")
	to := from + rapid.SampledFrom([]uint16{0, 0, 1, 5}).Draw(t, "span")
	d.ports = append(d.ports, from, to)
	if from > 1 {
		d.ports = append(d.ports, from-1)
	}
	if to < 65535 {
		d.ports = append(d.ports, to+1)
	}
	if from == to {
		return fmt.Sprintf("%s/%d", proto, from)
	}
	return fmt.Sprintf("%s/%d-%d", proto, from, to)
}

func (d *drawn) peer(t *rapid.T) string {
	net := rapid.SampledFrom([]string{"", "@n0", "@n1"}).Draw(t, "net")
	switch rapid.IntRange(0, 4).Draw(t, "peer") {
	case 0:
		return fmt.Sprintf("set:s%d", rapid.IntRange(0, 2).Draw(t, "set"))
	case 1:
		return fmt.Sprintf("host:h%d%s", rapid.IntRange(0, 2).Draw(t, "host"), net)
	case 2:
		return fmt.Sprintf("role:r%d", rapid.IntRange(0, 2).Draw(t, "role"))
	case 3:
		return "any"
	}
	if list := d.ranges(t); len(list) > 0 {
		return list[0]
	}
	return own6
}

// sortedEdges are what is worth asking about, each once.
func (d *drawn) sorted() {
	slices.Sort(d.edges)
	d.edges = slices.Compact(d.edges)
	slices.Sort(d.ports)
	d.ports = slices.Compact(d.ports)
}
