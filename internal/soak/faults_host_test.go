package soak

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// timerFaults are those of what takes unconfirmed rules back. One of the two timers of a host always
// stays, or there is nobody left to do it.
func timerFaults() []*fault {
	f := func(name string, weight int, slow bool, when []string, strike func(*subject, drawn) (wound, error)) *fault {
		return &fault{class: "timers", name: name, weight: weight, key: "timers", slow: slow, when: when, strike: strike}
	}
	pending := []string{"applied", "applied", "applied", "confirming", "reverting"}
	return []*fault{
		f("atd killed", 8, false, ever, daemonFault("atd", syscall.SIGKILL)),
		f("atd stopped", 8, false, ever, daemonFault("atd", syscall.SIGSTOP)),
		f("at missing", 6, false, ever, missing("/usr/bin/at")),
		f("jobs removed", 10, false, pending, jobsRemoved),
		f("spool read-only", 5, false, ever, readOnly("/var/spool/cron/atjobs")),
		f("watchdog killed", 8, true, pending, watchdog(syscall.SIGKILL)),
		f("watchdog stopped", 5, true, pending, watchdog(syscall.SIGSTOP)),
		f("at fails", 3, false, ever, shimmed("at", "fail", "0", "*")),
		f("at fails once", 3, false, ever, shimmed("at", "once", "0", "*")),
		f("at is slow", 3, false, ever, shimmed("at", "slow", "1", "*")),
		f("at hangs", 3, false, ever, shimmed("at", "hangs", "0", "*")),
		f("at dies afterwards", 3, false, ever, shimmed("at", "undone", "0", "*")),
	}
}

// missing takes a program away. Healed, it is there again.
func missing(path string) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		_, err := s.console(`mv "$1" "$1.gone"`, path)
		return wound{felt: now(!s.exists(path)), heal: func() error {
			_, err := s.console(`mv "$1.gone" "$1"`, path)
			return err
		}}, err
	}
}

func jobsRemoved(s *subject, _ drawn) (wound, error) {
	jobs := func() int {
		files, _ := filepath.Glob(s.path("/var/spool/cron/atjobs/a*"))
		return len(files)
	}
	before := jobs()
	if before == 0 {
		return wound{}, errors.New("no job is queued")
	}
	_, err := s.console("atrm $(atq | cut -f 1)")
	return wound{felt: now(jobs() < before)}, err
}

func readOnly(dir string) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		_, err := s.console(`mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && ! touch "$1/soak" 2>/dev/null`, dir)
		return wound{felt: now(err == nil), heal: func() error {
			_, err := s.console(`umount -l "$1"`, dir)
			return err
		}}, err
	}
}

// watchdog strikes the process that sleeps until the deadline.
func watchdog(sig syscall.Signal) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		var which []process
		for line := range strings.Lines(s.read("/run/fwpush/tx/" + s.state().tx + "/timers")) {
			if w := strings.Fields(line); len(w) == 3 && w[0] == "process" {
				if pid, err := strconv.Atoi(w[1]); err == nil {
					if p, ok := s.process(pid); ok && p.start == w[2] {
						which = append(which, p)
					}
				}
			}
		}
		if len(which) == 0 {
			return wound{}, errors.New("no watchdog runs")
		}
		felt, err := s.signal(sig, which...)
		w := wound{felt: now(felt)}
		if sig == syscall.SIGSTOP {
			w.heal = func() error { _, err := s.signal(syscall.SIGCONT, which...); return err }
		}
		return w, err
	}
}

func diskFaults() []*fault {
	f := func(name, key string, weight int, strike func(*subject, drawn) (wound, error)) *fault {
		return &fault{class: "disks", name: name, weight: weight, key: key, when: ever, strike: strike}
	}
	return []*fault{
		f("disk full", "disk", 10, diskFull),
		f("B read-only", "disk", 10, readOnly("/var/lib/fwpush")),
		f("R full", "run", 8, remounted("size=4k", "size=50%")),
		f("R without inodes", "run", 6, remounted("nr_inodes=2", "nr_inodes=0")),
		f("R read-only", "run", 8, remounted("ro", "rw")),
	}
}

