package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The program runs three times: as the caller outside, as the first process of the new PID
// namespace, and as that one's child which does the work. These variables tell which one it is.
// The child removes them, so that what it starts can make a world of its own.
const (
	envStage  = "FWPUSH_LAB_STAGE"
	envCgroup = "FWPUSH_LAB_CGROUP"

	stageInit  = "init"
	stageWorld = "world"
)

// Files handed down to the later stages.
const (
	fdNetNS = 3 // the machine's network namespace, for package downloads
	fdAlive = 4 // closed by the kernel when the caller outside dies
)

// Enter re-executes the running program with the same arguments in a world of its own and calls
// run there. Outside it returns the exit code of the inner program; inside, that of run. In both
// cases the caller exits with it:
//
//	code, err := lab.Enter(func(w *lab.World) int { return m.Run() })
//
// Everything before Enter happens once outside and twice more inside, so it belongs at the very
// beginning. Signals are forwarded. When any of the three processes dies, of kill -9 too, the
// world ends: the first process of a PID namespace takes all others with it (pid_namespaces(7)).
//
// It needs root and the tools of the hosts; the error names the packages that are missing.
func Enter(run func(*World) int) (code int, err error) {
	switch os.Getenv(envStage) {
	case stageInit:
		return runInit()
	case stageWorld:
		return runWorld(run)
	default:
		return runOutside()
	}
}

func runOutside() (code int, err error) {
	if err := checkMachine(); err != nil {
		return 1, err
	}
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
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("lab: cannot make namespaces, which needs root with CAP_SYS_ADMIN (in a container: a privileged one): %w", err)
	}
	defer forwardSignals(cmd.Process.Pid)()
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
	cmd := again(stageWorld, os.Getenv(envCgroup))
	cmd.ExtraFiles = []*os.File{os.NewFile(fdNetNS, "netns")}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("lab: %w", err)
	}
	child := cmd.Process.Pid
	defer forwardSignals(child)()

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

func runWorld(run func(*World) int) (code int, err error) {
	group := os.Getenv(envCgroup)
	unix.CloseOnExec(fdNetNS)
	for _, name := range []string{envStage, envCgroup} {
		if err := os.Unsetenv(name); err != nil {
			return 1, fmt.Errorf("lab: %w", err)
		}
	}
	w, err := newWorld(group, os.NewFile(fdNetNS, "netns"))
	if err != nil {
		return 1, err
	}
	return run(w), nil
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
// its own processes. A fresh /dev/shm holds all state of the lab: it is a directory that every
// Linux has, and its contents vanish with the world.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("lab: make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("lab: mount /proc: %w", err)
	}
	if err := unix.Mount("lab", shm, "tmpfs", unix.MS_NOSUID, "mode=1777"); err != nil {
		return fmt.Errorf("lab: mount %s: %w", shm, err)
	}
	return nil
}

// forwardSignals passes the signals a person or a test runner sends on to pid, until stopped.
func forwardSignals(pid int) (stop func()) {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGWINCH, unix.SIGUSR1, unix.SIGUSR2)
	done := make(chan struct{})
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
	return func() { signal.Stop(caught); close(done) }
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

// tools are the programs a world and its light hosts need, with the Debian package of each.
func tools() [][2]string {
	return [][2]string{
		{"ip", "iproute2"}, {"nsenter", "util-linux"}, {"unshare", "util-linux"}, {"mount", "mount"},
		{"sshd", "openssh-server"}, {"nft", "nftables"}, {"at", "at"}, {"atd", "at"},
	}
}

func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("lab: making hosts needs root: run it as root or with sudo")
	}
	var missing, packages []string
	for _, t := range tools() {
		if _, err := findTool(t[0]); err == nil {
			continue
		}
		missing = append(missing, t[0])
		if len(packages) == 0 || packages[len(packages)-1] != t[1] {
			packages = append(packages, t[1])
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("lab: not installed: %s; install with: apt-get install %s",
			strings.Join(missing, ", "), strings.Join(packages, " "))
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return errors.New("lab: the kernel runs without IPv6 (ipv6.disable=1), which hosts have beside IPv4")
	}
	kinds, err := os.Open("/proc/filesystems")
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer kinds.Close()
	for lines := bufio.NewScanner(kinds); lines.Scan(); {
		if strings.HasSuffix(lines.Text(), "\toverlay") {
			return nil
		}
	}
	// A module may not be loaded yet: mounting would load it, so ask for that only.
	if err := exec.Command("modprobe", "overlay").Run(); err != nil {
		return errors.New("lab: the kernel has no overlay file system")
	}
	return nil
}

// findTool looks in PATH and where Debian keeps system programs: PATH has no sbin after a plain su.
func findTool(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("lab: %w", err)
}
