package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long the program may take to end: it looks until 150 s after the deadline.
const patience = 260 * time.Second

// ports tell one push from another: no two have the same.
var ports atomic.Int64

func nextPort() int { return 20000 + int(ports.Add(1))%40000 }

// team is some hosts and whoever pushes to them.
type team struct {
	name  string
	hosts []*subject
	dir   string
	port  int // of the rules that hosts were given last
	// What every push must come to, and its listing, as form tells them.
	rules, listing string
}

func newTeam(ctx context.Context, name string, size int, dir string) (*team, error) {
	t := &team{name: name, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for i := range size {
		s, err := newSubject(ctx, fmt.Sprintf("%s-%d", name, i+1))
		if err != nil {
			return nil, errors.Join(err, t.stop())
		}
		t.hosts = append(t.hosts, s)
	}
	for range 2 { // a rollback wants a generation before the last
		t.port = nextPort()
		if err := t.fleet("fleet.toml", fleetText(t, plan{window: 60}, t.port)); err != nil {
			return nil, err
		}
		if e := t.run(nil, patience, "apply", "-y", "-o", "json"); e.exit != 0 {
			return nil, errors.Join(fmt.Errorf("first push: %s", e), t.stop())
		}
	}
	r, err := t.hosts[0].record()
	t.rules, t.listing = form(r.rules), form(r.canon)
	return t, err
}

func (t *team) stop() error {
	var err error
	for _, s := range t.hosts {
		err = errors.Join(err, s.Stop())
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}

func (t *team) fleet(name, text string) error {
	return os.WriteFile(filepath.Join(t.dir, name), []byte(text), 0o600)
}

// fleetText is a fleet file of the team, with one port open that tells it from others.
func fleetText(t *team, p plan, port int) string {
	from := []string{world.Addr4().String(), world.Addr6().String()}
	if p.lockOut {
		from = []string{"192.0.2.1", "2001:db8::1"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `version = 1
fleet = "soak"

[defaults]
roles = ["base"]
ssh = { user = "root", identity = %q, known_hosts = %q, connect_timeout = "3s" }

[management]
from = [%q, %q]

[rollout]
window = "%ds"
`, world.KeyFile(), world.KnownHosts(), from[0], from[1], p.window)
	for i, s := range t.hosts {
		fmt.Fprintf(&b, "\n[hosts.%s]\nroles = [\"web\"]\naddresses = [%q, %q]\nin = [ { allow = \"tcp/%d\" } ]\n", s.Name(), s.Addr4(), s.Addr6(), port)
		if i < len(p.single) && p.single[i] {
			b.WriteString("timers = 1\n")
		}
	}
	return b.String()
}

// program is a running fwpush.
type program struct {
	cmd      *exec.Cmd
	out, msg strings.Builder
	done     chan struct{}
}

// ended is how a fwpush ended and what it said.
type ended struct {
	args           []string
	exit           int // -1 if a signal ended it
	killed         bool
	hung           bool // it had to be ended
	stdout, stderr string
}

func (e ended) String() string {
	return fmt.Sprintf("fwpush %s: exit %d, killed %t, hung %t\n%s%s", strings.Join(e.args, " "), e.exit, e.killed, e.hung, e.stdout, e.stderr)
}

func (t *team) start(env []string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Dir = t.dir
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "FWPUSH_") || strings.HasPrefix(v, "SSH_AUTH_SOCK=") || strings.HasPrefix(v, "XDG_")
	})
	p.cmd.Env = append(p.cmd.Env, "HOME="+t.dir, "FWPUSH_ACTOR=soak@"+t.name, "FWPUSH_SSH_CONFIG=none", "GOMAXPROCS=2")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.msg
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// end waits for the program, and has it show where it stands if it does not end.
func (p *program) end(limit time.Duration) ended {
	e := ended{args: p.cmd.Args[1:]}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		e.hung = true
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		<-p.done
	}
	e.exit, e.stdout, e.stderr = p.cmd.ProcessState.ExitCode(), p.out.String(), p.msg.String()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		e.killed = status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	return e
}

func (t *team) run(env []string, limit time.Duration, args ...string) ended {
	p, err := t.start(env, args...)
	if err != nil {
		return ended{args: args, exit: -2, stderr: err.Error()}
	}
	return p.end(limit)
}

// report is what the program says of a run.
type report struct {
	Run, Command string
	Exit         int
	Hosts        []struct{ Name, Outcome, Stage, Error, Hint string }
}

// read is the report, if there is a whole one.
func (e ended) read() (r report, ok bool) {
	err := json.Unmarshal([]byte(e.stdout), &r)
	return r, err == nil && r.Run != ""
}

// latestRun is the newest run in a state directory, "" if there is none.
func latestRun(dir string) string {
	entries, _ := os.ReadDir(filepath.Join(dir, "runs"))
	latest := ""
	for _, e := range entries {
		if strings.Contains(e.Name(), "Z-") && e.Name() > latest {
			latest = e.Name()
		}
	}
	return latest
}
