package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// controller is somebody's working directory with a fleet file in it.
type controller struct {
	dir string
	env []string
}

func newController(t *testing.T, fleet string, env ...string) *controller {
	t.Helper()
	c := &controller{dir: t.TempDir()}
	c.env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "FWPUSH_") || strings.HasPrefix(v, "SSH_AUTH_SOCK=")
	})
	c.env = append(append(c.env, "HOME="+c.dir, "FWPUSH_ACTOR=tester@lab"), env...)
	c.write(t, "fleet.toml", fleet)
	return c
}

func (c *controller) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is a running fwpush.
type process struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	began    time.Time
}

// start runs fwpush with more variables in its environment.
func (c *controller) start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(t.Context(), binary, args...), began: time.Now()}
	p.cmd.Dir, p.cmd.Env = c.dir, append(slices.Clone(c.env), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill is kill -9.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// ended is how a fwpush ended and what it said.
type ended struct {
	exit           int // -1 if a signal ended it
	killed         bool
	stdout, stderr string
	took           time.Duration
}

func (p *process) wait(t *testing.T) ended {
	t.Helper()
	err := p.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	e := ended{exit: p.cmd.ProcessState.ExitCode(), stdout: p.out.String(), stderr: p.err.String(), took: time.Since(p.began)}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.killed = status.Signal() == syscall.SIGKILL
	}
	return e
}

// run is fwpush from start to end. want is the exit code.
func (c *controller) run(t *testing.T, want int, args ...string) ended {
	t.Helper()
	e := c.start(t, nil, args...).wait(t)
	if e.exit != want {
		t.Fatalf("fwpush %s: exit %d, want %d\n%s", strings.Join(args, " "), e.exit, want, e)
	}
	return e
}

// runJSON is run for the object that -o json prints.
func (c *controller) runJSON(t *testing.T, want int, args ...string) report {
	t.Helper()
	return c.run(t, want, append(args, "-o", "json")...).report(t)
}

// killedAt runs an apply that kills itself when the n-th host reaches a step.
func (c *controller) killedAt(t *testing.T, step string, n int, args ...string) {
	t.Helper()
	e := c.start(t, []string{fmt.Sprintf("FWPUSH_TEST_STOP=%s:%d", step, n)}, args...).wait(t)
	if !e.killed {
		t.Fatalf("fwpush was not killed at %s:%d\n%s", step, n, e)
	}
}

func (e ended) String() string {
	return fmt.Sprintf("exit %d after %s\nstdout:\n%sstderr:\n%s", e.exit, e.took.Round(time.Millisecond), e.stdout, e.stderr)
}

// report is what programs are promised of apply, diff, confirm, revert, remove.
type report struct {
	Schema  int
	Run     string
	Command string
	Exit    int
	Hosts   []hostReport
}

type hostReport struct {
	Name, Outcome, Stage, Error, Hint string
	Digest, Previous, Deadline, Diff  string
	Wave, Connections, Execs          int
	Timers                            []string
	Seconds                           float64
	Drift                             bool
}

func (e ended) report(t *testing.T) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(e.stdout), &r); err != nil {
		t.Fatalf("%v\n%s", err, e)
	}
	if r.Schema != 1 || r.Exit != e.exit {
		t.Errorf("schema %d, exit %d in the object, %d in fact", r.Schema, r.Exit, e.exit)
	}
	return r
}

// outcomes are the hosts and how each ended, as in "web1 confirmed, web2 failed".
func (r report) outcomes() string {
	words := make([]string, len(r.Hosts))
	for i, h := range r.Hosts {
		words[i] = h.Name + " " + h.Outcome
	}
	return strings.Join(words, ", ")
}

// all is the outcomes of hosts that all ended in one way, in the order of fwpush.
func all(hosts []*host, outcome string) string {
	words := make([]string, len(hosts))
	for i, h := range hosts {
		words[i] = h.Name() + " " + outcome
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// expect compares outcomes, and tells the errors if they differ.
func (r report) expect(t *testing.T, want string) {
	t.Helper()
	if got := r.outcomes(); got != want {
		t.Errorf("outcomes %s\nwant     %s", got, want)
		for _, h := range r.Hosts {
			t.Logf("%s at %q: %s (%s)", h.Name, h.Stage, h.Error, h.Hint)
		}
	}
}

// host is one host of the report.
func (r report) host(t *testing.T, name string) hostReport {
	t.Helper()
	for _, h := range r.Hosts {
		if h.Name == name {
			return h
		}
	}
	t.Fatalf("no host %s in %s", name, r.outcomes())
	return hostReport{}
}
