package plan

import (
	"fmt"
	"slices"

	"fwpush/inventory"
)

// Host finds a host of the fleet by its name.
func (f *File) Host(name string) (inventory.Host, bool) {
	i := slices.IndexFunc(f.Fleet.Hosts, func(h inventory.Host) bool { return h.Name == name })
	if i < 0 {
		return inventory.Host{}, false
	}
	return f.Fleet.Hosts[i], true
}

// Probes reads probes of the command line.
func (f *File) Probes(texts []string) (list []inventory.Probe, wrong inventory.Problems) {
	for i, text := range texts {
		name := "--probe"
		if len(texts) > 1 {
			name = fmt.Sprintf("--probe %d", i+1)
		}
		p, found := f.Fleet.ParseProbe(name, text)
		wrong = append(wrong, found...)
		list = append(list, p)
	}
	return list, wrong
}

// AddProbes has every member probed by more than its policy says.
func AddProbes(members []Member, more []inventory.Probe) {
	for i, m := range members {
		members[i].Policy.Probes = append(slices.Clip(m.Policy.Probes), more...)
	}
}
