package verbtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/lab"
)

// fleet is a fleet file in a directory of its own, and its hosts.
type fleet struct {
	t     *testing.T
	dir   string
	state string // where the controller keeps its records
	hosts map[string]*lab.Host
	order []string
}

// newFleet starts hosts and writes a fleet file in which hosts called web... have
// the role web and those called bastion... the role bastion.
func newFleet(t *testing.T, names ...string) *fleet {
	t.Helper()
	options := make([]lab.HostOptions, len(names))
	for i, name := range names {
		options[i].Name = name
	}
	return newFleetOf(t, options...)
}

// newFleetOf is newFleet for hosts that are not plain ones.
func newFleetOf(t *testing.T, options ...lab.HostOptions) *fleet {
	t.Helper()
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.Name
	}
	f := &fleet{t: t, dir: t.TempDir(), state: t.TempDir(), hosts: map[string]*lab.Host{}, order: names}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	hosts := make([]*lab.Host, len(names))
	var group errgroup.Group
	group.SetLimit(4)
	for i := range options {
		group.Go(func() (err error) {
			hosts[i], err = world.Host(ctx, options[i])
			return err
		})
	}
	err := group.Wait()
	for i, h := range hosts {
		if h == nil {
			continue
		}
		f.hosts[names[i]] = h
		t.Cleanup(func() {
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
	return f
}

// write makes a fleet file whose management is from.
func (f *fleet) write(name string, from ...string) {
	f.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `version = 1
[defaults]
roles = ["base"]
ssh = { user = "root", identity = %q, known_hosts = %q, connect_timeout = "3s" }
[management]
from = ["%s"]
[rollout]
window = "30s"
`, world.KeyFile(), world.KnownHosts(), strings.Join(from, `", "`))
	for _, host := range f.order {
		h := f.hosts[host]
		role := strings.TrimRight(host, "0123456789")
		fmt.Fprintf(&b, "[hosts.%s]\nroles = [%q]\naddresses = [%q, %q]\n", host, role, h.Addr4(), h.Addr6())
	}
	f.file(name, b.String())
}

func (f *fleet) file(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// append adds to the fleet file.
func (f *fleet) append(text string) {
	f.t.Helper()
	old, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.file("fleet.toml", string(old)+text)
}

// command prepares fwpush.
func (f *fleet) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(f.t.Context(), program, args...)
	cmd.Dir = f.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "FWPUSH_") || strings.HasPrefix(v, "SSH_AUTH_SOCK=")
	})
	cmd.Env = append(cmd.Env, "FWPUSH_ACTOR=tester", "XDG_STATE_HOME="+f.state)
	return cmd
}

// run runs fwpush and returns what it printed; the exit code must be as wanted,
// and the last line must name it.
func (f *fleet) run(want int, args ...string) (stdout, stderr string) {
	f.t.Helper()
	cmd := f.command(args...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		f.t.Fatal(err)
	}
	stdout, stderr = out.String(), msg.String()
	if got := cmd.ProcessState.ExitCode(); got != want {
		f.t.Fatalf("fwpush %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, want, stdout, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if last := lines[len(lines)-1]; want != 0 && !strings.HasPrefix(last, fmt.Sprintf("exit %d: ", want)) {
		f.t.Errorf("fwpush %s: the last line %q does not name exit %d", strings.Join(args, " "), last, want)
	}
	for _, text := range []string{stdout, stderr} {
		if strings.Contains(text, "\x1b") {
			f.t.Errorf("fwpush %s: an escape character reached the output: %q", strings.Join(args, " "), text)
		}
	}
	return stdout, stderr
}

// outcome is a host of -o json, for all verbs.
type outcome struct {
	Name, Outcome, Stage, Error, Hint, Digest, Previous, Deadline, Diff, Like string
	Wave, Connections, Execs, Generation                                      int
	Seconds                                                                   float64
	Drift                                                                     bool
	Late                                                                      *float64
	Run, Since, Running, Boot, Backend, Fleet                                 string
	Timers                                                                    []string
	Pending                                                                   *struct{ Run, TX, State, By, Deadline string }
}

type object struct {
	Schema       int
	Run, Command string
	Exit         int
	Error        string
	Hosts        []outcome
}

// json runs fwpush with -o json and reads the object.
func (f *fleet) json(want int, args ...string) object {
	f.t.Helper()
	stdout, stderr := f.run(want, append(args, "-o", "json")...)
	var o object
	if err := json.Unmarshal([]byte(stdout), &o); err != nil {
		f.t.Fatalf("%v\nstdout: %s\nstderr: %s", err, stdout, stderr)
	}
	if o.Schema != 1 || o.Exit != want {
		f.t.Errorf("schema %d, exit %d; want 1 and %d", o.Schema, o.Exit, want)
	}
	return o
}

// outcomes are the hosts and how each ended.
func (o object) outcomes() map[string]string {
	m := map[string]string{}
	for _, h := range o.Hosts {
		m[h.Name] = h.Outcome
	}
	return m
}

// sh runs a script at a host's console and returns what it printed.
func (f *fleet) sh(host, script string) string {
	f.t.Helper()
	out, _, err := f.hosts[host].Exec(f.t.Context(), script, "sh", "-s")
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

// ruleset is all that a host's kernel enforces, counters left out.
func (f *fleet) ruleset(host string) string {
	f.t.Helper()
	return f.sh(host, "nft -s list ruleset")
}

// leftovers is what a run must not leave on a host: jobs of at, processes and
// units of timers, locks that are held.
func (f *fleet) leftovers(host string) string {
	f.t.Helper()
	return f.sh(host, `
atq
ps -eo args | grep -e '[/]run/fwpush' -e '[r]evert' || true
ls /run/systemd/transient 2>/dev/null || true
for lock in $(find /run/fwpush -name '*lock*' -type f); do flock -n "$lock" true || echo "held: $lock"; done
`)
}

// growing is text that comes in while it is looked at.
type growing struct {
	mu   sync.Mutex
	text []byte
	news chan struct{} // has something when text has grown since it was emptied
	done chan struct{} // closed when nothing more comes
}

func readAll(r io.Reader) *growing {
	g := &growing{news: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(g.done)
		part := make([]byte, 4096)
		for {
			n, err := r.Read(part)
			g.mu.Lock()
			g.text = append(g.text, part[:n]...)
			g.mu.Unlock()
			select {
			case g.news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return g
}

// await returns when the text holds s n times. Only one may wait at a time.
func (g *growing) await(t *testing.T, s string, n int) {
	t.Helper()
	patience := time.After(10 * time.Second)
	for strings.Count(g.String(), s) < n {
		select {
		case <-g.news:
		case <-g.done:
			if strings.Count(g.String(), s) < n {
				t.Fatalf("ended without %d times %q:\n%s", n, s, g)
			}
		case <-patience:
			t.Fatalf("not yet %d times %q:\n%s", n, s, g)
		}
	}
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.text)
}
