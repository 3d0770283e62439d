package plan

import (
	"fmt"

	"fwpush/inventory"
)

// Awaited reports keys of the fleet file that this version reads and checks and
// does not carry out. A verb that is about them must not run as if they were not
// there: a canary that is ignored is no canary. Logins are asked for by every verb
// that connects, changes by those that push rules.
func (f *File) Awaited(members []Member, changes bool) inventory.Problems {
	var found inventory.Problems
	seen := map[inventory.Place]bool{}
	tell := func(p inventory.Place, key, hint string) {
		if p.Line == 0 || seen[p] {
			return
		}
		seen[p] = true
		found = append(found, inventory.Problem{Severity: inventory.Error, Place: p, Msg: fmt.Sprintf("%s is not carried out yet", key), Hint: hint})
	}
	for _, m := range members {
		if m.Host.SSH.Jump != "" {
			tell(m.Host.SSH.Place, fmt.Sprintf("ssh.jump of host %q", m.Host.Name), "run fwpush where the host is reached directly, or leave the host out with -x")
		}
		if !changes {
			continue
		}
		if m.Host.Mode.V == "exclusive" {
			tell(m.Host.Mode.Place, `mode = "exclusive"`, "take the rules that stand there away by hand")
		}
		if m.Host.Timers.V == 1 {
			tell(m.Host.Timers.Place, "timers = 1", "two timers are proved")
		}
		for _, p := range m.Policy.Probes {
			tell(p.Place, "probe", "take it out, or leave its hosts out with -x: nothing would be probed")
		}
	}
	if changes {
		r := f.Fleet.Rollout
		const all = "take it out: the hosts of a run go together, up to parallel at once, and -l names those that go first"
		for _, key := range []struct {
			name  string
			place inventory.Place
		}{
			{"canary", placeOf(r.Canary)}, {"waves", placeOf(r.Waves)}, {"serial", placeOf(r.Serial)},
			{"max_failures", r.MaxFailures.Place}, {"max_unreachable", r.MaxUnreachable.Place}, {"soak", r.Soak.Place}, {"on_stop", r.OnStop.Place},
		} {
			tell(key.place, key.name+" of [rollout]", all)
		}
	}
	found.Sort()
	return f.Fleet.Annotate(found)
}

func placeOf[T any](list []inventory.At[T]) inventory.Place {
	if len(list) == 0 {
		return inventory.Place{}
	}
	return list[0].Place
}
