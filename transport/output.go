package transport

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// collect gathers what the command sends until its channel is closed, and then
// settles how it ended.
func (x *Exec) collect(requests <-chan *ssh.Request) {
	var streams sync.WaitGroup
	streams.Go(func() { x.drain(x.channel, x.addStdout) })
	streams.Go(func() { x.drain(x.channel.Stderr(), x.addStderr) })
	for r := range requests {
		x.note(r)
		r.Reply(false, nil)
	}
	streams.Wait()

	x.mu.Lock()
	defer x.mu.Unlock()
	// The channel is closed by the host or because the connection is gone. In
	// the second case output may be missing, whatever status came before.
	select {
	case <-x.conn.done:
		x.result = x.conn.lost("a command was running")
	default:
		switch {
		case x.conn.wire.readError() != nil || x.exit == nil:
			x.result = x.conn.lost("a command was running")
		case x.exit.Status != 0 || x.exit.Signal != "":
			x.exit.Stderr = x.complaint()
			x.result = x.exit
		}
	}
	x.release()
	close(x.over)
}

// note records how the command ended (RFC 4254 section 6.10).
func (x *Exec) note(r *ssh.Request) {
	exit := &ExitError{Peer: x.conn.peer}
	switch r.Type {
	case "exit-status":
		var status struct{ Status uint32 }
		if ssh.Unmarshal(r.Payload, &status) != nil {
			return
		}
		exit.Status = int(status.Status)
	case "exit-signal":
		var signal struct {
			Name       string
			CoreDumped bool
			Message    string
			Language   string
		}
		if ssh.Unmarshal(r.Payload, &signal) != nil {
			return
		}
		exit.Signal = signal.Name
		if exit.Signal == "" {
			exit.Signal = "unknown"
		}
	default:
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.exit = exit
}

// drain reads a stream to its end, whether anybody wants it or not, so that the
// command never waits for us and too much is noticed.
func (x *Exec) drain(stream io.Reader, add func([]byte) error) {
	buf := make([]byte, readSize)
	for {
		n, err := stream.Read(buf)
		if n > 0 {
			if tooMuch := x.count(n, add, buf[:n]); tooMuch != nil {
				x.conn.fail(tooMuch)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (x *Exec) count(n int, add func([]byte) error, p []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.total += n
	if limit := x.conn.opts.MaxOutput; x.total > limit {
		return fmt.Errorf("%w: more than %d bytes from one command", ErrTooMuch, limit)
	}
	return add(p)
}

func (x *Exec) addStdout(p []byte) error {
	if !x.stdout.add(p) {
		return fmt.Errorf("%w: a line of more than %d bytes", ErrTooMuch, maxLine)
	}
	x.wake()
	return nil
}

func (x *Exec) addStderr(p []byte) error {
	x.stderr.add(p)
	x.wake()
	return nil
}

// wake has whoever waits for output look again.
func (x *Exec) wake() {
	select {
	case x.more <- struct{}{}:
	default:
	}
}

// lines is stdout that has not been read yet.
type lines struct {
	buf  []byte
	open int // bytes since the last newline
}

// add reports false if a line got too long. What came is kept all the same: open
// always speaks of bytes that are there.
func (l *lines) add(p []byte) bool {
	fits := true
	for part := range bytes.Lines(p) {
		l.open += len(part)
		fits = fits && l.open <= maxLine
		if part[len(part)-1] == '\n' {
			l.open = 0
		}
	}
	l.buf = append(l.buf, p...)
	return fits
}

// next takes out the first whole line.
func (l *lines) next() (string, bool) {
	// What follows the last newline need not be searched again and again.
	line, _, ok := bytes.Cut(l.buf[:len(l.buf)-l.open], []byte("\n"))
	if !ok {
		return "", false
	}
	l.buf = l.buf[len(line)+1:]
	return string(line), true
}

// rest takes out what follows the last newline.
func (l *lines) rest() string {
	rest := string(l.buf)
	l.buf, l.open = nil, 0
	return rest
}

// tail keeps the end of a stream.
type tail struct{ buf []byte }

func (t *tail) add(p []byte) {
	t.buf = append(t.buf, p...)
	// Cut in large steps, not at every write.
	if len(t.buf) > 2*maxStderrTail {
		t.buf = append([]byte(nil), t.buf[len(t.buf)-maxStderrTail:]...)
	}
}

func (t *tail) String() string {
	return string(t.buf[max(0, len(t.buf)-maxStderrTail):])
}
