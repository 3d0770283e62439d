package plan

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/transport/sshconfig"
)

// AsSSH fills in what ssh says of how hosts are reached: of the members, of the hosts that
// their probes start at, and of those behind them, whose way in is tried. It is done once,
// after the policies are made: no ruleset depends on it. What it returns is about the
// members, in order. The error is about ssh's configuration, or how it does not go
// together with the fleet.
func (f *File) AsSSH(ctx context.Context, file string, members []Member) ([]sshconfig.Resolved, error) {
	index := map[string]int{}
	for i, h := range f.Fleet.Hosts {
		index[h.Name] = i
	}
	hosts := slices.Clone(f.Fleet.Hosts)
	r, err := sshconfig.New(file, func(name string) (inventory.Endpoint, bool) {
		i, known := index[name]
		if !known {
			return inventory.Endpoint{}, false
		}
		return f.Fleet.Hosts[i].SSH, true
	})
	if err != nil {
		return nil, err
	}
	needed := f.contacted(members, index)
	eps := make([]inventory.Endpoint, len(needed))
	for k, i := range needed {
		eps[k] = hosts[i].SSH
	}
	resolved, err := r.Resolve(ctx, eps)
	if err != nil {
		return nil, err
	}
	for k, i := range needed {
		hosts[i].SSH = resolved[k].Endpoint
	}
	owners := ownersOf(hosts)
	for _, i := range needed {
		ours(&hosts[i].SSH, owners)
	}
	if err := f.fits(hosts, needed); err != nil {
		return nil, err
	}
	fleet := *f.Fleet
	fleet.Hosts = hosts
	f.Fleet = &fleet
	for k := range members {
		members[k].Host = hosts[index[members[k].Host.Name]]
		resolved[k].Endpoint = members[k].Host.SSH
	}
	return resolved[:len(members)], nil
}

// contacted are the hosts that a run may connect to, the members first.
func (f *File) contacted(members []Member, index map[string]int) []int {
	var list []int
	seen := map[int]bool{}
	add := func(name string) {
		if i, known := index[name]; known && !seen[i] {
			seen[i] = true
			list = append(list, i)
		}
	}
	for _, m := range members {
		add(m.Host.Name)
	}
	for _, m := range members {
		for _, p := range m.Policy.Probes {
			if from, is := strings.CutPrefix(p.From.V, "host:"); is {
				add(from)
			}
		}
	}
	for _, h := range f.Fleet.Hosts {
		if i, known := index[h.SSH.Jump]; known && seen[i] && !h.Unmanaged {
			add(h.Name)
		}
	}
	return list
}

// ownersOf are the hosts by the addresses they are known by. One that several have is
// nobody's.
func ownersOf(hosts []inventory.Host) map[netip.Addr]string {
	owners := map[netip.Addr]string{}
	for _, h := range hosts {
		for _, a := range h.Addrs() {
			if of, taken := owners[a]; taken && of != h.Name {
				owners[a] = ""
			} else {
				owners[a] = h.Name
			}
		}
	}
	return owners
}

// ours gives a jump host of ssh_config the name that it has in the fleet, if its address
// is that of a host: then it is changed after the hosts behind it.
func ours(ep *inventory.Endpoint, owners map[netip.Addr]string) {
	if ep.Via == nil || !ep.Via.Outside {
		return
	}
	a, err := netip.ParseAddr(ep.Via.Address)
	if err != nil {
		return
	}
	if name := owners[a.Unmap()]; name != "" && name != ep.Name {
		ep.Jump = name
	}
}

// fits says what of ssh_config does not go together with the fleet: hosts that would be one
// machine, and connections that may take longer than hosts wait.
func (f *File) fits(hosts []inventory.Host, needed []int) error {
	taken := map[string]string{}
	for _, i := range needed {
		h := hosts[i]
		if h.Unmanaged {
			continue
		}
		way := fmt.Sprintf("%s port %d", h.SSH.Address, h.SSH.Port)
		key := fmt.Sprintf("%s %q", way, h.SSH.ProxyCommand)
		for hop := h.SSH.Via; hop != nil; hop = hop.Via {
			key += fmt.Sprintf(" %s %d", hop.Address, hop.Port)
		}
		if other, is := taken[key]; is {
			return fmt.Errorf("with ssh_config %s and %s are the same machine, %s; write an ssh.address of its own for each", other, h.Name, way)
		}
		taken[key] = h.Name
		if slowest := h.SSH.Slowest(); slowest >= f.Fleet.Rollout.Window && slowest > f.Fleet.Hosts[i].SSH.Slowest() {
			return fmt.Errorf("%s: with ssh_config a connection may take %s, and hosts wait %s; write ssh.connect_timeout in the fleet file, or a longer rollout.window", h.Name, slowest, f.Fleet.Rollout.Window)
		}
	}
	return nil
}
