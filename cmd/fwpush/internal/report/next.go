package report

import (
	"errors"
	"slices"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// Ending is what a run is told of by, beside its results.
type Ending struct {
	Run  string // its id, "" if there was nothing to push
	Took time.Duration
	// Again, if set, is the command for hosts that want another try; their names are
	// added. Without it the run is resumed.
	Again []string
	Drill bool // nothing of the run is there to be confirmed
	Typing
}

// Typing is how a command has to be typed that goes on with what another one was about.
type Typing struct {
	Given []string // flags that are needed again: they were given, too
	Fleet []string // the flag that names the fleet file, where it is not the one here or above
}

// OfRun is a command about a run. Where its fleet file is stands in its record.
func (t Typing) OfRun(words ...string) string { return line(words, t.Given) }

// OfHosts is a command that looks for the fleet file by itself.
func (t Typing) OfHosts(words ...string) string { return line(words, t.Fleet, t.Given) }

func line(words ...[]string) string {
	text := "fwpush"
	for _, w := range slices.Concat(words...) {
		text += " " + ui.Shell(w)
	}
	return text
}

// next are the commands that get on from where a run has ended, those first that cannot
// wait.
func (e Ending) next(results []rollout.Result) []string {
	hosts := map[step][]string{}
	for _, r := range results {
		s := e.step(r)
		hosts[s] = append(hosts[s], r.Name)
	}
	var commands []string
	if len(hosts[decide]) > 0 && e.Run != "" && e.Drill {
		commands = append(commands, e.OfRun("revert", e.Run)+"   # takes the marker back now")
	} else if len(hosts[decide]) > 0 && e.Run != "" {
		keep, back := e.OfRun("confirm", e.Run), e.OfRun("revert", e.Run)
		commands = append(commands, keep+"   # keeps the new rules", back+strings.Repeat(" ", len(keep)-len(back))+"   # takes them back now")
	}
	if len(hosts[look]) > 0 {
		commands = append(commands, e.OfHosts("status", "-l", inventory.Fold(hosts[look])))
	}
	if len(hosts[goBack]) > 0 {
		commands = append(commands, e.OfHosts("rollback", "-l", inventory.Fold(hosts[goBack]))+"   # takes confirmed rules back")
	}
	if len(hosts[again]) > 0 {
		commands = append(commands, e.retry(inventory.Fold(hosts[again])))
	} else if len(hosts[mend]) > 0 {
		commands = append(commands, e.retry(inventory.Fold(hosts[mend]))+"   # once that is mended")
	}
	return commands
}

// retry is the command for hosts that want another try. To resume a run takes no names.
func (e Ending) retry(hosts string) string {
	switch {
	case e.Again != nil:
		return e.OfHosts(append(slices.Clip(e.Again), hosts)...)
	case e.Run != "":
		return e.OfRun("apply", "--resume", e.Run)
	}
	return e.OfHosts("apply", "-l", hosts)
}

// step is what is to be done about a host.
type step int

const (
	nothing step = iota
	decide       // its rules wait for a confirm
	look         // nobody knows how it stands, or another try would end as this one
	goBack       // it was to be taken back, and is confirmed
	again        // it was not its turn, or could not be reached
	mend         // something is wrong with it, and another try may do then
)

// step is the next one for a host that ended so.
func (e Ending) step(r rollout.Result) step {
	switch {
	case r.Outcome == commit.OutcomePending:
		return decide
	case r.Err == nil:
		return nothing
	case r.Outcome == commit.OutcomeConfirmed && r.Stage == commit.StageRevert:
		return goBack
	case r.Outcome == commit.OutcomeUnknown, r.Outcome == commit.OutcomeConfirmed:
		return look
	case errors.Is(r.Err, rollout.ErrStopped), errors.Is(r.Err, rollout.ErrInterrupted),
		slices.Contains([]commit.Outcome{commit.OutcomeUnreachable, commit.OutcomeLocked, rollout.OutcomeSkipped}, r.Outcome):
		return again
	case e.Again != nil:
		return look
	}
	return mend
}
