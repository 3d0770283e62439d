package commit

import "time"

// Outcome is how a host ended. The words are those of the command line.
type Outcome string

const (
	OutcomeUnchanged   Outcome = "unchanged"
	OutcomeConfirmed   Outcome = "confirmed"
	OutcomeFailed      Outcome = "failed"      // the candidate never ran there
	OutcomeReverted    Outcome = "reverted"    // it ran, and the old rules are proven back
	OutcomeUnreachable Outcome = "unreachable" // no login before anything was staged
	OutcomePending     Outcome = "pending"     // applied, waits for a confirm
	OutcomeUnknown     Outcome = "unknown"     // neither confirmed nor proven reverted
	OutcomeLocked      Outcome = "locked"      // another run holds the host
)

// Stage is where a host's way ended.
type Stage string

const (
	StageConnect Stage = "connect"
	StageInspect Stage = "inspect"
	StageStage   Stage = "stage"
	StageArm     Stage = "arm"
	StageApply   Stage = "apply"
	StageConfirm Stage = "confirm"
	StageProbe   Stage = "probe"
	StagePersist Stage = "persist"
	StageRevert  Stage = "revert"
)

// Result is what is known about one host after a step. The zero Stage and a nil
// Err mean that it went as asked.
type Result struct {
	Outcome  Outcome
	Stage    Stage
	Err      error
	Hint     string    // what to do next, for people
	Notes    []string  // what else is worth telling of the host
	Facts    *Facts    // what the host said before anything changed; nil if it said nothing
	Health   *Health   // what was tried on the host, nil but for Examine
	Deadline time.Time // controller's clock; zero if no timer is armed
	Timers   []string  // the proved ones
	Holder   *Holder   // who holds a locked host
	Drilled  *Drilled  // of a drill: how the host says that it ended, nil if it did not
}

func failed(stage Stage, err error, hint string) Result {
	return Result{Outcome: OutcomeFailed, Stage: stage, Err: err, Hint: hint}
}
