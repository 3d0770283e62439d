package compare

import (
	"fmt"
	"io"
	"strings"

	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// probesOf are what a host is probed for before its rules are confirmed. What is run
// there is told to the letter: it is a command that reaches a shell.
func probesOf(t rollout.Target) []string {
	list := make([]string, len(t.Probes))
	for i, p := range t.Probes {
		list[i] = p.String()
		if i < len(t.Policy.Probes) && t.Policy.Probes[i].Kind == "run" {
			list[i] = "run on it"
			if t.Policy.Probes[i].Become {
				list[i] += " as root"
			}
			if t.Policy.Probes[i].Fails {
				list[i] += ", and it must fail"
			}
			list[i] += ": " + t.Policy.Probes[i].Text
		}
	}
	return list
}

// WriteProbes prints what the hosts that change are probed for, hosts with the same
// probes together.
func WriteProbes(w io.Writer, targets []rollout.Target, changes []Change) error {
	var order []string
	hosts := map[string][]string{}
	for i, c := range changes {
		probes := probesOf(targets[i])
		if c.Outcome != rollout.OutcomeChanged || len(probes) == 0 {
			continue
		}
		text := ""
		for _, p := range probes {
			text += "  " + ui.Safe(strings.ReplaceAll(p, "\n", `\n`)) + "\n"
		}
		if hosts[text] == nil {
			order = append(order, text)
		}
		hosts[text] = append(hosts[text], c.Name)
	}
	for _, text := range order {
		if _, err := fmt.Fprintf(w, "probes before %s (%d) is confirmed:\n%s", inventory.Fold(hosts[text]), len(hosts[text]), text); err != nil {
			return err
		}
	}
	return nil
}
