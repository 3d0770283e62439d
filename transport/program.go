package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is a connection that a ProxyCommand carries with its input and output. Each
// connection has a process of its own, which ends with it, and all it has started.
type program struct {
	in, out *os.File // to and from it
	far     address
	cmd     *exec.Cmd
	said    *lastWords
	once    sync.Once
	ended   chan struct{}
	status  error // how it ended; set before ended is closed
}

// startProgram starts the ProxyCommand of the endpoint, as ssh does: the shell is replaced
// by it, so that there is one process to end.
func (l *login) startProgram() (net.Conn, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, err
	}
	defer theirOut.Close()
	p := &program{in: in, out: out, far: address(l.peer.Addr), said: &lastWords{}, ended: make(chan struct{}),
		cmd: exec.Command("/bin/sh", "-c", "exec "+proxyCommand(l.ep))}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, theirOut, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second // for what it left behind with its stderr
	if err := p.cmd.Start(); err != nil {
		in.Close()
		out.Close()
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	go func() {
		p.status = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Read reads what the program brings. At its end the program is given a moment to end by itself,
// so that there is more to tell than that it was killed.
func (p *program) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if errors.Is(err, io.EOF) {
		p.awaitEnd()
	}
	return n, err
}

func (p *program) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *program) LocalAddr() net.Addr  { return address("") }
func (p *program) RemoteAddr() net.Addr { return p.far }

func (p *program) SetDeadline(t time.Time) error {
	return errors.Join(p.out.SetReadDeadline(t), p.in.SetWriteDeadline(t))
}
func (p *program) SetReadDeadline(t time.Time) error  { return p.out.SetReadDeadline(t) }
func (p *program) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }

// Close ends the program at once.
func (p *program) Close() error {
	p.once.Do(func() {
		select {
		case <-p.ended: // its number may be another's by now
		default:
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have just ended
		}
		p.in.Close()
		p.out.Close()
	})
	return nil
}

// awaitEnd waits a moment for the program to end, and says whether it has.
func (p *program) awaitEnd() bool {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		return false
	}
}

// why tells how a program ended that carried nothing.
func (p *program) why() error {
	how := "closed the connection"
	if p.awaitEnd() {
		how = "ended before there was a connection"
		if p.status != nil {
			how = "ended: " + p.status.Error()
		}
	}
	if said := p.said.String(); said != "" {
		how += ": " + printable(said)
	}
	return errors.New("ProxyCommand " + how)
}

// lastWords keeps the last line of what is written to it.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if over := len(w.text) - maxErrorText; over > 0 {
		w.text = append(w.text[:0], w.text[over:]...)
	}
	return len(p), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(w.text, nil))), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
