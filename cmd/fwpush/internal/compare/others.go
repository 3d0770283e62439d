package compare

import (
	"fmt"
	"strings"

	"fwpush/internal/rollout"
	"fwpush/inventory"
	"fwpush/roles/meaning"
	"fwpush/roles/space"
)

// Others are the hosts of a fleet that are not selected. What changes on a selected
// host may be half of what was edited, and the other half theirs.
type Others struct {
	hosts []inventory.Host
	fleet space.Addrs // of all hosts, selected or not
}

// OthersOf are the hosts of a fleet that are not among the selected.
func OthersOf(fleet *inventory.Fleet, selected func(name string) bool) Others {
	var o Others
	var all []inventory.AddrRange
	for _, h := range fleet.Hosts {
		for _, a := range h.Addrs() {
			all = append(all, inventory.AddrRange{From: a, To: a})
		}
		if !h.Unmanaged && !selected(h.Name) {
			o.hosts = append(o.hosts, h)
		}
	}
	o.fleet = space.AddrsOf(all...)
	return o
}

// Notes are what is worth telling of changes that were not shown beforehand, by the
// policies that hosts kept until then.
func (o Others) Notes(targets []rollout.Target, kept map[string]string) []string {
	if len(o.hosts) == 0 {
		return nil
	}
	var notes []string
	hosts := map[string][]string{}
	for _, t := range targets {
		old, changed := kept[t.Host.Name]
		if !changed || t.Candidate.Remove {
			continue
		}
		_, list, _ := changes(t.Policy, old) // those that cannot be compared name nobody
		if n := o.note(list); n != "" {
			if hosts[n] == nil {
				notes = append(notes, n)
			}
			hosts[n] = append(hosts[n], t.Host.Name)
		}
	}
	for i, n := range notes {
		notes[i] = fmt.Sprintf("%s  note: %s", inventory.Fold(hosts[n]), n)
	}
	return notes
}

// note names those of the hosts that the other end of a change is, "" if there are
// none. Only ends that are hosts of the fleet count: a prefix that opens has many
// hosts in it, and none of them was edited for it.
func (o Others) note(changes []meaning.Change) string {
	var ends space.Addrs
	for _, c := range changes {
		for _, end := range []space.Addrs{c.Packets.Src, c.Packets.Dst} {
			if o.fleet.Covers(end) {
				ends = ends.Union(end)
			}
		}
	}
	var names []string
	for _, h := range o.hosts {
		for _, a := range h.Addrs() {
			if ends.Has(a) {
				names = append(names, h.Name)
				break
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	folded := inventory.Fold(names)
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	quoted := folded
	if strings.ContainsAny(folded, "[*?") {
		quoted = "'" + folded + "'"
	}
	return fmt.Sprintf("%s at the other end %s not selected: what was edited may change rules there too, see fwpush diff -l %s", folded, verb, quoted)
}
