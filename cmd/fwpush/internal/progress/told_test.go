package progress

import (
	"errors"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

// TestNotesOfManyWaves tells a note of the first hosts that it is about, and at the end of
// all the others.
func TestNotesOfManyWaves(t *testing.T) {
	all := web(1, 11)
	waves := batches(11, 3)
	x, out := told(t, all, waves...)
	for n, w := range waves {
		x.p.event(rollout.Event{Wave: n + 1, Step: rollout.StepWave})
		for _, i := range w.Targets {
			r := &rollout.Result{Name: all[i], Result: commit.Result{Outcome: commit.OutcomeConfirmed}}
			r.Notes = []string{"not persistent: no boot"}
			if i == 10 {
				r.Notes = append(r.Notes, "the clock is off")
			}
			x.p.event(rollout.Event{Wave: n + 1, Host: r.Name, Step: rollout.StepEnded, Result: r})
		}
	}
	x.p.end()
	var notes []string
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "note: ") {
			notes = append(notes, line)
		}
	}
	const want = "canary: web[01-02] (2)  note: not persistent: no boot\nwave 3 of 3: web11  note: the clock is off\nweb[03-11] (9)  note: not persistent: no boot\n"
	if got := strings.Join(notes, ""); got != want {
		t.Errorf("got\n%s", out.String())
	}
}

// TestShadeOfReverts paints a revert red where it was not asked for.
func TestShadeOfReverts(t *testing.T) {
	all := web(1, 2)
	x := newPlay(t, 80, 24, Changes, all)
	x.end(1, commit.OutcomeReverted, nil, all...)
	colour := ui.ColourFor(ui.Always, nil, func(string) string { return "" })
	if got := x.p.board.final(colour, 80); !strings.Contains(got, colour.Green("reverted")) {
		t.Errorf("hosts that took back as they were asked to: %q", got)
	}
	x.end(1, commit.OutcomeReverted, errors.New("nobody got in"), all[1])
	if got := x.p.board.final(colour, 80); !strings.Contains(got, colour.Red("reverted")) {
		t.Errorf("one of them was not asked to: %q", got)
	}
}
