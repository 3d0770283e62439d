package plan

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/verdict"
)

// Test runs the tests of the file on what it means for the whole fleet.
func (f *File) Test() []expect.Result {
	tests, _ := roles.CompileTests(f.Fleet) // Read has told what is wrong with them
	return expect.NewFleet(f.Fleet, f.policies).Run(tests)
}

// Failures are what tests found, each at the service that a test asks about and
// with the place that decides.
func (f *File) Failures(results []expect.Result) inventory.Problems {
	var found inventory.Problems
	for _, r := range results {
		for _, bad := range r.Failures {
			found = append(found, inventory.Problem{Severity: inventory.Error, Place: bad.Ask.Place,
				Msg: fmt.Sprintf("test %q: %s", r.Name, Explain(bad)), Hint: remedy(bad)})
		}
		if r.Flows == 0 {
			found = append(found, inventory.Problem{Severity: inventory.Error, Place: r.Place,
				Msg: fmt.Sprintf("test %q asks nothing: nobody at one end and somebody else at the other has the family of its services", r.Name)})
		}
	}
	found.Sort()
	return found
}

// Explain says in one line what became of a packet of a failed test.
func Explain(bad expect.Failure) string {
	if bad.Host == "" {
		return fmt.Sprintf("%s meets no rules: neither %s nor %s is a host of this file", bad.Packet, bad.From, bad.To)
	}
	o := bad.Outcome
	if bad.Allowed && o.Verdict == inventory.Accept {
		return fmt.Sprintf("%s would be sent elsewhere by the %s of %s, %s", bad.Packet, o.NAT.Kind, bad.Host, o.NAT.Place)
	}
	text := bad.Packet
	if bad.Behind != nil {
		text += fmt.Sprintf(" (behind %s)", bad.Behind)
	}
	if by := bad.Packets.Interfaces(); len(by) > 0 {
		text += ", " + strings.Join(by, ", ") + ","
	}
	text += fmt.Sprintf(" would be %s in %s of %s by %s", verdict.Past(o.Verdict), bad.At, bad.Host, o.Why())
	if place := o.Place.String(); place != "" {
		text += ", " + place
	}
	for _, m := range bad.Nearest {
		if !slices.Contains(m.Parts, verdict.ServicePart) { // else it is about something else
			text += "; near: " + m.String()
		}
	}
	return text
}

func remedy(bad expect.Failure) string {
	switch {
	case bad.Host == "":
		return ""
	case bad.Outcome.Verdict == verdict.Undecided && bad.Outcome.Stage == verdict.Raw:
		return "say raw_ok = true in the test if the raw text is right"
	case bad.Outcome.Verdict == verdict.Undecided:
		return "let the rules of the target name all of these addresses, or write addresses by net and ifaces by the same names for the gateway"
	case bad.Allowed:
		return fmt.Sprintf("the test allows %s", bad.Ask.Service)
	}
	return fmt.Sprintf("the test denies %s", bad.Ask.Service)
}
