package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
)

// Summary is a run in a list.
type Summary struct {
	Header   // without Hosts
	Began    time.Time
	Ended    time.Time // zero without Done
	State    State
	Done     *Done          // nil if it has not ended
	Outcomes map[string]int // hosts by outcome; "" are those whose end is not known
}

// Runs are the runs that are kept, newest first. An error comes with the id of a run
// that cannot be read, or without one if no run can.
//
// Of a run that has ended only the first line and the end of its file are read.
func (s *Store) Runs() iter.Seq2[Summary, error] {
	return func(yield func(Summary, error) bool) {
		root, err := s.root()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				yield(Summary{}, err)
			}
			return
		}
		defer root.Close()
		names, err := runNames(root)
		if err != nil {
			yield(Summary{}, err)
			return
		}
		for end := len(names); end > 0; {
			start := end - 1
			for start > 0 && stampOf(names[start-1]) == stampOf(names[start]) {
				start--
			}
			for _, s := range ofOneSecond(root, names[start:end]) {
				if !yield(s.Summary, s.err) {
					return
				}
			}
			end = start
		}
	}
}

// stampOf is when a run began, as its id says. That is as much of its order as there is in
// names: a run that takes another one back may begin within the same second.
func stampOf(run string) string {
	before, _, _ := strings.Cut(run, "-")
	return before
}

type summaryOrError struct {
	Summary
	err error
}

// ofOneSecond are runs, newest first.
func ofOneSecond(root *os.Root, names []string) []summaryOrError {
	var list []summaryOrError
	for _, run := range slices.Backward(names) {
		summary, err := summarize(root, run)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the names were read
		}
		if err != nil {
			summary, err = Summary{Header: Header{Run: run}}, fmt.Errorf("run %s: %w", run, err)
		}
		list = append(list, summaryOrError{summary, err})
	}
	slices.SortStableFunc(list, func(a, b summaryOrError) int { return b.Began.Compare(a.Began) })
	return list
}

// maxTail is how much of the end of a file is looked at for how a run ended.
const maxTail = 64 << 10

func summarize(root *os.Root, run string) (Summary, error) {
	f, err := root.Open(eventsOf(run))
	if err != nil {
		return Summary{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Summary{}, err
	}
	if !info.Mode().IsRegular() {
		return Summary{}, fmt.Errorf("%s is no file", f.Name())
	}
	sum, err := peek(f, info.Size(), run)
	if err != nil {
		return Summary{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if sum.State == Finished {
		return sum, nil
	}
	// One that goes on, or was cut short: there are few, and how its hosts are must be
	// collected.
	r, err := load(root, run)
	if err != nil {
		return Summary{}, err
	}
	sum = Summary{Header: r.Header, Began: r.Began, Ended: r.Ended, State: r.State, Done: r.Done, Outcomes: map[string]int{}}
	for _, h := range r.Hosts {
		sum.Outcomes[h.Outcome()]++
	}
	return sum, nil
}

// peek makes a Summary of the first line and of the end of what may be anything. Without a
// last line that says how the run ended it has no State.
func peek(text io.ReaderAt, size int64, run string) (Summary, error) {
	line := make([]byte, min(size, maxLine))
	if _, err := text.ReadAt(line, 0); err != nil && !errors.Is(err, io.EOF) {
		return Summary{}, err
	}
	line, _, whole := bytes.Cut(line, []byte("\n"))
	if !whole {
		return Summary{}, errors.New("it has no first line")
	}
	var r reader
	if err := r.first(line, run); err != nil {
		return Summary{}, err
	}
	sum := Summary{Header: r.Header, Began: r.Began}
	tail := make([]byte, min(size, maxTail))
	if _, err := text.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return Summary{}, err
	}
	tail, whole = bytes.CutSuffix(tail, []byte("\n"))
	h, e, err := decode(tail[bytes.LastIndexByte(tail, '\n')+1:])
	if done, ok := e.(Done); whole && ok && err == nil {
		sum.State, sum.Ended, sum.Done, sum.Outcomes = Finished, h.At, &done, done.Outcomes
	}
	return sum, nil
}
