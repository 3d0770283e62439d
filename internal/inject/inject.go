package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answer is what becomes of a call.
type Answer struct {
	Errno unix.Errno // it fails so, and is not made; 0 for what the kernel says
	Kill  Killed
}

// Killed is who dies with SIGKILL before the call is made.
type Killed int

const (
	Nobody Killed = iota
	Caller        // the process that makes it
	Script        // and the shells above it: the script, with what it waits for
)

// Tree is a program and all that it starts, under the filter.
type Tree struct {
	cmd      *exec.Cmd
	listener int
	judge    func(Call) Answer
	done     chan struct{}

	mu  sync.Mutex
	err error
}

// Start starts a command with all its processes under the filter. judge is asked about each call of
// theirs, one after the other, while the caller of it waits. The test binary has to call Main first.
func Start(cmd *exec.Cmd, judge func(Call) Answer) (*Tree, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("inject: %w", err)
	}
	defer readyR.Close()
	takenR, takenW, err := os.Pipe()
	if err != nil {
		readyW.Close()
		return nil, fmt.Errorf("inject: %w", err)
	}
	defer takenW.Close()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, variable+"=1")
	cmd.Args = append([]string{"inject", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/proc/self/exe"
	cmd.ExtraFiles = []*os.File{readyW, takenR}
	err = cmd.Start()
	readyW.Close()
	takenR.Close()
	if err != nil {
		return nil, fmt.Errorf("inject: %w", err)
	}
	_, _ = readyR.Read(make([]byte, 1)) // its end is the news
	t := &Tree{cmd: cmd, judge: judge, done: make(chan struct{})}
	if t.listener, err = listenerOf(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		return nil, errors.Join(err, cmd.Wait())
	}
	go t.serve()
	return t, nil
}

// Wait returns when the command and all that it started are gone.
func (t *Tree) Wait() error {
	err := t.cmd.Wait()
	<-t.done
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(err, t.err)
}

// listenerOf takes the listener of a child that waits: its only descriptor of that kind.
func listenerOf(pid int) (int, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1, fmt.Errorf("inject: %w", err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink(dir + "/" + e.Name()); !strings.Contains(to, "seccomp notify") {
			continue
		}
		var number int
		if _, err := fmt.Sscan(e.Name(), &number); err != nil {
			return -1, fmt.Errorf("inject: %w", err)
		}
		process, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return -1, fmt.Errorf("inject: pidfd_open: %w", err)
		}
		defer unix.Close(process)
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			return -1, fmt.Errorf("inject: pidfd_getfd: %w", err)
		}
		return fd, nil
	}
	return -1, errors.New("inject: the child has no filter: does its TestMain call inject.Main, and the kernel know seccomp_unotify?")
}

// notification is struct seccomp_notif, response struct seccomp_notif_resp (seccomp_unotify(2)).
type notification [80]byte

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// serve answers until no process of the tree is left.
func (t *Tree) serve() {
	defer close(t.done)
	defer unix.Close(t.listener)
	heard := make(chan notification, 64)
	go t.hear(heard)
	for n := range heard {
		t.answer(n)
	}
}

// hear receives each call as soon as it is made, whatever is judged meanwhile. A signal that comes
// before it is received ends it with EINTR where a handler has no SA_RESTART: dash has one for each
// child's end, and a fork that fails so ("Cannot fork") is none of the kernel's.
func (t *Tree) hear(heard chan<- notification) {
	defer close(heard)
	runtime.LockOSThread() // and the thread ends with its priority
	// Before all others, so that it is a matter of microseconds. Where that is not allowed it is
	// one of how busy the machine is.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	for {
		fds := []unix.PollFd{{Fd: int32(t.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			t.fail(fmt.Errorf("inject: poll: %w", err))
			return
		}
		switch {
		case fds[0].Revents&unix.POLLIN != 0:
			var n notification
			if t.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) {
				heard <- n
			}
		case fds[0].Revents != 0:
			return
		}
	}
}

func (t *Tree) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// answer says what becomes of a call. One whose process has died meanwhile is none.
func (t *Tree) answer(n notification) {
	id, pid := binary.NativeEndian.Uint64(n[0:]), int(binary.NativeEndian.Uint32(n[8:]))
	number := uintptr(binary.NativeEndian.Uint32(n[16:]))
	r := response{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	if c, ok := describe(pid, number, cutArgs(n[32:])); ok {
		switch a := t.judge(c); {
		case a.Kill == Caller:
			_ = unix.Kill(pid, unix.SIGKILL)
			return
		case a.Kill == Script:
			for _, p := range chain(pid) {
				_ = unix.Kill(p, unix.SIGKILL) // one of them may be gone already
			}
			return
		case a.Errno != 0:
			r.errno, r.flags = -int32(a.Errno), 0
		}
	}
	t.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
}

// ioctl says whether the call is still there.
func (t *Tree) ioctl(request uint, arg unsafe.Pointer) bool {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(t.listener), uintptr(request), uintptr(arg))
	switch e {
	case 0:
		return true
	case unix.ENOENT, unix.EINTR:
	default:
		t.fail(fmt.Errorf("inject: ioctl: %w", e))
	}
	return false
}
