package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"fwpush/internal/lab/internal/isolate"
)

// Enter re-executes the running program with the same arguments in a world of its own and calls
// run there. Outside it returns the exit code of the inner program; inside, that of run. In both
// cases the caller exits with it:
//
//	code, err := lab.Enter(func(w *lab.World) int { return run(w) })
//
// Everything before Enter happens once outside and twice more inside, so it belongs at the very
// beginning. Signals are forwarded. When any of the three processes dies, of kill -9 too, the
// world ends: the first process of a PID namespace takes all others with it (pid_namespaces(7)).
//
// It needs root and the tools of the hosts; the error names the packages that are missing.
func Enter(run func(*World) int) (code int, err error) {
	return isolate.Run(checkMachine, func(in isolate.Inside) (int, error) {
		w, err := newWorld(in)
		if err != nil {
			return 1, err
		}
		return run(w), nil
	})
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
