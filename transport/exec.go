package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	maxLine       = 1 << 20  // bytes of one line of stdout
	maxStderrTail = 64 << 10 // bytes of stderr that are kept
	readSize      = 4 << 10  // bytes at a time, of each stream: thousands of hosts have two of them, mostly idle
)

// Exec is one running command. One goroutine may read its lines while another
// writes to it.
type Exec struct {
	conn     *Conn
	channel  ssh.Channel
	by       string      // what makes it root, "" for nothing
	withheld error       // why it may not be given the password that there is
	release  func() bool // the Exec no longer depends on its context
	writing  atomic.Int32

	mu     sync.Mutex
	stdout lines
	stderr tail
	secret string // a password that was sent, to be kept out of what is told
	total  int    // bytes of both streams
	exit   *ExitError
	more   chan struct{} // something was added to either

	over   chan struct{} // the command and both its streams have ended
	result error         // set before over is closed
}

// Start runs a command with the login shell of the user, without a terminal and
// with no forwarding of any kind. ctx bounds the command's whole life: when it
// ends first, the connection is closed, which is the only way to stop a write
// the host does not take. Opening the session and having the command accepted
// take no longer than the endpoint's ConnectTimeout.
//
// A *DialError says that the command was not run; after a *LostError it may have
// been.
func (c *Conn) Start(ctx context.Context, command string) (*Exec, error) {
	starting, cancel := context.WithTimeoutCause(ctx, c.timeout,
		fmt.Errorf("no answer within %s: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	stop := context.AfterFunc(starting, func() { c.fail(context.Cause(starting)) })
	defer stop()

	c.settle(starting)
	channel, requests, err := c.client.OpenChannel("session", nil)
	var rejected *ssh.OpenChannelError
	switch {
	case errors.As(err, &rejected):
		return nil, &DialError{Peer: c.peer, Kind: DialRefused, Stage: stageSession, Err: err}
	case err != nil:
		return nil, c.lost("opening a session")
	}
	x := &Exec{conn: c, channel: channel, more: make(chan struct{}, 1), over: make(chan struct{})}
	x.release = context.AfterFunc(ctx, func() { c.fail(fmt.Errorf("given up: %w", context.Cause(ctx))) })
	go x.collect(requests)

	accepted, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	switch {
	case !stop() || err != nil:
		x.Close()
		return nil, c.lost("starting a command")
	case !accepted:
		x.Close()
		return nil, &DialError{Peer: c.peer, Kind: DialRefused, Stage: stageExec, Err: errors.New("request denied")}
	}
	c.execs.Add(1)
	return x, nil
}

// endTime bounds the wait for the end of a command that takes no more input, or was given
// up.
const endTime = time.Second

// writeSize is the most that is written at once, in bytes. The SSH library keeps two buffers for
// the longest packet of a connection as long as that lasts; with what goes around it, this one
// fits into 16 KiB. Its default, twice as much, is a good part of what a run with many forks holds.
const writeSize = 16<<10 - 64

// Write sends p to the command's stdin. It waits while the host takes nothing,
// until the context given to Start ends or Close is called.
func (x *Exec) Write(p []byte) (n int, err error) {
	x.writing.Add(1)
	defer x.writing.Add(-1)
	for rest := range slices.Chunk(p, writeSize) {
		var took int
		took, err = x.channel.Write(rest)
		if n += took; err != nil {
			break
		}
	}
	if err == nil {
		return n, nil
	}
	// A channel that takes no more has mostly been closed by the host, after the
	// command has ended; what it said last may still be on its way to collect.
	ending, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	select {
	case <-x.over:
		var lost *LostError
		if !errors.As(x.result, &lost) {
			return n, fmt.Errorf("%s: the remote command has ended: %w", x.conn.peer, io.ErrClosedPipe)
		}
	case <-ending.Done():
	}
	return n, x.conn.lost("sending to a command")
}

// CloseWrite ends the command's stdin.
func (x *Exec) CloseWrite() error {
	if err := x.channel.CloseWrite(); err != nil && !errors.Is(err, io.EOF) {
		return x.conn.lost("sending to a command")
	}
	return nil
}

// ReadLine returns the next line of stdout, raw and without its newline. Output
// that ends in the middle of a line comes with io.ErrUnexpectedEOF, so that it
// is never taken for a whole one. After the last line it returns io.EOF if the
// command has ended and said how (see Wait), else a *LostError.
//
// When ctx ends first its cause is returned, wrapped, and the Exec stays usable.
func (x *Exec) ReadLine(ctx context.Context) (string, error) {
	for {
		if line, ok := x.line(); ok {
			return line, nil
		}
		select {
		case <-x.more:
		case <-ctx.Done():
			return "", fmt.Errorf("%s: waiting for output: %w", x.conn.peer, context.Cause(ctx))
		case <-x.over:
			return x.lastLine()
		}
	}
}

func (x *Exec) line() (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stdout.next()
}

func (x *Exec) lastLine() (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if line, ok := x.stdout.next(); ok {
		return line, nil
	}
	var lost *LostError
	if errors.As(x.result, &lost) {
		return "", lost
	}
	if rest := x.stdout.rest(); rest != "" {
		return rest, io.ErrUnexpectedEOF
	}
	return "", io.EOF
}

// Stderr returns the last 64 KiB the command has written to stderr so far, raw but
// for a password that it was given.
func (x *Exec) Stderr() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.complaint()
}

// Wait waits for the command to end. The error is nil for exit status 0, an
// *ExitError, a *LostError if the connection or the session ended before the
// command said how, or wraps the cause of ctx, which leaves the Exec usable.
// Lines not read yet can still be read.
func (x *Exec) Wait(ctx context.Context) error {
	select {
	case <-x.over:
		return x.result
	case <-ctx.Done():
		return fmt.Errorf("%s: waiting for the remote command: %w", x.conn.peer, context.Cause(ctx))
	}
}

// Close gives the command up without waiting: sshd closes its pipes, which ends
// most commands. The connection stays open, unless a Write is under way: nothing
// else would free that. It always returns nil.
func (x *Exec) Close() error {
	x.release()
	select {
	case <-x.over:
		return nil
	default:
	}
	if x.writing.Load() > 0 {
		x.conn.fail(errors.New("given up while sending to a command"))
		return nil
	}
	x.conn.mu.Lock()
	x.conn.closing = append(x.conn.closing, x)
	x.conn.mu.Unlock()
	// It may block on a stuck connection, until that is closed.
	go x.channel.Close()
	return nil
}

// settle gives dropbear the time to let go of commands that were given up: it closes the
// channel of one that is started while another is being closed from here. One that takes
// longer than endTime is not waited for again.
func (c *Conn) settle(ctx context.Context) {
	if !bytes.HasPrefix(c.client.ServerVersion(), []byte("SSH-2.0-dropbear")) {
		return
	}
	c.mu.Lock()
	closing := c.closing
	c.closing = nil
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	for _, x := range closing {
		select {
		case <-x.over:
		case <-ctx.Done():
			return
		}
	}
}
