package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrNoRun says that there is no record of a run.
var ErrNoRun = errors.New("no record of that run")

// State is how far a run has got.
type State string

// The states of a run.
const (
	Running  State = "running"  // a program has it open
	Finished State = "finished" // it said how it ended
	Died     State = "died"     // it did not, and nobody has it open: its controller died
)

// Record is all that is known of a run.
type Record struct {
	Header
	Began  time.Time
	Ended  time.Time // zero without Done
	State  State
	Done   *Done // nil if it has not ended, or if a command that went on with it has not
	Waves  []Wave
	Hosts  []HostRecord // in the order of the run; it stands for Header.Hosts, which is empty
	Again  []Again
	Stops  []Stopped
	Broken int // interrupts

	Damaged int // lines that cannot be understood
	Lost    int // lines that a full disk took
}

// HostRecord is all that is known of one host of a run. It is what was written, and no
// more to be trusted than the file it was read from.
type HostRecord struct {
	Host
	// Begun says that its group was about to be applied: if it has not Ended, the host
	// may run anything by now.
	Begun    bool
	Deadline time.Time // when it reverts, as last heard; zero if it was not applied
	Proved   *Proved
	Decision string  // Commit, Revert, or "" for none
	Decided  Decided // with secrets
	Ended    *Ended  // nil if it has not, or nobody was there to write it
}

// Outcome is how the host ended, "" if that is not known.
func (h HostRecord) Outcome() string {
	if h.Ended == nil {
		return ""
	}
	return h.Ended.Outcome
}

// Load reads the record of a run. A file that was torn or edited gives what of it can be
// understood; ErrNoRun is that there is none.
func (s *Store) Load(run string) (Record, error) {
	if err := checkRun(run); err != nil {
		return Record{}, err
	}
	root, err := s.root()
	if err != nil {
		return Record{}, noRun(run, err)
	}
	defer root.Close()
	r, err := load(root, run)
	return r, noRun(run, err)
}

// noRun names the run that an error is about.
func noRun(run string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = ErrNoRun
	}
	return fmt.Errorf("run %s: %w", run, err)
}

func load(root *os.Root, run string) (Record, error) {
	f, err := root.Open(eventsOf(run))
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	// Before the file is read: a run that ends meanwhile would look as if it had died.
	state := stateOf(f)
	r, err := read(f, run)
	if err != nil {
		return Record{}, err
	}
	if r.State = state; r.Done != nil {
		r.State = Finished
	}
	return r, nil
}

// stateOf says whether somebody has the file of a run open for writing.
func stateOf(f *os.File) State {
	if errors.Is(lock(f, syscall.LOCK_SH, 0), errHeld) {
		return Running
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // so it ends with f at the latest
	return Died
}

// Bounds of what is kept of a file that anything may stand in.
const (
	maxHosts = 100_000
	maxTold  = 1000 // waves, stops, commands
)

// reader makes a Record of lines.
type reader struct {
	Record
	index map[string]int // of hosts, by name
}

// read makes a Record of a file, its State aside.
func read(f *os.File, run string) (Record, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return Record{}, err
	case !info.Mode().IsRegular():
		return Record{}, fmt.Errorf("%s is no file", f.Name())
	case info.Size() > maxFile:
		return Record{}, fmt.Errorf("%s has %d bytes, %d at most", f.Name(), info.Size(), int64(maxFile))
	}
	r, err := parse(io.NewSectionReader(f, 0, info.Size()), run)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return r, nil
}

// parse makes a Record of what may be anything, and is of a run if its first line says so.
func parse(text io.Reader, run string) (Record, error) {
	r := reader{index: map[string]int{}}
	begun := false
	var bad error
	err := eachLine(text, func(line []byte) {
		if begun {
			r.line(line)
			return
		}
		begun, bad = true, r.first(line, run)
	})
	switch {
	case err != nil && !errors.Is(err, errTorn):
		return Record{}, err
	case !begun:
		return Record{}, errors.New("it has no first line")
	case bad != nil:
		return Record{}, bad
	}
	return r.Record, nil
}

// first takes the line without which a file is no record.
func (r *reader) first(line []byte, run string) error {
	h, e, err := decode(line)
	head, ok := e.(Header)
	switch {
	case err != nil || !ok:
		return errors.New("its first line is not that of a run")
	case h.Schema > schema:
		return fmt.Errorf("it was written by a newer fwpush (schema %d, and this one knows %d)", h.Schema, schema)
	case head.Run != run:
		return fmt.Errorf("it is the record of run %.64q", head.Run)
	}
	r.Header, r.Began = head, h.At
	return nil
}

// line takes any other line.
func (r *reader) line(line []byte) {
	h, e, err := decode(line)
	if err != nil {
		r.Damaged++
		return
	}
	switch e := e.(type) {
	case Host:
		r.with(e.Name, func(host *HostRecord) { host.Host = e })
	case Applying:
		for _, name := range e.Hosts {
			r.with(name, func(host *HostRecord) { host.Begun = true })
		}
	case Applied:
		r.with(e.Host, func(host *HostRecord) { host.Begun, host.Deadline = true, e.Deadline })
	case Extended:
		r.with(e.Host, func(host *HostRecord) { host.Deadline = e.Deadline })
	case Proved:
		r.with(e.Host, func(host *HostRecord) { host.Proved = &e })
	case Decision:
		for _, d := range e.Hosts {
			r.with(d.Host, func(host *HostRecord) { host.Decision, host.Decided = e.Decision, d })
		}
	case Ended:
		r.with(e.Host, func(host *HostRecord) { host.Ended = &e })
	case Wave:
		r.Waves = few(r.Waves, e)
	case Stopped:
		r.Stops = few(r.Stops, e)
	case Interrupted:
		r.Broken++
	case Again:
		r.Again = few(r.Again, e)
		r.Done, r.Ended = nil, time.Time{}
	case Done:
		r.Done, r.Ended = &e, h.At
	case lost:
		r.Lost += max(0, e.Lines)
	}
}

// with changes what is known of a host. One without a line of its own, such as in a
// damaged file, is known by its name alone.
func (r *reader) with(name string, change func(*HostRecord)) {
	i, known := r.index[name]
	if !known {
		if name == "" || len(r.Hosts) == maxHosts {
			r.Damaged++
			return
		}
		i = len(r.Hosts)
		r.index[name] = i
		r.Hosts = append(r.Hosts, HostRecord{Host: Host{Name: name}})
	}
	change(&r.Hosts[i])
}

func few[T any](list []T, e T) []T {
	if len(list) == maxTold {
		return list
	}
	return append(list, e)
}
