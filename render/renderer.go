package render

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// renderer holds a policy whose names and addresses are settled. It is read
// only: each chain is made from it without regard to the others.
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
	named, err := namedPeers(p)
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

// program puts the whole together.
func (r *renderer) program() program {
	var pr program
	pr.chains = append(pr.chains, chain{name: icmpIn, stmts: r.icmpIn()})
	if r.guardsOutput() {
		pr.chains = append(pr.chains, chain{name: icmpOut, stmts: r.icmpOut()})
	}
	base := []chain{r.input()}
	if r.speaksOfOutput() {
		base = append(base, r.output())
	}
	var beside []chain
	if r.p.Publishes {
		beside = append(beside, r.published())
	}
	if r.p.Forwards || r.p.Publishes {
		base = append(base, r.forward())
	}
	limits := r.sharedLimits()
	for _, c := range []struct {
		name, key string
		cast      []stmt
	}{{refuseIn, "inbound", dropCast()}, {refuseOut, "outbound", dropCastOut()}} {
		if slices.ContainsFunc(slices.Concat(base, limits, beside), func(from chain) bool { return from.goesTo(c.name) }) {
			pr.chains = append(pr.chains, chain{name: c.name, stmts: placedAt(r.decided(c.key), append(c.cast, rejects()...)...)})
		}
	}
	pr.chains = slices.Concat(pr.chains, limits, beside, base, r.translations())
	pr.sets = slices.DeleteFunc(r.sets(), func(s addressSet) bool { return !pr.asks(s) && !r.matchedByRaw(s) })
	pr.meters, pr.counters, pr.helpers = r.meters(), r.counters(), r.helpers()
	for i, raw := range r.p.Raw {
		if raw.Chain == "" {
			pr.table = append(pr.table, stmt{raw: &r.p.Raw[i], places: []inventory.Place{raw.Place}})
		}
	}
	return pr
}

func (c chain) goesTo(name string) bool {
	return slices.ContainsFunc(c.stmts, func(s stmt) bool { return s.do.to == name && (s.do.kind == jump || s.do.kind == jumpTo) })
}

// asks tells whether a statement refers to a set.
func (pr program) asks(set addressSet) bool {
	for _, c := range pr.chains {
		for _, s := range c.stmts {
			if (s.family == set.family) && (s.src.stem == set.stem || s.dst.stem == set.stem) {
				return true
			}
		}
	}
	return false
}

// matchedByRaw tells whether raw text refers to a set.
func (r *renderer) matchedByRaw(set addressSet) bool {
	name := "@" + set.stem + set.family.digit
	return slices.ContainsFunc(r.p.Raw, func(raw roles.Raw) bool {
		return slices.ContainsFunc(raw.Nft, func(l string) bool { return slices.Contains(strings.FieldsFunc(l, notOfAName), name) })
	})
}

// notOfAName tells what ends a name in nft text.
func notOfAName(c rune) bool { return strings.ContainsRune(" \t{},;:!=\"", c) }

// sets are the sets by name, the management sets first. A family without
// addresses gets no set: no rule would refer to it.
func (r *renderer) sets() []addressSet {
	var out []addressSet
	declare := func(stem string, a addresses) {
		for _, f := range families {
			if ranges := a.of(f); len(ranges) > 0 {
				out = append(out, addressSet{stem, f, ranges})
			}
		}
	}
	if !r.anyone {
		declare(managementSet, r.management)
	}
	ids := slices.SortedFunc(maps.Keys(r.stems), func(a, b identity) int {
		return cmp.Compare(r.stems[a], r.stems[b])
	})
	for _, id := range ids {
		declare(r.stems[id], r.named[id])
	}
	return out
}

// managementPair is one half of the pair: stateless, so that it holds before
// connection tracking knows the connection and while it knows it wrongly.
func (r *renderer) managementPair(d roles.Direction) []stmt {
	ports := slices.Compact(slices.Sorted(slices.Values(r.p.Management.Ports)))
	ssh := cond{proto: "tcp"}
	if d == roles.Output {
		ssh.sport = ports
	} else {
		ssh.ports = single("tcp", ports...)
	}
	at := placesOf(r.p.Management.Place)
	if r.anyone {
		return placedAt(at, accepting(ssh))
	}
	var out []stmt
	for _, f := range families {
		if len(r.management.of(f)) == 0 {
			continue
		}
		c := ssh
		c.family = f
		if d == roles.Output {
			c.dst = operand{stem: managementSet, given: true}
		} else {
			c.src = operand{stem: managementSet, given: true}
		}
		out = append(out, accepting(c))
	}
	return placedAt(at, out...)
}

func single(proto string, ports ...uint16) []inventory.PortRange {
	out := make([]inventory.PortRange, len(ports))
	for i, p := range ports {
		out[i] = inventory.PortRange{Proto: proto, From: p, To: p}
	}
	return out
}
