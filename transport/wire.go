package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// wire is the connection below SSH, by TCP or through a jump host. It notes when the host was last heard
// and how reading ended, which the SSH library does not tell.
type wire struct {
	net.Conn
	raw   syscall.RawConn // nil: acknowledgements are left to the kernel; belongs to who reads
	born  time.Time
	heard atomic.Int64 // nanoseconds after born
	ended atomic.Pointer[error]
	first *bytes.Buffer // takes what comes first, up to maxFirst; nil: nothing

	opening []byte // what came first, up to maxOpening
	ahead   []byte // what has come and nobody has asked for yet; belongs to who reads
}

// readAhead is how much is read for who asks for a byte, in bytes. The SSH library reads a host's
// version like that, which may have 255 (RFC 4253, section 4.2): with a system call for each byte there
// are as many as for all the rest of a login.
const readAhead = 256

// maxOpening is enough to tell a version of SSH from the words of sshd that it takes no
// connection now, in bytes.
const maxOpening = 64

// maxFirst bounds what is kept of what a host says first, in bytes: its version, and the
// packet with its algorithms, which is at most 35,000 (RFC 4253, section 6.1).
const maxFirst = 64 << 10

func newWire(conn net.Conn, quickAck bool) *wire {
	w := &wire{Conn: conn, born: time.Now()}
	if tcp, ok := conn.(*net.TCPConn); ok && quickAck {
		// Without it only the speed suffers, so an error is no reason to stop.
		w.raw, _ = tcp.SyscallConn()
	}
	w.acknowledge()
	return w
}

// Read reads, and keeps the kernel from delaying the acknowledgement, for a server that may
// wait for it.
func (w *wire) Read(p []byte) (int, error) {
	if len(w.ahead) == 0 {
		if len(p) != 1 {
			return w.read(p)
		}
		buf := make([]byte, readAhead)
		n, err := w.read(buf)
		if w.ahead = buf[:n]; n == 0 {
			return 0, err
		} // an error that came with it comes again
	}
	n := copy(p, w.ahead)
	w.ahead = w.ahead[n:]
	return n, nil
}

func (w *wire) read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(int64(time.Since(w.born)))
		if w.first != nil && w.first.Len() < maxFirst {
			w.first.Write(p[:n])
		}
		if more := min(n, maxOpening-len(w.opening)); more > 0 {
			w.opening = append(w.opening, p[:more]...)
			if sendsAtOnce(w.opening) {
				w.raw = nil
			}
		}
		w.acknowledge()
	}
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
		end := err // of its own, or every err would be on the heap
		w.ended.CompareAndSwap(nil, &end)
	}
	return n, err
}

func (w *wire) acknowledge() {
	if w.raw != nil {
		w.raw.Control(quickAck)
	}
}

// sendsAtOnce reports, by the version that a server says first, that it is known to switch
// Nagle's algorithm off: OpenSSH since 10, and servers in Go, as net.TCPConn.SetNoDelay tells. An
// older sshd leaves it on for sessions without a terminal and then waits up to 40 ms for an
// acknowledgement, once per command. To ask for each costs a system call and a packet, so
// it is not done for all.
func sendsAtOnce(opening []byte) bool {
	version, _, whole := bytes.Cut(opening, []byte("\n"))
	software, ok := bytes.CutPrefix(bytes.TrimSuffix(version, []byte("\r")), []byte("SSH-2.0-"))
	if !whole || !ok {
		return false
	}
	release, ok := bytes.CutPrefix(software, []byte("OpenSSH_"))
	if !ok {
		return string(software) == "Go"
	}
	major, _, _ := bytes.Cut(release, []byte("."))
	n, err := strconv.Atoi(string(major))
	return err == nil && n >= 10
}

// silence is how long the host has not been heard.
func (w *wire) silence() time.Duration {
	return time.Since(w.born) - time.Duration(w.heard.Load())
}

// readError is why nothing more comes from the host, or nil; that we closed the
// connection does not count.
func (w *wire) readError() error {
	if err := w.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// turnedAway reports that sshd closed the connection before it said its version, and not
// because of what came from this machine before. Only for when nobody reads any more.
//
// With MaxStartups sshd closes without a word, since OpenSSH 9.8 with "Exceeded
// MaxStartups". An address that has misbehaved hears "Not allowed at this time"
// (PerSourcePenalties in sshd_config(5)): to come again would make that worse.
func (w *wire) turnedAway() bool {
	return len(w.opening) == 0 || bytes.HasPrefix(w.opening, []byte("Exceeded MaxStartups"))
}
