package roles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
)

// lintIfaces warns about words that no packet's interface will ever be: aliases
// with a typo, and nets where the interface of the net is meant.
func (told remarks) lintIfaces(rules []Rule, h inventory.Host) {
	for _, r := range rules {
		told.lintNames(r.Place, slices.Concat(r.InIfaces, r.OutIfaces), h)
	}
}

func (told remarks) lintNames(place inventory.Place, names []string, h inventory.Host) {
	for _, name := range names {
		isName := func(i inventory.At[string]) bool { return i.V == name }
		if slices.ContainsFunc(slices.Collect(maps.Values(h.Ifaces)), isName) {
			continue
		}
		// Interfaces are numbered, and eth1 is no typo of eth0.
		near := inventory.Nearest(name, slices.Sorted(maps.Keys(h.Ifaces)))
		isNet := slices.ContainsFunc(h.Addresses, func(n inventory.Net) bool { return n.Name == name })
		switch {
		case near != "" && digits(near) == digits(name):
			told.add(h.Name, remark{place, fmt.Sprintf("%q is taken for the name of an interface of ", name), fmt.Sprintf("; did you mean %q?", near),
				fmt.Sprintf("if it is the name of one, write %s = %q in ifaces", name, name)})
		case isNet && digits(name) == "":
			told.add(h.Name, remark{place, fmt.Sprintf("%q is taken for the name of an interface, but is that of a net of ", name), "",
				fmt.Sprintf("write %s = \"NAME\" in ifaces, with what the interface is called", name)})
		}
	}
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// lintPort22 warns about a rule for SSH on hosts whose sshd listens elsewhere.
func (told remarks) lintPort22(p Policy, h inventory.Host) {
	if slices.Contains(p.Management.Ports, 22) {
		return
	}
	ssh := inventory.PortRange{Proto: "tcp", From: 22, To: 22}
	denies, allows := byVerb(p.In)
	for _, r := range allows {
		open := slices.Contains(r.Ports, ssh)
		r.Traffic = Traffic{Ports: []inventory.PortRange{ssh}}
		if !open || shadow(r, denies) != nil {
			continue
		}
		rule := "the rule"
		if isStandard(r.Place) {
			rule += " at " + r.Place.String()
		}
		told.add(p.Host, remark{r.Place, fmt.Sprintf("%s opens port 22, but sshd listens on %d on ", rule, h.SSHDPorts[0].V), "",
			"allow the port of sshd, or take the rule out: management has its own way in"})
	}
}

// lintEntries warns about entries of nat that nothing comes of.
func (told remarks) lintEntries(p Policy, h inventory.Host) {
	for _, n := range p.NAT {
		told.lintNames(n.Place, slices.Concat(n.InIfaces, n.OutIfaces), h)
		if n.Kind == inventory.Redirect && !p.letsIn(n) {
			told.add(p.Host, remark{n.Place, fmt.Sprintf("redirect to port %d, which no rule lets in on ", n.ToPort), "",
				"redirect opens nothing: write an allow of that port in in"})
		}
	}
}

// letsIn reports whether something may let in what a redirect sends to the host.
func (p Policy) letsIn(n NAT) bool {
	isInput := func(r Raw) bool { return r.Chain == string(Input) }
	if slices.Contains(p.Management.Ports, n.ToPort) || slices.ContainsFunc(p.Raw, isInput) {
		return true
	}
	sent := Rule{From: n.From, InIfaces: n.InIfaces, Family: n.Family}
	for _, r := range n.Ports {
		sent.Ports = append(sent.Ports, inventory.PortRange{Proto: r.Proto, From: n.ToPort, To: n.ToPort})
	}
	packets := sent.packets()
	denies, allows := byVerb(p.In)
	return slices.ContainsFunc(allows, func(r Rule) bool { return r.packets().Meets(packets) && shadow(r, denies) == nil })
}
