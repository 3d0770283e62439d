package hostiletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// fleet is a fleet file of simulated hosts, of which some are hostile.
type fleet struct {
	t          testing.TB
	dir, state string
	sim        *simhost.Fleet
	names      []string
	window     time.Duration
	defaults   string // more lines of [defaults]
	role       string // text of [roles.web]
}

// newFleet starts hosts web001 and so on.
func newFleet(t testing.TB, n int, o simhost.Options) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), state: t.TempDir(), window: 4 * time.Second}
	for i := range n {
		f.names = append(f.names, fmt.Sprintf("web%03d", i+1))
	}
	o.Name = func(i int) string { return f.names[i] }
	f.sim = simhost.New(t, n, o)
	f.write()
	return f
}

// write makes the fleet file anew.
func (f *fleet) write() {
	f.t.Helper()
	var b strings.Builder
	ep := f.sim.Endpoint(0)
	fmt.Fprintf(&b, `version = 1
[defaults]
roles = ["base"]
ssh = { user = "root", port = %d, identity = %q, known_hosts = %q, connect_timeout = %q }
%s
[management]
from = [%q]
controller = [%q]
[rollout]
window = %q
[roles.web]
%s
`, ep.Port, ep.Identity[0], ep.KnownHosts[0], f.window/2, f.defaults, f.sim.Controller(), f.sim.Controller(), f.window, f.role)
	for i, name := range f.names {
		fmt.Fprintf(&b, "[hosts.%s]\nroles = [\"web\"]\naddresses = [\"10.1.%d.%d\"]\nssh.address = %q\n", name, i/200, i%200+1, f.sim.Endpoint(i).Address)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "fleet.toml"), []byte(b.String()), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// serve makes the hosts serve another port, so that one rule changes.
func (f *fleet) serve(port int) {
	f.role = fmt.Sprintf("in = [ { allow = \"tcp/%d\" } ]", port)
	f.write()
}

// ended is how the program ended.
type ended struct {
	code     int
	out, err string
	took     time.Duration
	rss      int64 // most memory that it had, in bytes
}

// command prepares fwpush.
func (f *fleet) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(f.t.Context(), program, args...)
	cmd.Dir = f.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "FWPUSH_") || strings.HasPrefix(v, "SSH_AUTH_SOCK=")
	})
	cmd.Env = append(cmd.Env, "FWPUSH_ACTOR=tester", "FWPUSH_SSH_CONFIG=none", "XDG_STATE_HOME="+f.state)
	return cmd
}

// run runs fwpush and judges what may be judged whatever hosts do: that it ends within a limit,
// without a panic, and that neither what it prints nor what it records holds anything raw.
func (f *fleet) run(limit time.Duration, args ...string) ended {
	f.t.Helper()
	cmd := f.command(args...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	began := time.Now()
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	late := time.AfterFunc(limit, func() { cmd.Process.Signal(syscall.SIGQUIT) }) // tells what it hangs in
	peak := watch(cmd.Process.Pid)
	err := cmd.Wait()
	hangs := !late.Stop()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		f.t.Fatal(err)
	}
	e := ended{cmd.ProcessState.ExitCode(), out.String(), msg.String(), time.Since(began), peak()}
	what := "fwpush " + strings.Join(args, " ")
	if hangs {
		f.t.Errorf("%s has not ended within %s:\n%.20000s", what, limit, e.err)
		return e
	}
	f.judge(what, e.out, e.err, false)
	return e
}

// watch looks how much memory a process has, until the function that it returns is called, which
// tells the most. (What wait4 tells begins with what this process has when it forks.)
func watch(pid int) func() int64 {
	stop, most := make(chan struct{}), make(chan int64, 1)
	go func() {
		peak := int64(0)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may be gone
			if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
				var kilobytes int64
				fmt.Sscan(rest, &kilobytes)
				peak = kilobytes << 10
			}
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}

// push has all hosts confirm what the file says, before any of them goes astray.
func (f *fleet) push() {
	f.t.Helper()
	if e := f.run(time.Minute, "apply", "-y", "-q", "--forks", "300"); e.code != 0 {
		f.t.Fatalf("the first push: exit %d\n%s%s", e.code, e.out, e.err)
	}
}

// judge looks for panics and raw bytes in what a run printed and recorded.
func (f *fleet) judge(what, out, msg string, terminal bool) {
	f.t.Helper()
	texts := map[string]string{"stdout": out, "stderr": msg}
	err := filepath.WalkDir(f.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		texts[d.Name()] = string(text)
		return err
	})
	if err != nil {
		f.t.Error(err)
	}
	for where, text := range texts {
		if found := raw(text, terminal && where == "stdout"); found != "" {
			f.t.Errorf("%s: %s is raw at %s", what, where, found)
		}
		for _, bug := range []string{"a bug in fwpush", "panic:", "goroutine 1 ["} {
			if i := strings.Index(text, bug); i >= 0 {
				f.t.Errorf("%s: %s has %.3000s", what, where, text[i:])
			}
		}
	}
}

// outcome is a host in -o json of any verb.
type outcome struct {
	Name, Outcome, Stage, Error, Hint, Run, Deadline string
	Connections, Execs                               int
	Seconds                                          float64
}

// json runs fwpush with -o json and returns how each host ended.
func (f *fleet) json(limit time.Duration, args ...string) (map[string]outcome, ended) {
	f.t.Helper()
	e := f.run(limit, append(args, "-o", "json")...)
	var o struct {
		Schema int
		Exit   int
		Hosts  []outcome
	}
	if err := json.Unmarshal([]byte(e.out), &o); err != nil || o.Exit != e.code {
		f.t.Fatalf("fwpush %s: exit %d, told %d: %v\nstdout: %.3000s\nstderr: %.3000s", strings.Join(args, " "), e.code, o.Exit, err, e.out, e.err)
	}
	m := map[string]outcome{}
	for _, h := range o.Hosts {
		m[h.Name] = h
	}
	return m, e
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
