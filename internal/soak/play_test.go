package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// settling is how long a host may take to be at rest after all was healed: the deadline, a job of at
// behind it, and a busy machine.
const settling = 240 * time.Second

// play is one round of a team.
type play struct {
	plan
	*team
	tally *tally

	diaries []*diary
	before  []record
	ends    []ended // of the program, its rival, and those that took a run up

	ready sync.WaitGroup // faults that strike before the program starts
	mu    sync.Mutex
	drift map[*subject]bool
}

func (p *play) drifted(s *subject) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drift[s] = true
}

func (p *play) ended(e ended) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = append(p.ends, e)
}

// round plays one round and returns what of it must not be, with all that was seen.
func (t *team) round(ctx context.Context, seed uint64, tally *tally) (violations []string, story string) {
	p := &play{plan: draw(seed, len(t.hosts)), team: t, tally: tally, drift: map[*subject]bool{}}
	violations = p.all(ctx)
	for i := range p.diaries {
		violations = append(violations, p.diaries[i].odd...)
	}
	if len(violations) > 0 {
		story = p.story()
	}
	return violations, story
}

func (p *play) all(ctx context.Context) []string {
	p.port = nextPort()
	if err := p.fleet("fleet.toml", fleetText(p.team, p.plan, p.port)); err != nil {
		return []string{err.Error()}
	}
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	for i, s := range p.hosts {
		was, err := s.record()
		if err != nil {
			return []string{fmt.Sprintf("%s before the round: %v", s.Name(), err)}
		}
		d := newDiary(s.state())
		p.before, p.diaries = append(p.before, was), append(p.diaries, d)
		go d.follow(following, s, p.single[i])
	}
	striking, stopStriking := context.WithCancel(ctx)
	defer stopStriking()
	var struck sync.WaitGroup
	for i, mine := range p.faults {
		for _, d := range mine {
			if d.moment == "before" {
				p.ready.Add(1)
			}
			struck.Go(func() { p.strikes(striking, p.hosts[i], d, p.diaries[i]) })
		}
	}
	p.ready.Wait()
	p.push(ctx)
	if !p.rests(90 * time.Second) { // while what is broken stays so, unless that takes too long
		p.diaries[0].note("not at rest yet: all is healed")
	}
	stopStriking()
	struck.Wait()
	var bad []string
	for _, s := range p.hosts {
		if err := errors.Join(s.revive("sshd"), s.revive("atd")); err != nil {
			bad = append(bad, fmt.Sprintf("%s cannot be healed: %v", s.Name(), err))
		}
	}
	if !p.rests(settling) {
		for _, s := range p.hosts {
			if !s.rests() {
				bad = append(bad, fmt.Sprintf("I6: %s is still %s", s.Name(), s.state().word))
			}
		}
	}
	bad = append(bad, p.judge()...)
	return append(bad, p.afterwards()...)
}

// rests waits until no host has a transaction that is to be decided.
func (p *play) rests(limit time.Duration) bool {
	return until(limit, func() bool {
		for _, s := range p.hosts {
			if !s.rests() {
				return false
			}
		}
		return true
	})
}

// push runs the program, with what becomes of it, and its rival.
func (p *play) push(ctx context.Context) {
	var beside sync.WaitGroup
	if p.second.verb == "apply" {
		beside.Go(func() { p.rivalApply(ctx) })
	}
	args := append(append([]string{}, p.verb...), "-y", "-o", "json")
	switch p.verb[0] {
	case "drill":
		args = append(args, "--window", fmt.Sprintf("%ds", p.window))
	case "remove":
		for _, s := range p.hosts {
			args = append(args, s.Name())
		}
	}
	env, stateDir := []string{}, filepath.Join(p.dir, ".local/state/fwpush")
	if p.ctl.kind == "stop" {
		env = append(env, "FWPUSH_TEST_STOP="+p.ctl.step)
	}
	if p.ctl.kind == "disk full" {
		stateDir = filepath.Join(p.dir, "full")
		unmount, err := smallDisk(stateDir)
		if err != nil {
			p.diaries[0].note("disk of the controller: %v", err)
		}
		defer unmount()
		args = append(args, "--state-dir", stateDir)
	}
	prog, err := p.start(env, args...)
	if err != nil {
		p.ended(ended{args: args, exit: -2, stderr: err.Error()})
		return
	}
	beside.Go(func() { p.hurtController(ctx, prog, stateDir) })
	if p.second.verb == "revert" || p.second.verb == "confirm" {
		beside.Go(func() { p.rivalFinish(ctx, prog) })
	}
	e := prog.end(patience)
	p.ended(e)
	p.diaries[0].note("the program ended: exit %d, killed %t", e.exit, e.killed)
	if e.killed && p.ctl.kind == "stop" {
		p.tally.controller("stopped at a step")
	}
	if run := latestRun(stateDir); e.killed && p.ctl.then != "" && run != "" {
		p.diaries[0].note("%s %s", p.ctl.then, run)
		p.ended(p.run(nil, patience, p.ctl.then, run, "-o", "json"))
	}
	beside.Wait()
}

