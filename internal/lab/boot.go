package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/lab/internal/isolate"
)

// sshPoll is how often a host that does not listen yet is asked again. Refused connections cost
// next to nothing, and a host is not told when its sshd is ready.
const sshPoll = 20 * time.Millisecond

// bootTime is how long a host may take to come up. It takes well under a second on an idle machine.
const bootTime = time.Minute

// boot is one life of a host, from power on to power off.
type boot struct {
	pid  int // of its first process, as seen in the world
	kill func() error
	gone chan struct{}

	// Valid once gone is closed.
	reason error // how the first process ended
	next   *boot // the following life, if there is one
}

// cutPower ends every process at once and waits until the last one is gone.
func (b *boot) cutPower() {
	_ = b.kill() // fails when it is gone already
	<-b.gone
}

// start boots the host: new namespaces, a wire into them, and host.sh as the first process. After
// an error nothing of the boot runs.
func (h *Host) start() (*boot, error) {
	args := []string{"sh", h.w.script(), "light"}
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Setsid:     true,
	}
	if h.opts.OpenRC {
		args[2] = "openrc"
	}
	if h.opts.Systemd {
		group, err := h.makeCgroup()
		if err != nil {
			return nil, err
		}
		defer group.Close()
		attr.UseCgroupFD, attr.CgroupFD = true, int(group.Fd())
		// CLONE_NEWCGROUP at this point would root the namespace where this process is; unshare
		// does it from within.
		args = []string{"unshare", "--cgroup", "sh", h.w.script(), "systemd"}
	}
	console, err := os.OpenFile(h.consolePath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer console.Close()

	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LAB_NAME=" + h.name, "LAB_PORT=" + strconv.Itoa(h.opts.Port), "LAB_ROOT=" + h.rootPath()}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = attr
	wired, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b := &boot{pid: cmd.Process.Pid, kill: cmd.Process.Kill, gone: make(chan struct{})}
	h.mu.Lock()
	h.boot = b
	h.mu.Unlock()
	go h.watch(b, cmd)
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	err = h.net.plug(ctx, b.pid)
	if err == nil {
		_, err = wired.Write([]byte("\n"))
	}
	if err != nil {
		_ = b.kill() // it would wait for its network for ever
		return nil, fmt.Errorf("%w\n%s", err, h.consoleTail())
	}
	return b, nil
}

// watch waits for the end of a boot, and starts the next when the host asked for it: reboot(2) in
// a PID namespace ends its first process by SIGHUP for a restart and by SIGINT for a halt.
func (h *Host) watch(b *boot, cmd *exec.Cmd) {
	defer close(b.gone)
	b.reason = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	rebooted := ok && status.Signaled() && status.Signal() == unix.SIGHUP
	h.mu.Lock()
	again := !h.stopped && (rebooted || h.powerOn)
	h.powerOn = false
	h.mu.Unlock()
	if !again {
		return
	}
	next, err := h.start()
	if err != nil {
		b.reason = fmt.Errorf("boot again: %w", err)
	}
	b.next = next
}

// current is the running boot. A process number is used again, so one that is gone must not be.
func (h *Host) current() (*boot, error) {
	h.mu.Lock()
	b := h.boot
	stopped := h.stopped || b == nil
	h.mu.Unlock()
	if stopped {
		return nil, fmt.Errorf("lab: host %s is stopped", h.name)
	}
	select {
	case <-b.gone:
		return nil, fmt.Errorf("lab: host %s is down: %v", h.name, b.reason)
	default:
		return b, nil
	}
}

// awaitUp returns when the host's sshd answers and, with systemd, when all that belongs to the boot
// has been started: before that, plain users are turned away (pam_nologin(8)).
func (h *Host) awaitUp(ctx context.Context, b *boot) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := h.awaitSSH(ctx, b); err != nil || !h.opts.Systemd {
		return err
	}
	// It fails when a unit has failed, which may be just what somebody wants to look at.
	_, _, _ = h.Exec(ctx, "", "systemctl", "is-system-running", "--wait")
	return ctx.Err()
}

// awaitSSH returns when the host's sshd sends its banner, or with the reason why it never will.
func (h *Host) awaitSSH(ctx context.Context, b *boot) error {
	tick := time.NewTicker(sshPoll)
	defer tick.Stop()
	for {
		if err := h.banner(ctx); err == nil {
			return nil
		}
		select {
		case <-b.gone:
			return fmt.Errorf("first process ended (%v)\n%s", b.reason, h.consoleTail())
		case <-ctx.Done():
			return fmt.Errorf("sshd does not answer: %w\n%s", ctx.Err(), h.consoleTail())
		case <-tick.C:
		}
	}
}

func (h *Host) banner(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(h.Addr4().String(), strconv.Itoa(h.opts.Port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "SSH-") {
		err = fmt.Errorf("no ssh server: %q", line)
	}
	return err
}

// consoleTail is the end of the console, for an error message.
func (h *Host) consoleTail() string {
	text, err := h.Console()
	if err != nil {
		return err.Error()
	}
	const keep = 2000
	return strings.TrimSpace(text[max(0, len(text)-keep):])
}

// cgroupPath is where a systemd host keeps its units.
func (h *Host) cgroupPath() string { return filepath.Join(h.w.cgroup, h.name) }

// makeCgroup returns an empty cgroup for the next boot.
func (h *Host) makeCgroup() (*os.File, error) {
	if err := h.removeCgroup(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(h.cgroupPath(), 0o755); err != nil {
		return nil, err
	}
	return os.Open(h.cgroupPath())
}

func (h *Host) removeCgroup() error {
	if !h.opts.Systemd {
		return nil
	}
	return isolate.RemoveCgroup(h.cgroupPath())
}
