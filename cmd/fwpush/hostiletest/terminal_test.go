package hostiletest

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// TestHostileOnATerminal: with a person watching, the terminal gets the sequences of the live view
// and no others, at the question and while it runs.
func TestHostileOnATerminal(t *testing.T) {
	p := newParty(t, 1, simhost.Options{}, deeds(1, pick(behaviours, "escapes behind it", "refused with escapes", "exit 255, escapes on stderr", "held by escapes"),
		points(simhost.Begin, "proto", "checked", "armed"), points(simhost.Confirm, "fresh")))
	p.defaults = `coexist = ["nftables"]`
	p.serve(80)
	p.push()
	for i := range p.names[1:] {
		p.sim.Host(1 + i).SetForeign("table ip " + word + " {\n\tchain " + word + " {\n\t\ttype filter hook input priority 0; policy accept;\n\t}\n}\n")
	}
	p.serve(443)
	p.incite()
	for i := range p.names {
		faults := p.sim.Host(i).Faults()
		if i > 0 {
			faults.Connection = func(int) sshtest.Fault { return sshtest.Fault{Banner: evil} }
		}
		p.sim.Host(i).SetFaults(faults)
	}
	for _, args := range [][]string{
		{"apply", "--max-fail", "100%", "--max-unreachable", "100%", "--color", "always"},
		{"status", "--color", "always"}, {"diff", "-v", "--color", "always"},
	} {
		cmd := p.command(args...)
		cmd.Env = append(cmd.Env, "TERM=xterm")
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 200, Rows: 50})
		if err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(90*time.Second, func() { cmd.Process.Kill() })
		if args[0] == "apply" {
			go io.WriteString(terminal, "yes\n") // it is there when the question comes
		}
		var seen bytes.Buffer
		io.Copy(&seen, terminal) // ends with EIO
		_ = cmd.Wait()           // what is seen counts
		terminal.Close()
		if !late.Stop() {
			t.Errorf("%v did not end:\n%q", args, seen.String())
		}
		p.judge(strings.Join(args, " "), seen.String(), "", true)
		if args[0] == "apply" && !strings.Contains(seen.String(), "\x1b[K") {
			t.Errorf("there was no live view:\n%q", seen.String())
		}
	}
	p.came()
}

// pick are some of the behaviours, by name.
func pick(from []behaviour, names ...string) []behaviour {
	var list []behaviour
	for _, b := range from {
		if contains(names, b.name) {
			list = append(list, b)
		}
	}
	return list
}

// TestHostileProbes: what a host prints in place of a probe's command is no pass, is bounded, and
// reaches no terminal.
func TestHostileProbes(t *testing.T) {
	answers := map[string]func(x *sshtest.Exec) sshtest.Exit{
		"escapes": func(x *sshtest.Exec) sshtest.Exit {
			io.WriteString(x.Stdout, evil)
			io.WriteString(x.Stderr, evil)
			return sshtest.Exit{Status: 1}
		},
		"a signal": func(x *sshtest.Exec) sshtest.Exit { return sshtest.Exit{Signal: evil} },
		"mute":     func(x *sshtest.Exec) sshtest.Exit { return sshtest.Exit{Mute: true} },
		"ended": func(x *sshtest.Exec) sshtest.Exit {
			io.WriteString(x.Stdout, "\n"+strings.Fields(x.Command)[3]+" ended "+evil+"\n")
			return sshtest.Exit{}
		},
		"cut":       func(x *sshtest.Exec) sshtest.Exit { x.Drop(); return sshtest.Exit{} },
		"no end":    func(x *sshtest.Exec) sshtest.Exit { flood(x.Stdout, evil); return sshtest.Exit{} },
		"no end, 2": func(x *sshtest.Exec) sshtest.Exit { flood(x.Stderr, evil); return sshtest.Exit{} },
		"status":    func(x *sshtest.Exec) sshtest.Exit { return sshtest.Exit{Status: -1} },
	}
	f := newFleet(t, 1+len(answers), simhost.Options{})
	f.window = 6 * time.Second
	f.serve(80)
	f.push()
	f.serve(443)
	good := func(x *sshtest.Exec) sshtest.Exit {
		io.WriteString(x.Stdout, "\n"+strings.Fields(x.Command)[3]+" ended 0\n")
		return sshtest.Exit{}
	}
	for i, name := range append([]string{""}, sorted(answers)...) {
		answer, tries := answers[name], new(atomic.Int64)
		f.sim.Host(i).SetFaults(simhost.Faults{Command: func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
			if p != simhost.Other {
				return run()
			}
			if answer == nil || tries.Add(1) == 1 { // it passes before the change
				return good(x)
			}
			return answer(x)
		}})
	}
	hosts, e := f.json(time.Minute, "apply", "-y", "--max-fail", "100%", "--max-unreachable", "100%", "--probe", `run = "true"`)
	if h := hosts[f.names[0]]; h.Outcome != "confirmed" {
		t.Errorf("the honest host: %+v\n%s", h, e.err)
	}
	for i, name := range sorted(answers) {
		if h := hosts[f.names[1+i]]; h.Outcome != "reverted" {
			t.Errorf("%s: %+v", name, h)
		}
	}
}
