package inject_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"fwpush/internal/inject"
)

func TestMain(m *testing.M) {
	if err := inject.Main(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// run runs a script under the filter in a directory of its own, and returns the calls on that
// directory, what was printed, and what is in it afterwards. answer is for the nth of the calls.
func run(t *testing.T, script string, nth int, answer inject.Answer) (calls []string, out, left string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = dir
	var mu sync.Mutex
	var b strings.Builder
	cmd.Stdout, cmd.Stderr = &b, &b
	tree, err := inject.Start(cmd, func(c inject.Call) inject.Answer {
		if !strings.HasPrefix(c.Path, dir) {
			return inject.Answer{}
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, strings.ReplaceAll(fmt.Sprint(c), dir+"/", ""))
		if len(calls) == nth {
			return answer
		}
		return inject.Answer{}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Wait(); err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	names, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	return calls, b.String(), strings.ReplaceAll(strings.Join(names, " "), dir+"/", "")
}

const script = `echo x >a; mv a b; (ln b c; sh -c 'sync c; rm b'); echo done`

func TestCallsOfAWholeTreeInTheirOrder(t *testing.T) {
	calls, out, left := run(t, script, 0, inject.Answer{})
	want := "sh: openat a,sh: write a,mv: renameat2 a -> b,ln: linkat b -> c,sync: fsync c,rm: unlinkat b"
	if got := strings.Join(calls, ","); got != want || out != "done\n" || left != "c" {
		t.Errorf("calls %s\nprinted %q, left %q", got, out, left)
	}
}

func TestTheNthCallFailsOrKills(t *testing.T) {
	for name, tt := range map[string]struct {
		nth       int
		answer    inject.Answer
		out, left string
	}{
		"a rename fails":           {3, inject.Answer{Errno: unix.EIO}, "Input/output error", "a"},
		"a sync fails":             {5, inject.Answer{Errno: unix.ENOSPC}, "No space left", "c"},
		"mv dies, its shell not":   {3, inject.Answer{Kill: inject.Caller}, "done\n", "a"},
		"the script dies":          {3, inject.Answer{Kill: inject.Script}, "signal: killed", "a"},
		"it dies in a grandchild":  {6, inject.Answer{Kill: inject.Script}, "signal: killed", "b c"},
		"a builtin's write is cut": {2, inject.Answer{Errno: unix.EDQUOT}, "done\n", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			calls, out, left := run(t, script, tt.nth, tt.answer)
			if len(calls) < tt.nth || !strings.Contains(out, tt.out) || left != tt.left {
				t.Errorf("calls %q\nprinted %q, left %q", calls, out, left)
			}
		})
	}
}

// A shell that has a handler for a signal, as dash has for each child's end, would see a fork that
// the signal interrupts before anybody has heard of it fail with EINTR, which no fork does. It is heard of
// within microseconds, or on a machine that has other things to do mostly.
func TestASignalDoesNotShow(t *testing.T) {
	out, err := "", error(nil)
	for range 5 {
		if out, err = signalled(t); err == nil && out == "done\n" {
			return
		}
	}
	t.Errorf("%v, printed %q", err, out)
}

// signalled is what becomes of a shell that gets a signal in a fork, while another call is looked at.
func signalled(t *testing.T) (printed string, err error) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", `trap : USR1; (: >held) & until [ -e held ]; do (:); done; echo done`)
	cmd.Dir = dir
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	tree, err := inject.Start(cmd, func(c inject.Call) inject.Answer {
		if c.Path == dir+"/held" {
			// Its shell comes to a fork meanwhile, and is signalled there.
			shell := cmd.Process.Pid
			for !strings.HasPrefix(number(shell), strconv.Itoa(unix.SYS_CLONE)+" ") {
			}
			_ = unix.Kill(shell, unix.SIGUSR1)
		}
		return inject.Answer{}
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tree.Wait()
	return out.String(), err
}

// number of the system call that a process is in, with its arguments (proc(5), syscall).
func number(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	return string(text)
}
