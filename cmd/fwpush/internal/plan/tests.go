package plan

import (
	"fmt"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
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
	return f.Fleet.Annotate(found)
}

// Explain says in one line what became of a packet of a failed test.
func Explain(bad expect.Failure) string {
	if bad.Host == "" {
		return fmt.Sprintf("%s meets no rules: neither %s nor %s is a host of this file", bad.Packet, bad.From, bad.To)
	}
	o := bad.Outcome
	verdict := string(o.Verdict)
	switch o.Verdict {
	case inventory.Accept:
		verdict = "accepted"
	case inventory.Reject:
		verdict = "rejected"
	case inventory.Drop:
		verdict = "dropped"
	}
	if bad.Allowed && o.Verdict == inventory.Accept {
		return fmt.Sprintf("%s would be sent elsewhere by the %s of %s, %s", bad.Packet, o.NAT.Kind, bad.Host, o.NAT.Place)
	}
	text := bad.Packet
	if bad.Behind != nil {
		text += fmt.Sprintf(" (behind %s)", bad.Behind)
	}
	text += fmt.Sprintf(" would be %s in %s of %s by %s", verdict, bad.At, bad.Host, o.Why())
	if place := o.Place.String(); place != "" {
		text += ", " + place
	}
	return text
}

func remedy(bad expect.Failure) string {
	switch {
	case bad.Host == "":
		return ""
	case bad.Outcome.Verdict != inventory.Accept && bad.Outcome.Verdict != inventory.Drop && bad.Outcome.Verdict != inventory.Reject:
		return "say raw_ok = true in the test if the raw text is right"
	case bad.Allowed:
		return fmt.Sprintf("the test allows %s", bad.Ask.Service)
	}
	return fmt.Sprintf("the test denies %s", bad.Ask.Service)
}
