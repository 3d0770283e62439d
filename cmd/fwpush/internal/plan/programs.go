package plan

import (
	"context"

	"fwpush/internal/ansible"
	"fwpush/inventory"
)

// hear runs programs that print hosts, one after the other. What they said is understood
// when the fleet file is read; said tells then what is wrong with it. The error is that of
// a program that said nothing.
func hear(ctx context.Context, paths []string) (list []inventory.Program, said func() inventory.Problems, err error) {
	var found inventory.Problems
	tell := func(path string, findings []ansible.Finding) (wrong bool) {
		for _, f := range findings {
			// No place in a file that a person could look up: the program is where it is.
			p := inventory.Problem{Place: inventory.Place{File: path, Line: 1, Of: f.Of}, Msg: f.Msg, Hint: f.Hint}
			if f.Of == "" {
				p.Place.Line = 0
			}
			if f.Note {
				p.Severity = inventory.Note
			}
			wrong = wrong || !f.Note
			found = append(found, p)
		}
		return wrong
	}
	for _, path := range paths {
		trust := inventory.TrustProgram(path)
		if found = append(found, trust...); len(trust.Errors()) > 0 {
			continue
		}
		text, err := ansible.Run(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		inv, findings := ansible.Read(text)
		if tell(path, findings) {
			continue // half an inventory would say that the other half is gone
		}
		list = append(list, inventory.Program{Name: path, Hosts: func(roles []string) inventory.Said {
			said, findings := inv.Said(roles)
			tell(path, findings)
			return said
		}})
	}
	return list, func() inventory.Problems { return found }, nil
}
