package lab_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fwpush/internal/lab"
)

// envVictim makes the test program a world that waits for its end.
const envVictim = "FWPUSH_LAB_VICTIM"

// victim starts hosts of each kind, says so, and waits for a signal.
func victim(w *lab.World) int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	if os.Getenv(envVictim) == "hosts" {
		for _, o := range []lab.HostOptions{{Name: "light"}, {Name: "far", PathMTU: 1300}, {Name: "sys", Systemd: true}} {
			if _, err := w.Host(ctx, o); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
	}
	fmt.Println("ready")
	<-ctx.Done()
	return 42
}

// startVictim returns the outer process of a new world inside the tests' own.
func startVictim(t *testing.T, kind string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), envVictim+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		rest, _ := io.ReadAll(out)
		t.Fatalf("victim: %q %s %v", line, rest, err)
	}
	return cmd
}

func TestNothingIsLeftOfAKilledWorld(t *testing.T) {
	root(t, "bookworm")
	for depth, who := range []string{"the outer process", "its first process", "the program inside"} {
		t.Run(who, func(t *testing.T) {
			mounts := read(t, "/proc/self/mountinfo")
			cmd := startVictim(t, "hosts")
			family := descendants(cmd.Process.Pid)
			if len(family) < 15 {
				t.Fatalf("only %d processes in a world with three hosts", len(family))
			}
			spaces := netSpaces(slices.Collect(maps.Keys(family)))
			if len(spaces) < 6 {
				t.Fatalf("only %d network namespaces in a world with three hosts and two routers", len(spaces))
			}
			group := worldCgroup(t, family)
			if err := unix.Kill(nth(t, cmd.Process.Pid, depth), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			eventually(t, "the end of all processes", func() bool { return len(alive(family)) == 0 })
			for space := range netSpaces(processes()) {
				if spaces[space] && space != ownNetSpace(t) {
					t.Errorf("network namespace %s is still in use", space)
				}
			}
			if got := read(t, "/proc/self/mountinfo"); got != mounts {
				t.Errorf("mounts changed:\n%s", got)
			}
			if depth == 0 {
				// Only the outer process could have removed the cgroups: the next world does.
				next := startVictim(t, "empty")
				if err := next.Process.Signal(unix.SIGTERM); err != nil {
					t.Fatal(err)
				}
				_ = next.Wait()
			}
			if _, err := os.Stat(group); err == nil {
				t.Errorf("%s is left", group)
			}
		})
	}
}

func TestSignalsAndExitCodePassThrough(t *testing.T) {
	cmd := startVictim(t, "empty")
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 42 {
		t.Errorf("ended with %v, want the inner program's exit status 42", err)
	}
}

func TestMachineThatCannotMakeHosts(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "lab")
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(binary); dir != "/dev/shm"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, script, want string }{
		{"not root", `exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0"`, "needs root"},
		{"a tool missing", `mount --bind /dev/null "$(command -v atd)" && exec "$0"`, "not installed: atd; install with: apt-get install at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("unshare", "--mount", "sh", "-c", tt.script, binary)
			cmd.Env = append(os.Environ(), envVictim+"=empty")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%v, output %q, want one line with %q", err, out, tt.want)
			}
		})
	}
}

// nth is the process, its child, or its grandchild: each of the first two has one child alone.
func nth(t *testing.T, pid, depth int) int {
	t.Helper()
	for range depth {
		parent := pid
		for _, p := range processes() {
			if ppid, _, ok := stat(p); ok && ppid == parent {
				pid = p
				break
			}
		}
		if pid == parent {
			t.Fatalf("process %d has no child", parent)
		}
	}
	return pid
}

// stat is a process's parent and the time it started, which tells apart two with the same number.
func stat(pid int) (ppid int, started string, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", false
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	ppid, err = strconv.Atoi(f[1])
	return ppid, f[19], err == nil
}

func processes() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants are a process and all below it, with the times they started.
func descendants(pid int) map[int]string {
	family := map[int]string{}
	_, family[pid], _ = stat(pid)
	for grown := true; grown; {
		grown = false
		for _, p := range processes() {
			ppid, started, ok := stat(p)
			if _, known := family[p]; ok && !known && family[ppid] != "" {
				family[p], grown = started, true
			}
		}
	}
	return family
}

func alive(family map[int]string) []int {
	var left []int
	for pid, began := range family {
		if _, started, ok := stat(pid); ok && started == began {
			left = append(left, pid)
		}
	}
	return left
}

func netSpaces(pids []int) map[string]bool {
	spaces := map[string]bool{}
	for _, p := range pids {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p)); err == nil {
			spaces[link] = true
		}
	}
	return spaces
}

func ownNetSpace(t *testing.T) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// worldCgroup is the directory of a world with a systemd host: the parent of that host's.
func worldCgroup(t *testing.T, family map[int]string) string {
	t.Helper()
	inside := regexp.MustCompile(`(?m)^0::(/fwpush-lab\.[0-9]+)/sys/`)
	for pid := range family {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		found := inside.FindSubmatch(text)
		if found == nil {
			continue
		}
		for line := range strings.Lines(read(t, "/proc/self/mounts")) {
			if f := strings.Fields(line); f[2] == "cgroup2" {
				return f[1] + string(found[1])
			}
		}
	}
	t.Fatal("no process of the systemd host is in a cgroup of the world")
	return ""
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
