package journal

import (
	"io"
	"sync"
	"time"
)

// maxBehind is how much a listener may be behind before lines are left out for it.
const maxBehind = 16 << 20

// sinkPatience is how long the end of a run waits for a listener that stands still.
const sinkPatience = 2 * time.Second

// sink hands lines to somebody who may be slow, gone or broken, such as a pipe that
// nobody reads. After an error there are no more.
type sink struct {
	mu      sync.Mutex
	waiting []byte
	lost    int
	closed  bool
	more    chan struct{} // has one, if there is something to do
	done    chan struct{} // closed by the goroutine that writes
	now     func() time.Time
}

// newSink starts the goroutine that writes. A nil Writer is a sink that takes nothing.
func newSink(w io.Writer, now func() time.Time) *sink {
	if w == nil {
		return nil
	}
	s := &sink{more: make(chan struct{}, 1), done: make(chan struct{}), now: now}
	go func() {
		defer close(s.done)
		for range s.more {
			lines, closed := s.take()
			if len(lines) > 0 {
				if _, err := w.Write(lines); err != nil {
					s.end()
					return
				}
			}
			if closed {
				return
			}
		}
	}()
	return s
}

// put hands over whole lines. It never waits.
func (s *sink) put(lines []byte) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return
	case len(s.waiting)+len(lines) > maxBehind:
		s.lost++
		return
	}
	s.waiting = append(s.waiting, lines...)
	s.wake()
}

// take is called by the goroutine that writes.
func (s *sink) take() (lines []byte, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines, s.waiting = s.waiting, nil
	if s.lost > 0 {
		if line, err := encode(s.now(), lost{s.lost}); err == nil {
			lines = append(lines, line...)
		}
		s.lost = 0
	}
	return lines, s.closed
}

func (s *sink) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *sink) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.waiting = true, nil
	s.wake()
}

// close waits for what is still to be written, but not for long.
func (s *sink) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.closed = true
	s.wake()
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(sinkPatience):
	}
}