// hurtController does to the program what the round has for it.
func (p *play) hurtController(ctx context.Context, prog *program, stateDir string) {
	wait := p.ctl.after
	if p.ctl.kind == "stop" { // who reaches the step too early waits there, maybe for nobody
		wait += time.Duration(p.window+5) * time.Second
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-prog.done:
		return
	case <-ctx.Done():
		return
	case <-late.C:
	}
	if p.ctl.kind == "" {
		return
	}
	p.diaries[0].note("controller: %s", p.ctl.kind)
	sent := func(sig syscall.Signal) bool { return prog.cmd.Process.Signal(sig) == nil }
	felt := false
	switch p.ctl.kind {
	case "kill", "stop":
		felt = sent(syscall.SIGKILL)
	case "terminate":
		felt = sent(syscall.SIGTERM)
	case "interrupt":
		for range p.ctl.times {
			felt = sent(syscall.SIGINT) || felt
			pause(ctx, 200*time.Millisecond)
		}
	case "freeze":
		felt = sent(syscall.SIGSTOP)
		pause(ctx, p.ctl.lasts)
		sent(syscall.SIGCONT)
	case "disk full":
		f, err := os.Create(filepath.Join(stateDir, "filler"))
		if err == nil {
			_, err = io.Copy(f, endless{})
			felt = errors.Is(err, unix.ENOSPC)
			f.Close()
		}
	}
	if felt && p.ctl.kind != "stop" {
		p.tally.controller(p.ctl.kind)
	}
}

// endless is a file of zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// smallDisk is a file system for the controller's records.
func smallDisk(dir string) (unmount func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return func() {}, err
	}
	if err := unix.Mount("full", dir, "tmpfs", 0, "mode=700,size=1m"); err != nil {
		return func() {}, err
	}
	return func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }, nil
}

// rivalApply pushes other rules at the same time, from another directory.
func (p *play) rivalApply(ctx context.Context) {
	if !pause(ctx, p.second.after) {
		return
	}
	other := &team{name: p.name + "-rival", hosts: p.hosts, dir: filepath.Join(p.dir, "rival"), port: nextPort()}
	if err := os.MkdirAll(other.dir, 0o700); err != nil {
		return
	}
	if err := other.fleet("fleet.toml", fleetText(other, plan{window: p.window, single: p.single}, other.port)); err != nil {
		return
	}
	p.diaries[0].note("rival: apply of port %d", other.port)
	e := other.run(nil, patience, "apply", "-y", "-o", "json", "--max-fail", "100%")
	p.ended(e)
	p.tally.controller("rival applies")
}

// rivalFinish confirms or reverts the run of the program while that is at it, from another machine.
func (p *play) rivalFinish(ctx context.Context, prog *program) {
	if !pause(ctx, p.second.after) {
		return
	}
	run := ""
	for _, s := range p.hosts {
		if st := s.state(); st.word == "applied" {
			run = strings.TrimSpace(s.read("/run/fwpush/tx/" + st.tx + "/run"))
		}
	}
	select {
	case <-prog.done:
		return
	default:
	}
	if run == "" {
		return
	}
	p.diaries[0].note("rival: %s %s", p.second.verb, run)
	p.ended(p.run(nil, patience, p.second.verb, run, "-o", "json", "--state-dir", filepath.Join(p.dir, "rival")))
	p.tally.controller("rival " + p.second.verb + "s")
}

// story is all that was seen of a round.
func (p *play) story() string {
	var b strings.Builder
	b.WriteString(p.plan.String())
	for i, s := range p.hosts {
		fmt.Fprintf(&b, "--- %s\n%s\n", s.Name(), p.diaries[i].text())
		left, err := s.console(`cd /run/fwpush && ls -l . tx/* && tail -n 20 tx/*/log tx/*/timers
cd /var/lib/fwpush && ls -l . gen/* && tail -n 8 history && cat gen/*/meta
ps -e -o pid,ppid,sid,stat,etimes,args; atq; nft.real -s list ruleset`)
		fmt.Fprintf(&b, "%s\n%v\n", left, err)
	}
	for _, e := range p.ends {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
