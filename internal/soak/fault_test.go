package soak

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// fault is something that may go wrong on a host or on the way to it.
type fault struct {
	class, name string
	weight      int
	key         string   // what it takes hold of: a host has one fault for each key in a round
	when        []string // moments it may strike at
	slow        bool     // what follows may take two minutes
	strike      func(s *subject, d drawn) (wound, error)
}

// moments are the states of a transaction that a fault may wait for. Besides there is "before",
// which is before the program starts, and "start", any time after.
func moments() []string { return []string{"staged", "armed", "applied", "confirming", "reverting"} }

// Where most faults may strike.
var (
	ever   = []string{"before", "start", "start", "staged", "armed", "applied", "applied", "applied", "applied", "confirming", "reverting"}
	midway = []string{"staged", "armed", "applied", "applied", "applied", "confirming", "reverting"}
)

// drawn is a fault of one round.
type drawn struct {
	fault  *fault
	moment string
	after  time.Duration // after the moment
	lasts  time.Duration // until it is healed
	n      int           // what the fault makes of it, below 1000
}

func (d drawn) String() string {
	return fmt.Sprintf("%s/%s #%d at %s+%s for %s", d.fault.class, d.fault.name, d.n, d.moment, d.after, d.lasts)
}

// wound is a fault that has struck.
type wound struct {
	felt  func() bool  // whether it was in force, asked before it is healed
	heal  func() error // nil where there is nothing to heal
	drift bool         // the rules may stay other ones than fwpush's
}

func now(felt bool) func() bool { return func() bool { return felt } }

// faults are all there are.
func faults() []*fault {
	var all []*fault
	for _, some := range [][]*fault{networkFaults(), sshFaults(), timerFaults(), diskFaults(), processFaults(), programFaults(), strangerFaults(), ruleFaults()} {
		all = append(all, some...)
	}
	return all
}

//go:embed testdata/shim.sh
var shim string

// shimmed puts the shim in the place of a program, for the arguments that a pattern of the shell means.
func shimmed(name, mode, arg, pattern string, extra ...string) func(*subject, drawn) (wound, error) {
	return func(s *subject, d drawn) (wound, error) {
		conf := "/dev/shm/soak." + name
		for i := 0; i+1 < len(extra); i += 2 {
			if err := s.write(extra[i], extra[i+1], 0o600); err != nil {
				return wound{}, err
			}
		}
		_, err := s.console(`rm -rf "$1.hit" "$1.once" && printf '%s\n' "$2 $3" "$4" >"$1" &&
printf '%s\n' "$5" >"/usr/sbin/.soak.$$" && chmod 755 "/usr/sbin/.soak.$$" && mv -f "/usr/sbin/.soak.$$" "/usr/sbin/$6"`,
			conf, mode, arg, pattern, strings.TrimSuffix(shim, "\n"), name)
		hit := false
		return wound{
			felt: func() bool {
				hit = hit || s.exists(conf+".hit")
				return hit
			},
			heal: func() error {
				hit = hit || s.exists(conf+".hit")
				undo := `rm -f "$1" "/usr/sbin/$2"`
				if name == "nft" {
					undo = `rm -f "$1"; ln -f /usr/sbin/nft.real /usr/sbin/.soak.nft && mv -f /usr/sbin/.soak.nft "/usr/sbin/$2"; rm -f /usr/sbin/.soak.nft`
				}
				_, err := s.console(undo, conf, name)
				if mode == "hangs" {
					_, _ = s.signal(stuck(d), s.processes("/usr/sbin/"+name)...)
				}
				return err
			},
		}, err
	}
}

// struck strikes, but for what would keep a host from booting at all, which is no fault of these.
func (s *subject) struck(d drawn) (wound, error) {
	if d.fault.class == "power" {
		s.power.Lock()
		defer s.power.Unlock()
	} else {
		defer s.waitForBoot(d)()
	}
	return d.fault.strike(s, d)
}

func (s *subject) healed(d drawn, w wound) error {
	defer s.waitForBoot(d)()
	return w.heal()
}

// waitForBoot waits until the host is up, and keeps it so until the function is called. What is on the
// way to it does not wait: a boot is over once its sshd can be reached.
func (s *subject) waitForBoot(d drawn) (over func()) {
	if d.fault.class == "network" {
		return func() {}
	}
	s.power.RLock()
	return s.power.RUnlock
}

// strikes carries out one fault: waits for its moment, strikes, and heals it when its time is over or
// the round is.
func (p *play) strikes(ctx context.Context, s *subject, d drawn, diary *diary) {
	switch d.moment {
	case "before", "start":
	default:
		select {
		case <-ctx.Done():
			p.tally.add(d.fault, false)
			return
		case <-diary.seen[d.moment]:
		}
	}
	if d.moment != "before" && !pause(ctx, d.after) {
		p.tally.add(d.fault, false)
		return
	}
	diary.note("strike %s", d)
	w, err := s.struck(d)
	p.mu.Lock()
	if d.moment == "before" {
		p.ready.Done()
	}
	p.mu.Unlock()
	if err != nil {
		diary.note("strike %s failed: %v", d.fault.name, err)
	}
	if w.heal != nil {
		pause(ctx, d.lasts)
	}
	felt := err == nil && w.felt != nil && w.felt()
	if w.heal != nil {
		if err := s.healed(d, w); err != nil {
			diary.note("heal %s: %v", d.fault.name, err)
		}
		felt = felt || err == nil && w.felt != nil && w.felt()
	}
	diary.note("over: %s, in force %t", d.fault.name, felt)
	p.tally.add(d.fault, felt)
	if w.drift && felt {
		p.drifted(s)
	}
}
