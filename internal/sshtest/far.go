package sshtest

import (
	"errors"
	"net"
	"sync"
	"time"
)

// far is a connection to somebody a round trip away: what is sent arrives that much later, and
// what is heard was under way as long. The first that is sent takes a round trip more, which is
// when the client could have begun to speak: the kernel accepts a connection at once.
type far struct {
	net.Conn
	roundTrip time.Duration

	mu     sync.Mutex
	more   sync.Cond
	queue  []parcel
	sent   bool
	closed bool
	err    error
}

type parcel struct {
	data []byte // nil is the end
	due  time.Time
}

func newFar(conn net.Conn, roundTrip time.Duration) *far {
	f := &far{Conn: conn, roundTrip: roundTrip}
	f.more.L = &f.mu
	return f
}

// Write never waits: what is under way has no bound.
func (f *far) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return 0, f.err
	case f.closed:
		return 0, net.ErrClosed
	}
	due := time.Now().Add(f.roundTrip)
	if !f.sent {
		f.sent, due = true, due.Add(f.roundTrip)
	}
	f.queue = append(f.queue, parcel{append([]byte(nil), b...), due})
	f.more.Signal()
	return len(b), nil
}

// Close takes as long to arrive as everything else.
func (f *far) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		f.queue = append(f.queue, parcel{nil, time.Now().Add(f.roundTrip)})
		f.more.Signal()
	}
	return nil
}

// deliver brings everything there, and then the end. It returns early where the other end, or
// whoever closed the connection below, is gone.
func (f *far) deliver(stop <-chan struct{}) {
	defer f.Conn.Close()
	for {
		f.mu.Lock()
		for len(f.queue) == 0 {
			f.more.Wait()
		}
		list := f.queue
		f.queue = nil
		f.mu.Unlock()
		for _, p := range list {
			wait := time.NewTimer(time.Until(p.due))
			select {
			case <-wait.C:
			case <-stop:
				wait.Stop()
				return
			}
			if p.data == nil {
				return
			}
			if _, err := f.Conn.Write(p.data); err != nil {
				f.mu.Lock()
				f.err = errors.Join(net.ErrClosed, err)
				f.mu.Unlock()
				return
			}
		}
	}
}
