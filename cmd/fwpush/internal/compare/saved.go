package compare

import (
	"fmt"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/rollout"
	"fwpush/render"
)

// Saved is a change as a plan keeps it.
func (c Change) Saved(t rollout.Target) plan.SavedHost {
	h := plan.SavedHost{Name: c.Name, State: c.Fingerprint, Digest: c.Digest, Drift: c.Drift, Notes: c.Notes, Diff: c.diffText()}
	if c.Facts != nil {
		if rules, err := t.Fit(*c.Facts); err == nil {
			h.Backend = string(render.BackendOf(rules.Text))
		}
	}
	for _, f := range c.flows {
		h.Means = append(h.Means, fmt.Sprintf("newly %s: %s %s", f.kind, f.what, f.ends))
	}
	h.Probes = probesOf(t)
	return h
}
