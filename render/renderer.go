package render

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"

	"fwpush/inventory"
	"fwpush/roles"
)

// renderer holds a policy whose names and addresses are settled. It is read
// only: each block is made from it without regard to the others.
type renderer struct {
	p          roles.Policy
	anyone     bool // management from anywhere, because the file said allow_any
	management addresses
	named      map[identity]addresses
	stems      map[identity]string
}

func newRenderer(p roles.Policy) (*renderer, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	named, err := namedPeers(slices.Concat(p.In, p.Out))
	if err != nil {
		return nil, err
	}
	r := &renderer{p: p, named: named, stems: stems(slices.Collect(maps.Keys(named)))}
	r.anyone = slices.ContainsFunc(p.Management.Peers, isAny)
	if r.management, err = mergePeers(p.Management.Peers...); err != nil {
		return nil, err
	}
	if !r.anyone && r.management.empty() {
		return nil, errors.New("no address may reach sshd; name one in management.from")
	}
	return r, nil
}

func isAny(p roles.Peer) bool { return p.Kind == roles.Any }

// decided is where the file settles a key, for the lines that follow from it.
func (r *renderer) decided(key string) []inventory.Place {
	if d, ok := r.p.Decided[key]; ok && d.Place.File != "" {
		return []inventory.Place{d.Place}
	}
	return nil
}

// setBlocks declares the sets by name, the management sets first. A family
// without addresses gets no set: no rule would refer to it.
func (r *renderer) setBlocks() []block {
	var out []block
	if !r.anyone {
		out = declare(managementSet, r.management)
	}
	ids := slices.SortedFunc(maps.Keys(r.stems), func(a, b identity) int {
		return cmp.Compare(r.stems[a], r.stems[b])
	})
	for _, id := range ids {
		out = append(out, declare(r.stems[id], r.named[id])...)
	}
	return out
}

// declare writes one element a line, so that a difference shows the address
// that changed and not the whole set.
func declare(stem string, a addresses) []block {
	var out []block
	for _, f := range families {
		ranges := a.of(f)
		if len(ranges) == 0 {
			continue
		}
		b := block{head: "set " + stem + f.digit}
		b.add(plain("type "+f.setType, "flags interval", "elements = {")...)
		for _, e := range ranges {
			b.add(plain("\t" + element(e) + ",")...)
		}
		b.add(plain("}")...)
		out = append(out, b)
	}
	return out
}

// managementPair is one half of the pair: stateless, so that it holds before
// connection tracking knows the connection and while it knows it wrongly.
// address and port are "saddr" and "dport" for input, "daddr" and "sport" for
// output.
func (r *renderer) managementPair(address, port string) []line {
	ssh := "tcp " + port + " " + portSet(r.p.Management.Ports) + " accept"
	if r.anyone {
		return plain(ssh)
	}
	var out []line
	for _, f := range families {
		if len(r.management.of(f)) > 0 {
			out = append(out, plain(f.keyword+" "+address+" @"+managementSet+f.digit+" "+ssh)...)
		}
	}
	return out
}

// portSet is a port, or an anonymous set of ports in order.
func portSet(ports []uint16) string {
	ports = slices.Compact(slices.Sorted(slices.Values(ports)))
	if len(ports) == 1 {
		return strconv.Itoa(int(ports[0]))
	}
	s := "{ "
	for i, p := range ports {
		if i > 0 {
			s += ", "
		}
		s += strconv.Itoa(int(p))
	}
	return s + " }"
}