func diskFull(s *subject, _ drawn) (wound, error) {
	err := s.FillDisk()
	_, refused := s.console(`printf '%65536s' x >/var/lib/soak`)
	return wound{felt: now(refused != nil), heal: s.FreeDisk}, err
}

// remounted changes the file system that R is on.
func remounted(bad, good string) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		// It is busy while anybody writes.
		_, err := s.console(`n=0
until mount -o "remount,$1" /run 2>/dev/null; do
	n=$((n + 1))
	[ "$n" -lt 50 ] || exit 1
	sleep 0.02
done
! { printf '%8192s' x >/run/soak; } 2>/dev/null`, bad)
		return wound{felt: now(err == nil), heal: func() error {
			_, err := s.console(`mount -o "remount,$1" /run; rm -f /run/soak`, good)
			return err
		}}, err
	}
}

// processFaults are those of what works on a transaction, and of the host as a whole.
func processFaults() []*fault {
	owner := func(name string, sig syscall.Signal, slow bool, key string, when ...string) *fault {
		return &fault{class: "processes", name: name, weight: 12, key: key, slow: slow, when: when, strike: ownerHit(sig)}
	}
	return []*fault{
		owner("owner killed", syscall.SIGKILL, false, "owner", "staged", "armed", "applied", "applied", "confirming"),
		owner("owner stopped", syscall.SIGSTOP, false, "owner", "staged", "armed", "applied", "applied"),
		owner("confirm stopped", syscall.SIGSTOP, true, "owner", "confirming"),
		owner("revert killed", syscall.SIGKILL, true, "timers", "reverting"),
		owner("revert stopped", syscall.SIGSTOP, true, "timers", "reverting"),
		{class: "processes", name: "all scripts killed", weight: 6, key: "timers", slow: true, when: midway, strike: scriptsKilled},
		{class: "power", name: "power cut", weight: 12, key: "power", when: append(slices.Clone(midway), "start"), strike: powerCut},
	}
}

// ownerHit strikes the process whose step the state is.
func ownerHit(sig syscall.Signal) func(*subject, drawn) (wound, error) {
	return func(s *subject, d drawn) (wound, error) {
		st := s.state()
		p, ok := s.process(st.owner)
		if st.over() || !ok || p.state == 'Z' {
			return wound{}, errors.New("nobody owns the state any more")
		}
		felt, err := s.signal(sig, p)
		w := wound{felt: now(felt)}
		if sig == syscall.SIGSTOP {
			w.heal = func() error { _, err := s.signal(stuck(d), p); return err }
		}
		return w, err
	}
}

// stuck is what becomes of a process that was stopped: it goes on, or is killed.
func stuck(d drawn) syscall.Signal {
	if d.n%2 == 0 {
		return syscall.SIGCONT
	}
	return syscall.SIGKILL
}

// scriptsKilled ends every shell that came with a connection, and what it runs; timers stay.
func scriptsKilled(s *subject, _ drawn) (wound, error) {
	felt, err := s.signal(syscall.SIGKILL, s.processes("sh\x00-s\x00")...)
	return wound{felt: now(felt)}, err
}

// powerCut ends everything at once. The boot unit of the host is played here.
func powerCut(s *subject, _ drawn) (wound, error) {
	boot := s.read("/proc/sys/kernel/random/boot_id")
	ctx, cancel := context.WithTimeout(context.Background(), reach)
	defer cancel()
	if err := s.PowerCycle(ctx); err != nil {
		return wound{}, err
	}
	if err := s.booted(); err != nil {
		return wound{}, err
	}
	_, err := s.console(`cd /var/lib/fwpush 2>/dev/null && [ -e boot.nft ] || exit 0
nft.real -f boot.nft || nft.real -f boot.prev`)
	return wound{felt: now(s.read("/proc/sys/kernel/random/boot_id") != boot)}, err
}
