package wire

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace that no process is in. It lasts as long as its file, the
// sockets made in it, and the programs started in it.
type namespace struct{ file *os.File }

func newNamespace() (namespace, error) {
	var n namespace
	err := onOwnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("wire: new network namespace, which needs root: %w", err)
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return n, err
}

// do calls f on a thread in the namespace. Sockets that f makes belong to the namespace for good,
// and programs that it starts run there.
func (n namespace) do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("wire: enter network namespace: %w", err)
		}
		return f()
	})
}

// onOwnThread calls f on a thread that ends with it: a goroutine that ends while locked takes its
// thread along, and with it the namespace that the thread is in.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread outlives its goroutine, wherever that has led it. While it is
			// taken, another goroutine runs on another one.
			defer runtime.UnlockOSThread()
			done <- onOwnThread(f)
			return
		}
		done <- f()
	}()
	return <-done
}

// ip runs ip(8) commands of one family ("-4" or "-6") in the namespace. Commands can speak of
// another namespace as /proc/self/fd/3.
func (n namespace) ip(ctx context.Context, other namespace, family string, commands ...string) error {
	cmd := exec.CommandContext(ctx, "ip", family, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if other.file != nil {
		cmd.ExtraFiles = []*os.File{other.file}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := n.do(cmd.Run); err != nil {
		return fmt.Errorf("wire: ip: %w: %s", err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// set writes kernel settings, each as path=value below /proc/sys/net, which shows those of the
// namespace that the reading thread is in.
func (n namespace) set(settings ...string) error {
	return n.do(func() error {
		for _, s := range settings {
			path, value, _ := strings.Cut(s, "=")
			if err := os.WriteFile("/proc/sys/net/"+path, []byte(value), 0o644); err != nil {
				return fmt.Errorf("wire: %w", err)
			}
		}
		return nil
	})
}

// onOneCPU calls f on a thread that stays on the CPU where it is.
func onOneCPU(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("wire: CPUs of this thread: %w", err)
	}
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return fmt.Errorf("wire: CPU of this thread: %w", errno)
	}
	one.Set(int(cpu))
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("wire: stay on CPU %d: %w", cpu, err)
	}
	err := f()
	if e := unix.SchedSetaffinity(0, &before); e != nil {
		// Go would use the thread for others.
		runtime.LockOSThread()
		return fmt.Errorf("wire: leave CPU %d: %w", cpu, e)
	}
	return err
}
