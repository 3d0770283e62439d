package hostiletest

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"fwpush/internal/sshtest"
)

// hijack is an execution that somebody stands before.
type hijack struct {
	x    *sshtest.Exec
	out  io.Writer
	mark string
	over chan sshtest.Exit // to end it
	done bool              // it was; nothing more is passed on
}

// tell says a line with the marker.
func (h *hijack) tell(line string) { io.WriteString(h.out, h.mark+" "+line+"\n") }

// end ends the execution.
func (h *hijack) end(exit sshtest.Exit) {
	h.done = true
	select {
	case h.over <- exit:
	default: // it ends already
	}
}

// instead is what happens in place of a line of a program, nil for what passes. Ours says whether
// the line had the marker, which it is without.
type instead func(line string, ours bool) func(*hijack)

// stand runs a program and has something else said in place of some of its lines. The program does not wait for that: a host that says nothing any more
// goes on.
func stand(x *sshtest.Exec, run func() sshtest.Exit, instead instead) sshtest.Exit {
	h := &hijack{x: x, out: x.Stdout, over: make(chan sshtest.Exit, 1), mark: markOf(x.Command)}
	q := &queue{}
	q.more.L = &q.mu
	x.Stdout = q
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		q.pass(h, instead)
	}()
	ended := make(chan sshtest.Exit, 1)
	go func() {
		exit := run()
		q.close()
		<-passed
		ended <- exit
	}()
	select {
	case exit := <-h.over:
		<-passed // nobody writes to a stream that is closed
		return exit
	case exit := <-ended:
		select {
		case exit = <-h.over:
		default:
		}
		return exit
	case <-x.Context().Done():
		q.close()
		<-passed
		return sshtest.Exit{Mute: true}
	}
}

// markOf is the marker in a command line of fwpush.
func markOf(command string) string {
	if words := strings.Fields(command); len(words) > 4 {
		return words[4]
	}
	return "none"
}

// queue holds what a program has said until it is passed on.
type queue struct {
	mu     sync.Mutex
	more   sync.Cond
	text   []byte
	closed bool
}

func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.text = append(q.text, p...)
	q.more.Signal()
	return len(p), nil
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Signal()
}

// next is all whole lines there are, waiting for one; nil at the end.
func (q *queue) next() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if end := bytes.LastIndexByte(q.text, '\n') + 1; end > 0 {
			lines := q.text[:end:end]
			q.text = q.text[end:]
			return lines
		}
		if q.closed {
			return nil
		}
		q.more.Wait()
	}
}

func (q *queue) pass(h *hijack, instead instead) {
	for lines := q.next(); lines != nil; lines = q.next() {
		var out bytes.Buffer
		for line := range bytes.Lines(lines) {
			said, ours := strings.CutPrefix(string(line), h.mark+" ")
			act := instead(strings.TrimSuffix(said, "\n"), ours)
			if act == nil {
				out.Write(line)
				continue
			}
			if _, err := out.WriteTo(h.out); err != nil { // it may be that nothing follows
				return
			}
			if act(h); h.done {
				return
			}
		}
		if _, err := out.WriteTo(h.out); err != nil {
			return
		}
	}
}
