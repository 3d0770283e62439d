package roles

import (
	"slices"

	"fwpush/inventory"
	"fwpush/roles/internal/services"
)

// lifelines are the services that a host with a closed outbound keeps, because
// one that resolves no name and has the wrong time fails where nobody looks for
// a firewall.
var lifelines = [...]string{"dns", "ntp"}

// lifelinesBeside are the ports of the lifelines that none of the named ports
// belongs to. A service is kept or given up whole: a host that is told where to
// ask must not ask elsewhere over the other protocol.
func lifelinesBeside(named []inventory.PortRange) []inventory.PortRange {
	var kept []inventory.PortRange
	for _, service := range lifelines {
		if ports, _ := services.Ports(service); !meet(ports, named) {
			kept = append(kept, ports...)
		}
	}
	return MergePorts(kept)
}

// LifelineNames are the services that a closed outbound lets out to everywhere
// although no rule allows them.
func (p Policy) LifelineNames() []string {
	var names []string
	for _, service := range lifelines {
		if ports, _ := services.Ports(service); meet(ports, p.Lifelines) {
			names = append(names, service)
		}
	}
	return names
}

// named are the ports that allows name one by one, as they are written: also one
// that is left out because it stands for nobody or has expired, and one that names
// all beside them: the end of a rule must not open what it never did. A range that happens to hold the port of a lifeline is about something
// else. Services that do not exist are reported where the rules are compiled.
func (c *compiler) named(written []inventory.Rule) []inventory.PortRange {
	var ports []inventory.PortRange
	for _, w := range written {
		if w.Verb != inventory.AllowVerb {
			continue
		}
		for _, s := range w.Services {
			one, _ := c.service(s)
			ports = append(ports, one.Ports...)
		}
	}
	return slices.DeleteFunc(ports, func(p inventory.PortRange) bool { return p.From != p.To })
}

// meet reports whether two lists have a port in common.
func meet(a, b []inventory.PortRange) bool {
	return slices.ContainsFunc(a, func(x inventory.PortRange) bool {
		return slices.ContainsFunc(b, func(y inventory.PortRange) bool {
			return x.Proto == y.Proto && x.From <= y.To && y.From <= x.To
		})
	})
}
