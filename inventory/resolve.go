package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// lookupTime bounds all lookups of a fleet together.
const lookupTime = 10 * time.Second

// Resolve is the fleet with the names of its sets looked up, and a note for each: what
// is in a ruleset is what a name stood for where fwpush ran. A name that cannot be
// looked up, or that stands for no other machine, is an error: a rule must not shrink
// because DNS is down, nor open because it lies. Lookups of no name cost nothing.
func (f *Fleet) Resolve(ctx context.Context, lookup func(context.Context, string) ([]netip.Addr, error)) (*Fleet, Problems) {
	type answer struct {
		addresses []netip.Addr
		err       error
	}
	answers := map[string]*answer{}
	for _, s := range f.Sets {
		for _, n := range s.Names {
			answers[n.V] = &answer{}
		}
	}
	if len(answers) == 0 {
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	var group sync.WaitGroup
	for name, a := range answers {
		group.Go(func() { a.addresses, a.err = lookup(ctx, name) })
	}
	group.Wait()
	var problems Problems
	out := *f
	out.Sets = maps.Clone(f.Sets)
	for name, s := range f.Sets {
		s.Resolved = nil
		for _, n := range s.Names {
			a := answers[n.V]
			list, bad := usable(a.addresses, a.err)
			if bad != "" {
				problems = append(problems, Problem{Severity: Error, Place: n.Place, Msg: fmt.Sprintf("%s of set %q %s", n.V, name, bad),
					Hint: "mend it, or write addresses instead"})
				list, s.AllowEmpty = nil, true // one mistake is told once
			} else {
				problems = append(problems, Problem{Severity: Note, Place: n.Place, Msg: fmt.Sprintf("set %q: %s is %s", name, n.V, joined(list))})
			}
			s.Resolved = append(s.Resolved, Lookup{Name: n, Addresses: list})
		}
		out.Sets[name] = s
	}
	return &out, problems
}

// Unresolved is the fleet with names that stand for nobody, for verbs that make no
// rules: they must work where DNS is down.
func (f *Fleet) Unresolved() *Fleet {
	out := *f
	out.Sets = maps.Clone(f.Sets)
	for name, s := range out.Sets {
		if len(s.Names) == 0 {
			continue
		}
		s.Resolved = make([]Lookup, len(s.Names))
		s.AllowEmpty = true
		out.Sets[name] = s
	}
	return &out
}

// usable are the addresses of a name, sorted, or what is wrong with them.
func usable(list []netip.Addr, err error) ([]netip.Addr, string) {
	if err != nil {
		return nil, "does not resolve here: " + err.Error()
	}
	var out []netip.Addr
	for _, a := range list {
		a = a.Unmap().WithZone("")
		if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
			return nil, fmt.Sprintf("resolves to %s, which is no address of another machine", a)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, "resolves to no address"
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), ""
}

func joined(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
