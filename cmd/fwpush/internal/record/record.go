package record

import (
	"sync"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/journal"
	"fwpush/internal/rollout"
)

// Log is where it is told that something could not be written down.
type Log interface {
	Tell(format string, args ...any)
}

// Recorder writes down what becomes of one run. It is a rollout.Journal. Its methods may
// be called from any goroutine. A nil Recorder writes nothing.
type Recorder struct {
	run   *journal.Run
	waves []rollout.Wave
	log   Log

	mu      sync.Mutex
	failing bool // told already
	begun   bool // a group was written down as about to be applied
	over    bool // the record is closed; a run that was left goes on for a moment
	wave    int  // of the group under way
}

// New writes into a run that has begun, with the waves it goes in.
func New(run *journal.Run, waves []rollout.Wave, log Log) *Recorder {
	return &Recorder{run: run, waves: waves, log: log}
}

// Applying says that a group is about to be applied, and returns once that is on disk.
// Where the first one cannot be written nothing may be changed; a disk that is full
// later is told of, and the run goes on: hosts are whole without it.
func (r *Recorder) Applying(wave int, hosts []string) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	first := !r.begun
	r.begun, r.wave = true, wave
	r.mu.Unlock()
	err := r.run.Write(journal.Applying{Wave: wave, Hosts: hosts})
	if err == nil {
		err = r.run.Sync()
	}
	if first {
		return err
	}
	r.told(err)
	return nil
}

// Decide writes down what a group has decided and on which evidence, before its hosts
// hear of it.
func (r *Recorder) Decide(d rollout.Decision, hosts []rollout.Decided) {
	if r == nil {
		return
	}
	r.mu.Lock()
	line := journal.Decision{Decision: string(d), Wave: r.wave}
	r.mu.Unlock()
	for _, h := range hosts {
		r.write(journal.Proved{Host: h.Host, Client: h.Evidence.Client, Server: h.Evidence.Server, Timers: h.Evidence.Timers,
			Left: h.Evidence.Left.Seconds(), Probes: h.Probes, Through: h.Through})
		line.Hosts = append(line.Hosts, journal.Decided{Host: h.Host, TX: h.TX, Nonce: h.Nonce, Seal: h.Seal})
	}
	if d != rollout.Leave {
		r.write(line)
	}
	r.told(r.run.Sync())
}

// Event writes down a step.
func (r *Recorder) Event(e rollout.Event) {
	if r == nil {
		return
	}
	switch e.Step {
	case rollout.StepWave:
		w := journal.Wave{Number: e.Wave, Hosts: e.Hosts}
		if e.Wave <= len(r.waves) {
			w.Name = r.waves[e.Wave-1].Name
		}
		r.write(w)
	case rollout.StepApplied:
		r.write(journal.Applied{Host: e.Host, Deadline: e.Deadline})
	case rollout.StepExtended:
		r.write(journal.Extended{Host: e.Host, Deadline: e.Deadline})
	case rollout.StepStopped:
		r.write(journal.Stopped{Why: e.Err.Error()})
	case rollout.StepEnded:
		r.Ended(*e.Result)
	}
}

// Interrupted writes down an interrupt.
func (r *Recorder) Interrupted(count int) {
	if r != nil {
		r.write(journal.Interrupted{Count: count})
	}
}

// Ended writes down how a host ended.
func (r *Recorder) Ended(res rollout.Result) {
	if r == nil {
		return
	}
	h := report.HostOf(res, "")
	r.write(journal.Ended{Host: h.Name, Outcome: h.Outcome, Stage: h.Stage, Error: h.Error, Hint: h.Hint, Digest: h.Digest, Previous: h.Previous,
		Deadline: res.Deadline, Connections: h.Connections, Execs: h.Execs, Seconds: h.Seconds, Drift: h.Drift, Notes: h.Notes, Late: h.Late})
}

// Finish writes down how the run ended.
func (r *Recorder) Finish(exit int, line string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.told(r.run.Finish(journal.Done{Exit: exit, Line: line}))
}

func (r *Recorder) write(e journal.Event) {
	r.mu.Lock()
	over := r.over
	r.mu.Unlock()
	if !over {
		r.told(r.run.Write(e))
	}
}

// told tells once that the disk does not take any more.
func (r *Recorder) told(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	again := r.failing
	r.failing = true
	r.mu.Unlock()
	if !again {
		r.log.Tell("the record of this run is not complete any more: %v; the hosts are whole without it", err)
	}
}
