package e2e

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// fleet is a fleet file for lab hosts.
type fleet struct {
	window  string   // "" is the standing one
	login   string   // how long one may take; "" is 3s
	from    []string // management; nil is the controller
	parts   []string // more tables
	entries []string // hosts
	coexist []string // other firewalls on all of them
}

// add gives a host an entry with roles and further lines.
func (f *fleet) add(h *host, roles string, lines ...string) {
	f.entries = append(f.entries, fmt.Sprintf("[hosts.%s]\nroles = [%s]\naddresses = [%q, %q]\n%s\n",
		h.Name(), roles, h.Addr4(), h.Addr6(), strings.Join(lines, "\n")))
}

func (f fleet) String() string {
	from := f.from
	if from == nil {
		from = []string{world.Addr4().String(), world.Addr6().String()}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `version = 1
fleet = "lab"

[defaults]
roles = ["base"]
coexist = [%s]
ssh = { user = "root", identity = %q, known_hosts = %q, connect_timeout = %q }

[management]
from = [%s]
`, quoted(f.coexist...), world.KeyFile(), world.KnownHosts(), cmp.Or(f.login, "3s"), quoted(from...))
	if f.window != "" {
		fmt.Fprintf(&b, "\n[rollout]\nwindow = %q\n", f.window)
	}
	for _, part := range append(f.parts, f.entries...) {
		b.WriteString("\n" + part)
	}
	return b.String()
}

// lockOut is the same fleet with strangers in place of the controller.
func (f fleet) lockOut(window string) fleet {
	f.window, f.from = window, []string{"192.0.2.1", "2001:db8::1"}
	return f
}

// webFleet is a fleet of hosts that all have the role web.
func webFleet(window string, hosts []*host) fleet {
	f := fleet{window: window}
	for _, h := range hosts {
		f.add(h, `"web"`)
	}
	return f
}

func quoted(words ...string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(list, ", ")
}

// addresses are those of a host, for a list in a fleet file.
func addresses(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return quoted(words...)
}
