package hostiletest

import (
	"strings"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// TestFalseConfirmed: a host that claims to be confirmed is not, unless it was told to commit
// before.
func TestFalseConfirmed(t *testing.T) {
	t.Parallel()
	over := func(h *hijack, _ string) { h.tell("over confirmed"); h.end(sshtest.Exit{}) }
	for _, tt := range []struct {
		name string
		does map[point]func(h *hijack, line string)
	}{
		{"on the first connection", map[point]func(*hijack, string){
			{simhost.Begin, "applied"}: func(h *hijack, _ string) { h.tell("over confirmed"); h.end(sshtest.Exit{}) }, {simhost.Tell, "state"}: over}},
		{"instead of applied, and ever after", map[point]func(*hijack, string){
			{simhost.Begin, "applied"}: func(h *hijack, _ string) { h.tell("confirmed") }, {simhost.Tell, "state"}: over, {simhost.Confirm, "ask"}: over}},
		{"before it was asked for the secrets", map[point]func(*hijack, string){{simhost.Confirm, "ask"}: over}},
		{"instead of fresh", map[point]func(*hijack, string){{simhost.Confirm, "fresh"}: over}},
		{"after nobody got in", map[point]func(*hijack, string){
			{simhost.Confirm, "ask"}:    func(h *hijack, _ string) { h.tell("refused fresh this connection is not new"); h.end(sshtest.Exit{}) },
			{simhost.Begin, "reverted"}: func(h *hijack, _ string) { h.end(sshtest.Exit{}) },
			{simhost.Tell, "over"}:      over, {simhost.Tell, "state"}: over}},
		{"as removed", map[point]func(*hijack, string){
			{simhost.Confirm, "ask"}: func(h *hijack, _ string) { h.tell("over removed"); h.end(sshtest.Exit{}) }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := pair(t)
			f.sim.Host(1).SetFaults(simhost.Faults{Command: func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
				return stand(x, run, func(line string, ours bool) func(*hijack) {
					word, _, _ := strings.Cut(line, " ")
					if do := tt.does[point{p, word}]; ours && do != nil {
						return func(h *hijack) { do(h, line) }
					}
					return nil
				})
			}})
			hosts, e := f.json(time.Minute, "apply", "-y", "--max-fail", "100%")
			if h := hosts["web002"]; e.code != 5 || h.Outcome != "unknown" || !strings.Contains(h.Error, "this run did not tell it to") {
				t.Errorf("exit %d, %+v\n%s", e.code, h, e.err)
			}
			if h := hosts["web001"]; h.Outcome != "confirmed" || h.Error != "" {
				t.Errorf("the honest host: %+v", h)
			}
		})
	}
}

// TestConfirmedWhereARevertWasAskedFor: a host that says confirmed to a revert has not done what
// was asked for.
func TestConfirmedWhereARevertWasAskedFor(t *testing.T) {
	t.Parallel()
	f := pair(t)
	f.window = 30 * time.Second
	f.write()
	_, e := f.json(time.Minute, "apply", "-y", "--confirm", "manual")
	f.astray(1, point{simhost.Revert, "over"}, 1, func(h *hijack, _ string) { h.tell("over confirmed") })
	hosts, e := f.json(time.Minute, "revert", runOf(e))
	if h := hosts["web002"]; e.code != 3 || h.Outcome != "confirmed" || !strings.Contains(h.Error, "a revert comes too late") {
		t.Errorf("exit %d: %+v", e.code, h)
	}
	if h := hosts["web001"]; h.Outcome != "reverted" || h.Error != "" {
		t.Errorf("the honest host: %+v", h)
	}
}

// TestWrongSecrets: seals and answers that are another host's, or an earlier one's, get nobody in.
func TestWrongSecrets(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3, simhost.Options{})
	f.window = 6 * time.Second
	f.serve(80)
	f.push()
	f.serve(443)
	seals := make(chan string, 1)
	stand := func(do func(p simhost.Program, line string) func(*hijack)) simhost.Faults {
		return simhost.Faults{Command: func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
			return stand(x, run, func(line string, ours bool) func(*hijack) { return do(p, line) })
		}}
	}
	// The second host tells the third one's seal for its own, and learns only with that when it is asked again.
	f.sim.Host(2).SetFaults(stand(func(p simhost.Program, line string) func(*hijack) {
		if words := strings.Fields(line); p == simhost.Begin && len(words) == 3 && words[0] == "applied" {
			seals <- words[2]
		}
		return nil
	}))
	f.sim.Host(1).SetFaults(stand(func(p simhost.Program, line string) func(*hijack) {
		words := strings.Fields(line)
		if p != simhost.Begin || len(words) != 3 || words[0] != "applied" {
			return nil
		}
		return func(h *hijack) { h.tell("applied " + words[1] + " " + <-seals) }
	}))
	hosts, e := f.json(time.Minute, "apply", "-y", "--max-fail", "100%")
	if h := hosts["web002"]; e.code != 3 || h.Outcome != "reverted" || !strings.Contains(h.Error, "wrong seal") {
		t.Errorf("exit %d: %+v", e.code, h)
	}
	for _, name := range []string{"web001", "web003"} {
		if h := hosts[name]; h.Outcome != "confirmed" {
			t.Errorf("%s is honest: %+v", name, h)
		}
	}
}
