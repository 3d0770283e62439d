package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/lab"
)

// silence is how long a port may take to answer before it counts as silent. On
// a busy machine an answer has been seen to take a second.
const silence = 2 * time.Second

// patience is how long a connection may stand still in the middle.
const patience = 15 * time.Second

// network is the network namespace of a host. The zero one is the controller's.
// A socket belongs to the namespace it was made in, whoever uses it later.
type network struct{ file *os.File }

// enterNetwork takes hold of a host's network namespace by a process there.
func enterNetwork(ctx context.Context, h *lab.Host) (network, error) {
	cmd := h.Command(ctx, "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		return network{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return network{}, err
	}
	if err := cmd.Start(); err != nil {
		return network{}, err
	}
	_, err = in.Write([]byte{'\n'})
	if err == nil {
		_, err = out.Read(make([]byte, 1)) // it answers: it is inside
	}
	file, oerr := os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	return network{file}, errors.Join(err, oerr, in.Close(), cmd.Wait())
}

func (n network) close() {
	if n.file != nil {
		n.file.Close()
	}
}

// do runs f on a thread in the namespace.
func (n network) do(f func() error) error {
	if n.file == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// dial connects from the namespace. address must hold no name: the resolver
// would ask on another thread.
func (n network) dial(proto, address string) (conn net.Conn, err error) {
	err = n.do(func() error {
		conn, err = net.DialTimeout(proto, address, silence)
		return err
	})
	return conn, err
}

// serve accepts connections to a port of the host, over both families, until
// the end of the test.
func (h *host) serve(t *testing.T, port int, handle func(net.Conn)) {
	t.Helper()
	var l net.Listener
	err := h.net.do(func() (err error) {
		l, err = net.Listen("tcp", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(t.Context(), func() { conn.Close() })()
				if err := conn.SetDeadline(time.Now().Add(patience)); err == nil {
					handle(conn)
				}
			})
		}
	})
}

// hangUp is a service that only shows that it is there.
func hangUp(net.Conn) {}

// greet says a line and waits for the other end.
func greet(conn net.Conn) {
	fmt.Fprintln(conn, "hello")
	io.Copy(io.Discard, conn)
}

// answerUDP sends every datagram to a port of the host back, over both
// families.
func (h *host) answerUDP(t *testing.T, port int) {
	t.Helper()
	h.serveUDP(t, fmt.Sprintf(":%d", port), func(_ net.Addr, b []byte) []byte { return b })
}

// serveUDP answers every datagram to an address of the host. From one that is for all
// addresses, answers leave with that which the route prefers.
func (h *host) serveUDP(t *testing.T, address string, answer func(from net.Addr, b []byte) []byte) {
	t.Helper()
	var pc net.PacketConn
	err := h.net.do(func() (err error) {
		pc, err = net.ListenPacket("udp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { pc.Close(); serving.Wait() })
	serving.Go(func() {
		b := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				pc.WriteTo(answer(from, b[:n]), from)
			}
		}
	})
}

// askUDP says whether a datagram to address is answered.
func (n network) askUDP(address string) error {
	conn, err := n.dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("question")); err != nil {
		return err
	}
	b := make([]byte, 512)
	length, err := conn.Read(b)
	if err == nil && string(b[:length]) != "question" {
		err = fmt.Errorf("answer %q", b[:length])
	}
	return err
}

// probe says what comes of a TCP connection: open, refused or silent.
func (n network) probe(address string) string {
	conn, err := n.dial("tcp", address)
	var timeout net.Error
	switch {
	case err == nil:
		conn.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silent"
	}
	return err.Error()
}

// at is an address and port, as dialled.
func at(a netip.Addr, port int) string { return net.JoinHostPort(a.String(), strconv.Itoa(port)) }

// both are a host's addresses.
func (h *host) both() []netip.Addr { return []netip.Addr{h.Addr4(), h.Addr6()} }

// ports compares what comes of connections from a place to ports of hosts, over
// both families. want is as in "80 open, 3306 silent".
func ports(t *testing.T, from network, hosts []*host, want string) {
	t.Helper()
	var probing sync.WaitGroup
	defer probing.Wait()
	for _, h := range hosts {
		for _, a := range h.both() {
			for pair := range strings.SplitSeq(want, ", ") {
				var port int
				var answer string
				if _, err := fmt.Sscan(pair, &port, &answer); err != nil {
					t.Fatal(err)
				}
				probing.Go(func() {
					if got := from.probe(at(a, port)); got != answer {
						t.Errorf("%s at %s, port %d: %s, want %s", h.Name(), a, port, got, answer)
					}
				})
			}
		}
	}
}
