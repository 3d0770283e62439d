package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Run is a run that is being recorded. While it is open its file is locked: that is how
// others tell a run that goes on from one whose controller died. Its methods may be
// called from any goroutine.
type Run struct {
	root *os.Root
	sink *sink
	now  func() time.Time

	mu    sync.Mutex
	head  Header
	ended map[string]Ended
	log   eventLog
	over  bool
}

// ErrGoesOn says that a run has not ended yet.
var ErrGoesOn = errors.New("it goes on in another fwpush")

var errOver = errors.New("the run is not recorded any more")

// Begin records that a run begins. When it returns, that survives a loss of power.
// An error means that there is no record, and that nothing should be changed: a disk
// that is full now is full when a decision is to be kept, too.
func (s *Store) Begin(h Header) (*Run, error) {
	if err := checkRun(h.Run); err != nil {
		return nil, err
	}
	root, err := s.create()
	if err != nil {
		return nil, err
	}
	r := &Run{root: root, now: s.now, head: h, ended: map[string]Ended{}}
	if err := r.begin(s.Events); err != nil {
		root.Close()
		return nil, fmt.Errorf("cannot record the run in %s: %w; --state-dir names another directory", s.dir, err)
	}
	prune(root, s.now())
	return r, nil
}

// begin makes the directory under another name, so that nobody ever sees a run without
// a header or without its lock.
func (r *Run) begin(events io.Writer) (err error) {
	lines, err := r.opening()
	if err != nil {
		return err
	}
	final := filepath.Join(runsDir, r.head.Run)
	if _, err := r.root.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run %s: %w", r.head.Run, errors.Join(fs.ErrExist, err))
	}
	draft := filepath.Join(runsDir, draftPrefix+r.head.Run+"."+pid())
	if err := r.root.Mkdir(draft, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.root.RemoveAll(draft))
		}
	}()
	f, err := r.root.OpenFile(filepath.Join(draft, eventFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	r.log.f, r.log.name = f, filepath.Join(r.root.Name(), eventsOf(r.head.Run))
	err = lock(f, syscall.LOCK_EX, 0)
	if err == nil {
		_, err = f.Write(lines)
		r.log.size = int64(len(lines))
	}
	for _, step := range []func() error{
		f.Sync,
		func() error { return syncDir(r.root, draft) },
		func() error { return r.root.Rename(draft, final) }, // over no directory that has something in it: rename(2)
		func() error { return syncDir(r.root, runsDir) },
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.sink = newSink(events, r.now)
	r.sink.put(lines)
	return nil
}

// opening is the header and a line for each host: in one line a large fleet would be
// longer than anybody has to read.
func (r *Run) opening() ([]byte, error) {
	h := r.head
	h.Who = clip(h.Who)
	h.Options = maps.Clone(h.Options)
	for name, value := range h.Options {
		h.Options[name] = clip(value)
	}
	at := r.now()
	lines, err := encode(at, h)
	if err != nil {
		return nil, err
	}
	for _, host := range h.Hosts {
		line, err := encode(at, host)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", host.Name, err)
		}
		lines = append(lines, line...)
	}
	return lines, nil
}

// Resume opens the record of an earlier run for a command that goes on with it. It is
// refused while the run still goes on.
func (s *Store) Resume(run string, a Again) (*Run, error) {
	if err := checkRun(run); err != nil {
		return nil, err
	}
	root, err := s.root()
	if err != nil {
		return nil, noRun(run, err)
	}
	r := &Run{root: root, now: s.now, ended: map[string]Ended{}}
	if err := r.resume(run); err != nil {
		root.Close()
		return nil, noRun(run, err)
	}
	r.sink = newSink(s.Events, s.now)
	if err := errors.Join(r.Write(a), r.Sync()); err != nil {
		return nil, noRun(run, errors.Join(err, r.Close()))
	}
	return r, nil
}

// resumePatience is how long a run that is looked at by others may look as if it went
// on: they hold a shared lock for a moment.
const resumePatience = time.Second

func (r *Run) resume(run string) error {
	f, err := r.root.OpenFile(eventsOf(run), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	err = lock(f, syscall.LOCK_EX, resumePatience)
	if errors.Is(err, errHeld) {
		err = ErrGoesOn
	}
	var record Record
	whole := int64(0)
	if err == nil {
		record, err = read(f, run)
	}
	if err == nil {
		whole, err = wholeLines(f)
	}
	if err == nil {
		err = f.Truncate(whole) // a line that was torn when the controller died
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.head = record.Header
	for _, h := range record.Hosts {
		r.head.Hosts = append(r.head.Hosts, h.Host)
		if h.Ended != nil {
			r.ended[h.Name] = *h.Ended
		}
	}
	r.log.f, r.log.name, r.log.size = f, f.Name(), whole
	return nil
}

// wholeLines is where the last line of a file ends.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	tail := make([]byte, min(info.Size(), maxLine))
	start := info.Size() - int64(len(tail))
	if _, err := f.ReadAt(tail, start); err != nil {
		return 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if end == 0 {
		return 0, errors.New("its last line has no end and is longer than any")
	}
	return start + int64(end), nil
}

// Write appends an event. It is in the file when this returns and survives the death of
// this program, and with Sync a loss of power. An error, such as of a full disk, leaves
// the file readable; what is missing is tried again with the next event.
func (r *Run) Write(e Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(e)
}

func (r *Run) write(e Event) error {
	if r.over {
		return errOver
	}
	e = bounded(e)
	at := r.now()
	line, err := encode(at, e)
	if err != nil {
		return err
	}
	if end, ok := e.(Ended); ok {
		r.ended[end.Host] = end
	}
	if shown, err := encode(at, public(e)); err == nil {
		r.sink.put(shown)
	}
	return r.log.add(at, line)
}

// Sync returns when every event so far survives a loss of power, or says why not.
func (r *Run) Sync() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return errOver
	}
	return r.log.sync()
}

// Finish records the end of the run, brings the index of known hosts up to date, and
// closes. Outcomes are counted here. An error says what of it is not on the disk.
func (r *Run) Finish(d Done) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d.Outcomes = map[string]int{}
	for _, end := range r.ended {
		d.Outcomes[end.Outcome]++
	}
	err := errors.Join(r.write(d), r.log.sync())
	if !r.over {
		if indexed := r.index(); indexed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", hostsFile, indexed))
		}
	}
	return errors.Join(err, r.close())
}

// Close lets go of a record. Without Finish before it the run counts as one whose
// controller died.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.close()
}

func (r *Run) close() error {
	if r.over {
		return nil
	}
	r.over = true
	_ = r.log.flush() // what it could not do, lacks tells
	err := errors.Join(r.log.lacks(), r.log.f.Close(), r.root.Close())
	r.sink.close()
	return err
}
