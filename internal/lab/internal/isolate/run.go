package isolate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The program runs three times: as the caller outside, as the first process of the new PID
// namespace, and as that one's child which does the work. These variables tell which one it is.
// The child removes them, so that what it starts can make a world of its own.
const (
	envStage  = "FWPUSH_LAB_STAGE"
	envCgroup = "FWPUSH_LAB_CGROUP"

	stageInit   = "init"
	stageInside = "inside"
)

// Files handed down to the later stages.
const (
	fdNetNS = 3 // the machine's network namespace, for package downloads
	fdAlive = 4 // closed by the kernel when the caller outside dies
)

// Shm is where the inside has a tmpfs of its own for its files: a directory that every Linux has.
const Shm = "/dev/shm"

// Inside is what the program has in its namespaces.
type Inside struct {
	Cgroup string   // a cgroup2 directory for its use, or empty when the machine has no writable cgroup2
	NetNS  *os.File // the machine's network namespace
}

// Run calls inside in new namespaces. It executes the running program with the same arguments
// again to get there; the program must come to the same call of Run. Outside, check may refuse
// first, and Run returns the exit code of the inner program; inside, it returns what inside does.
func Run(check func() error, inside func(Inside) (code int, err error)) (code int, err error) {
	switch os.Getenv(envStage) {
	case stageInit:
		return runInit()
	case stageInside:
		return runInside(inside)
	}
	if err := check(); err != nil {
		return 1, err
	}
	return runOutside()
}

func runOutside() (code int, err error) {
	group, err := newCgroup()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, group.remove()) }()
	netns, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 1, fmt.Errorf("lab: %w", err)
	}
	defer netns.Close()
	alive, hold, err := os.Pipe()
	if err != nil {
		return 1, fmt.Errorf("lab: %w", err)
	}
	defer hold.Close()
	defer alive.Close()

	// The parent death signal is sent when the thread that forked ends, not the process
	// (prctl(2)), so this thread is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := again(stageInit, group.path)
	cmd.ExtraFiles = []*os.File{netns, alive}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
		// A session of its own: a ^C at the terminal reaches the outer process alone, which
		// forwards it once, instead of all three at the same time.
		Setsid: true,
	}
	forward, stop := catchSignals()
	defer stop()
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("lab: cannot make namespaces, which needs root with CAP_SYS_ADMIN (in a container: a privileged one): %w", err)
	}
	forward(cmd.Process.Pid)
	return exitCode(cmd.Wait())
}

// runInit is the first process of the world. It prepares the mounts, starts the program once
// more, and reaps what that one and the hosts leave behind.
func runInit() (code int, err error) {
	unix.CloseOnExec(fdAlive)
	if err := privateMounts(); err != nil {
		return 1, err
	}
	// No namespace covers the wall clock and the kernel's modules. What this thread gives up, its
	// children never get back (capabilities(7)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, c := range []uintptr{unix.CAP_SYS_TIME, unix.CAP_SYS_MODULE} {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return 1, fmt.Errorf("lab: drop capability %d: %w", c, err)
		}
	}
	cmd := again(stageInside, os.Getenv(envCgroup))
	cmd.ExtraFiles = []*os.File{os.NewFile(fdNetNS, "netns")}
	forward, stop := catchSignals()
	defer stop()
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("lab: %w", err)
	}
	child := cmd.Process.Pid
	forward(child)

	ended := make(chan int, 2)
	go func() { ended <- reapUntil(child) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(fdAlive, "alive"))
		ended <- 128 + int(unix.SIGKILL)
	}()
	return <-ended, nil
}

// reapUntil waits for every child, adopted ones too, until the one with this PID ends.
func reapUntil(child int) int {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 1
		case pid == child && status.Signaled():
			return 128 + int(status.Signal())
		case pid == child:
			return status.ExitStatus()
		}
	}
}

func runInside(inside func(Inside) (int, error)) (code int, err error) {
	place := Inside{Cgroup: os.Getenv(envCgroup), NetNS: os.NewFile(fdNetNS, "netns")}
	unix.CloseOnExec(fdNetNS)
	for _, name := range []string{envStage, envCgroup} {
		if err := os.Unsetenv(name); err != nil {
			return 1, fmt.Errorf("lab: %w", err)
		}
	}
	return inside(place)
}

// again is the running program once more. The link in /proc leads to the very same binary, even
// when its file has been replaced or removed since.
func again(stage, cgroup string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), envStage+"="+stage, envCgroup+"="+cgroup)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// privateMounts cuts the world's mounts off from the machine's and gives it a /proc that shows
// its own processes. What is in its Shm vanishes with the world.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("lab: make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("lab: mount /proc: %w", err)
	}
	if err := unix.Mount("lab", Shm, "tmpfs", unix.MS_NOSUID, "mode=1777"); err != nil {
		return fmt.Errorf("lab: mount %s: %w", Shm, err)
	}
	return nil
}

// catchSignals catches, until stopped, the signals a person or a test runner sends; forward passes
// them on to pid. They are caught before there is a pid: the program inside may say that it is ready
// before this one runs again, and one that comes meanwhile would end it.
func catchSignals() (forward func(pid int), stop func()) {
	caught := make(chan os.Signal, 8)
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGWINCH, unix.SIGUSR1, unix.SIGUSR2} {
		if !signal.Ignored(s) { // as SIGHUP is under nohup, for the program inside too
			signal.Notify(caught, s)
		}
	}
	done := make(chan struct{})
	forward = func(pid int) {
		go func() {
			for {
				select {
				case s := <-caught:
					if s, ok := s.(syscall.Signal); ok {
						_ = unix.Kill(pid, s)
					}
				case <-done:
					return
				}
			}
		}()
	}
	return forward, func() { signal.Stop(caught); close(done) }
}

// exitCode turns the end of the inner program into what a shell would report.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 1, fmt.Errorf("lab: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
