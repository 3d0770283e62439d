package plan

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/reach"
)

// File is a fleet file and what it means.
type File struct {
	Fleet *inventory.Fleet
	// Problems are what is wrong or doubtful in it, sorted by place. With an
	// Error among them no host has a policy.
	Problems inventory.Problems
	// Names are notes about what names of sets stood for.
	Names inventory.Problems

	policies map[string]roles.Policy // by host
}

// Member is one selected host with what the file means for it.
type Member struct {
	Host   inventory.Host
	Policy roles.Policy
}

// Lookup finds the addresses of a name; nil is for verbs that make no rules, to which
// the names of sets stand for nobody.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// DNS is the Lookup of this machine.
func DNS(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// Source is where a fleet file is; with an empty Path it is the one here or above.
type Source struct {
	Path  string
	Named bool // by a person: such a file is read even if everybody may write to it
	// Programs print hosts that the file does not name. No file names one: reading a fleet
	// file runs nothing.
	Programs []string
}

// Read reads and compiles a fleet file. The error says that there is none; what is wrong
// in it is in Problems.
func Read(ctx context.Context, from Source, lookup Lookup) (*File, error) {
	if from.Path == "" {
		var err error
		if from.Path, err = inventory.Find("."); err != nil {
			return nil, err
		}
	}
	f := &File{policies: map[string]roles.Policy{}}
	programs, said, err := hear(ctx, from.Programs)
	if err != nil {
		return nil, err
	}
	f.Fleet, f.Problems = inventory.Load(from.Path, inventory.LoadOptions{Named: from.Named, Programs: programs})
	f.Problems = append(f.Problems, said()...)
	if slices.ContainsFunc(f.Problems.Errors(), func(p inventory.Problem) bool { return p.Place.Line == 0 }) {
		return f, nil // the file as a whole is no good: nothing can be said of what is in it
	}
	if lookup == nil {
		f.Fleet = f.Fleet.Unresolved()
	} else {
		var found inventory.Problems
		if f.Fleet, found = f.Fleet.Resolve(ctx, lookup); len(found.Errors()) > 0 {
			f.Problems = append(f.Problems, found.Errors()...)
		} else {
			f.Names = found
		}
	}
	meaning := roles.Check(f.Fleet)
	if len(f.Problems.Errors()) > 0 {
		meaning = meaning.Errors() // warnings about a file half understood would mislead
	}
	f.Problems = append(f.Problems, meaning...)
	if len(f.Problems.Errors()) == 0 {
		policies, _ := roles.CompileAll(f.Fleet) // Check has told what is to be told
		for i, p := range policies {
			if !f.Fleet.Hosts[i].Unmanaged {
				f.policies[p.Host] = p
			}
		}
	}
	f.Names.Sort()
	f.Problems.Sort()
	return f, nil
}

// Choose returns the selected hosts in the order of the fleet.
func (f *File) Choose(s inventory.Selection) ([]Member, error) {
	hosts, err := inventory.Select(f.Fleet, s)
	if err != nil {
		return nil, err
	}
	members := make([]Member, len(hosts))
	for i, h := range hosts {
		members[i] = Member{Host: h, Policy: f.policies[h.Name]}
	}
	return members, nil
}

// Policies are those of all hosts that get rules, by name.
func (f *File) Policies() map[string]roles.Policy { return f.policies }

// Reach is who may talk to whom.
func (f *File) Reach() (reach.Graph, error) { return reach.Of(f.Fleet, f.policies) }
