package roles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
)

// echoRequest is the type of ICMP and of ICMPv6 that ping sends (RFC 792, RFC
// 4443).
const echoRequest, echoRequest6 = 8, 128

// pingTraffic is an echo request of either family.
func pingTraffic() Traffic { return Traffic{ICMP: []uint8{echoRequest}, ICMPv6: []uint8{echoRequest6}} }

// join is the union of two, sorted.
func (t Traffic) join(o Traffic) Traffic {
	if t.All || o.All {
		return Traffic{All: true}
	}
	return Traffic{
		Ports:  MergePorts(slices.Concat(t.Ports, o.Ports)),
		ICMP:   union(t.ICMP, o.ICMP),
		ICMPv6: union(t.ICMPv6, o.ICMPv6),
		Protos: union(t.Protos, o.Protos),
	}
}

func union(a, b []uint8) []uint8 {
	list := slices.Concat(a, b)
	slices.Sort(list)
	return slices.Compact(list)
}

// meets reports whether two have something in common.
func (t Traffic) meets(o Traffic) bool {
	share := func(a, b []uint8) bool {
		return slices.ContainsFunc(a, func(x uint8) bool { return slices.Contains(b, x) })
	}
	return t.All || o.All || meet(t.Ports, o.Ports) || share(t.ICMP, o.ICMP) || share(t.ICMPv6, o.ICMPv6) || share(t.Protos, o.Protos)
}

func compareTraffic(a, b Traffic) int {
	return cmp.Or(
		cmp.Compare(rank(b.All), rank(a.All)),
		slices.Compare(b.ICMP, a.ICMP), slices.Compare(b.ICMPv6, a.ICMPv6),
		slices.Compare(a.Protos, b.Protos),
		slices.CompareFunc(a.Ports, b.Ports, comparePorts))
}

// service is a service with everything it includes.
type service struct {
	Traffic
	helpers []Helper
}

// service resolves what a rule names: a service, or a literal such as "tcp/8443".
// What it cannot resolve is reported with ok false.
func (c *compiler) service(s inventory.At[string]) (service, bool) {
	if strings.Contains(s.V, "/") {
		p, err := inventory.ParsePort(s.V)
		if err != nil {
			c.errorAt(s.Place, err.Error(), "")
			return service{}, false
		}
		return service{Traffic: Traffic{Ports: []inventory.PortRange{p}}}, true
	}
	own, inFile := c.fleet.Services[s.V]
	standard, builtIn := builtIn(s.V)
	switch {
	case inFile && builtIn && !own.Override:
		c.redefined(own)
		return service{}, false
	case inFile:
		return c.fileService(own, nil)
	case builtIn:
		return service{Traffic: standard}, true
	}
	c.unknown(s.Place, "service", s.V, c.serviceNames())
	return service{}, false
}

// empty tells of services with mistakes that have been told, and nothing else.
func (s service) empty() bool {
	t := s.Traffic
	return !t.All && len(t.Ports)+len(t.ICMP)+len(t.ICMPv6)+len(t.Protos) == 0
}

// builtIn is a service compiled in.
func builtIn(name string) (Traffic, bool) {
	switch name {
	case services.All:
		return Traffic{All: true}, true
	case services.Ping:
		return pingTraffic(), true
	}
	if proto, ok := services.Proto(name); ok {
		return Traffic{Protos: []uint8{proto}}, true
	}
	ports, ok := services.Ports(name)
	return Traffic{Ports: ports}, ok
}

// fileService resolves a service of the fleet file. Path are the services that
// include it.
func (c *compiler) fileService(s inventory.Service, path []string) (service, bool) {
	if known, ok := c.services[s.Name]; ok {
		return known, true
	}
	var out service
	for _, p := range s.Ports {
		out.Ports = append(out.Ports, p.V)
	}
	for _, list := range []struct {
		from []inventory.At[uint8]
		to   *[]uint8
	}{{s.ICMP, &out.ICMP}, {s.ICMPv6, &out.ICMPv6}, {s.Protos, &out.Protos}} {
		for _, v := range list.from {
			*list.to = append(*list.to, v.V)
		}
	}
	out.Traffic = out.Traffic.join(Traffic{})
	if s.Helper.V != "" {
		out.helpers = []Helper{{s.Helper.V, out.Ports}}
	}
	ok := true
	path = append(path[:len(path):len(path)], s.Name)
	for _, name := range s.Include {
		part, good := c.included(name, path)
		if good && out.Traffic.meets(part.Traffic) {
			c.errorAt(name.Place, fmt.Sprintf("service %q has what it includes of %q already", s.Name, name.V), "take it out of one of the two")
			good = false
		}
		ok = ok && good
		out.Traffic = out.Traffic.join(part.Traffic)
		out.helpers = append(out.helpers, part.helpers...)
	}
	if ok {
		c.services[s.Name] = out
	}
	return out, ok
}

// included resolves a service that another one includes. One that overrides a
// built-in service may include that one.
func (c *compiler) included(name inventory.At[string], path []string) (service, bool) {
	own, inFile := c.fleet.Services[name.V]
	standard, isBuiltIn := builtIn(name.V)
	self := path[len(path)-1] == name.V
	switch {
	case isBuiltIn && (!inFile || self):
		return service{Traffic: standard}, true
	case !inFile:
		c.unknown(name.Place, "service", name.V, c.serviceNames())
		return service{}, false
	case slices.Contains(path, name.V):
		c.cycle(name.Place, path[slices.Index(path, name.V):], "take one of these services out of include")
		return service{}, false
	case isBuiltIn && !own.Override:
		c.redefined(own)
		return service{}, false
	}
	return c.fileService(own, path)
}

func (c *compiler) redefined(s inventory.Service) {
	c.errorAt(s.Place, fmt.Sprintf("service %q is built in", s.Name),
		"choose another name, or write override = true to replace it")
}

func (c *compiler) serviceNames() []string {
	names := slices.AppendSeq(services.Names(), maps.Keys(c.fleet.Services))
	slices.Sort(names)
	return slices.Compact(names)
}

// traffic is what a list of services is about.
func (c *compiler) traffic(list []inventory.At[string]) (service, bool) {
	var out service
	ok := true
	for _, s := range list {
		one, good := c.service(s)
		ok = ok && good
		out.Traffic = out.Traffic.join(one.Traffic)
		out.helpers = append(out.helpers, one.helpers...)
	}
	slices.SortFunc(out.helpers, compareHelpers)
	out.helpers = slices.CompactFunc(out.helpers, func(a, b Helper) bool { return compareHelpers(a, b) == 0 })
	return out, ok
}

func compareHelpers(a, b Helper) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), slices.CompareFunc(a.Ports, b.Ports, comparePorts))
}

// MergePorts sorts ranges by protocol and port and joins those that overlap or
// touch.
func MergePorts(list []inventory.PortRange) []inventory.PortRange {
	list = slices.Clone(list)
	slices.SortFunc(list, comparePorts)
	var out []inventory.PortRange
	for _, r := range list {
		// In int, because 65535+1 does not fit the type.
		if n := len(out); n > 0 && out[n-1].Proto == r.Proto && int(r.From) <= int(out[n-1].To)+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

func comparePorts(a, b inventory.PortRange) int {
	return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}
