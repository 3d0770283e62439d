package main

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/cmd/fwpush/internal/record"
	"fwpush/internal/journal"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// beginning is what is written down of a run before it changes anything.
type beginning struct {
	command, run string
	targets      []rollout.Target
	waves        []rollout.Wave
	flags        *pflag.FlagSet    // as given
	options      map[string]string // beside them
	events       *checked[string]
}

// begin writes down that a run begins. An error means that nothing may be changed.
func (c *console) begin(ctx context.Context, g *globals, f *plan.File, b beginning) (*record.Recorder, error) {
	s, err := c.store(g)
	if err != nil {
		return nil, err
	}
	if err := c.tee(s, b.events); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(f.Fleet.Path)
	if err != nil {
		return nil, err
	}
	b.flags.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "output", "color", "quiet", "verbose", "progress", "events", "state-dir", "inventory", askBecomePass, becomePassCommand:
		default:
			b.options[flag.Name] = written(flag)
		}
	})
	run, err := s.Begin(journal.Header{
		Run: b.run, Command: b.command, Who: actor(c.getenv), From: whereabouts(), PID: os.Getpid(), Version: versionLine(),
		Fleet: f.Fleet.Name, File: path, Digest: f.Fleet.Digest, Commit: journal.GitCommit(ctx, path, f.Fleet.Files...), Options: b.options,
		Hosts: record.Hosts(b.targets, b.waves),
	})
	if err != nil {
		return nil, ended(exitConfig, "%v; no host was changed", err)
	}
	return record.New(run, b.waves, c), nil
}

// written is the value of a flag as it is recorded: of one that was repeated each value
// is a line.
func written(flag *pflag.Flag) string {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), "\n")
	}
	return flag.Value.String()
}

// kept are the flags that hold for a run that is resumed: how hosts are proved, and when
// it stops. Canaries it has had, and risks are to be named by whoever takes them.
var kept = []string{"batch", "soak", "max-fail", "max-unreachable", "on-stop", "window", "probe"}

// keep sets the flags that a run was given and that were not given anew.
func (c *console) keep(flags *pflag.FlagSet, r journal.Record) error {
	var words []string
	for _, name := range kept {
		value, was := r.Options[name]
		if !was || flags.Changed(name) {
			continue
		}
		for one := range strings.SplitSeq(value, "\n") {
			if err := flags.Set(name, one); err != nil {
				return ended(exitConfig, "run %s had --%s %s: %v; give it anew", r.Run, name, one, err)
			}
			words = append(words, "--"+name, ui.Shell(one))
		}
	}
	if len(words) > 0 {
		c.Note("as in run %s: %s", r.Run, strings.Join(words, " "))
	}
	return nil
}

// tee has everything that is written down told to a file of events too. It is opened once:
// to open a pipe whose reader is gone by then waits for another one.
func (c *console) tee(s *journal.Store, events *checked[string]) error {
	if !events.given {
		return nil
	}
	if c.events == nil {
		file, err := os.OpenFile(events.v, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return ended(exitConfig, "--events: %v; no host was changed", err)
		}
		c.events = &listener{to: file, log: c} // for as long as this program lives
	}
	s.Events = c.events
	return nil
}

// listener tells once that nobody listens any more. A run goes on without.
type listener struct {
	to   *os.File
	log  *console
	gone error
}

func (l *listener) Write(lines []byte) (int, error) {
	if l.gone != nil {
		return 0, l.gone
	}
	n, err := l.to.Write(lines)
	if err != nil {
		l.gone = err
		l.log.Tell("--events: %v; nothing more is told there, and the run goes on", err)
	}
	return n, err
}

// whereabouts is USER@HOST of this machine.
func whereabouts() string {
	name := "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// resumed is prepare for a run that goes on: the hosts that it did not confirm, each
// with the rules that it was to get then, and proved in the same way.
func (c *console) resumed(ctx context.Context, g *globals, f *changeFlags, flags *pflag.FlagSet, run string) (*prepared, error) {
	r, err := c.recall(g, run)
	if err != nil {
		return nil, err
	}
	switch {
	case r.State == journal.Running:
		return nil, ended(exitConfig, "run %s goes on in another fwpush (pid %d on this machine)", run, r.PID)
	case r.Command != "apply":
		return nil, ended(exitConfig, "run %s was fwpush %s, and only an apply can be resumed", run, r.Command)
	}
	var names, pending []string
	digests := map[string]string{}
	for _, h := range r.Hosts {
		switch h.Outcome() {
		case "confirmed", "unchanged":
			continue
		case "", "pending":
			if h.Deadline.After(time.Now()) {
				pending = append(pending, h.Name)
			}
		}
		names = append(names, h.Name)
		digests[h.Name] = h.Digest
	}
	if len(pending) > 0 {
		c.Note("%s may still be pending: fwpush confirm %s keeps what runs there, fwpush revert %s takes it back", inventory.Fold(pending), run, run)
	}
	if len(names) == 0 {
		return nil, ended(exitOK, "run %s left nothing to do: all of its hosts are confirmed", run)
	}
	if err := c.keep(flags, r); err != nil {
		return nil, err
	}
	file, err := c.load(ctx, g.at(r.File), plan.DNS)
	if err != nil {
		return nil, err
	}
	s := f.Selection
	s.Only = names
	p, err := c.ready(ctx, file, s, f.readiness())
	if err != nil {
		return nil, err
	}
	if moved := plan.Moved(p.targets, digests); len(moved) > 0 {
		return nil, c.stale(g.typing(r.File).OfHosts("diff", "-l", inventory.Fold(moved)), errors.New(inventory.Fold(moved)+" would get other rules than in run "+run+": the fleet file, or a name or a date in it, means something else by now"))
	}
	return p, nil
}

// recall reads the record of a run.
func (c *console) recall(g *globals, run string) (journal.Record, error) {
	s, err := c.store(g)
	if err != nil {
		return journal.Record{}, err
	}
	r, err := s.Load(run)
	if errors.Is(err, journal.ErrNoRun) {
		return r, ended(exitConfig, "run %s is not recorded in %s; fwpush history lists those that are, --state-dir names another directory, and fwpush status tells which run hosts have", run, s.Dir())
	}
	if err != nil {
		return r, ended(exitConfig, "%v", err)
	}
	return r, nil
}
