package commit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// The tests of this file are interleavings that internal/model has found. Each holds a
// program where the model let it wait.

// Somebody else confirms, as `confirm RUN` does on another machine, and then the first
// controller gives up and says revert over its first connection.
func TestHoleARevertThatComesTooLateIsNotSaidToHaveReverted(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	other, r := Resume(t.Context(), h.dial(), Facts{Pending: &Holder{TX: p.tx, Left: time.Minute}})
	if other == nil {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	if r := other.Confirm(t.Context(), h.dialer); r.Outcome != OutcomeConfirmed {
		t.Fatalf("%s: %v", r.Outcome, r.Err)
	}
	confirmed := h.table()
	if r := p.TakeBack(t.Context(), h.dialer, StageConfirm, errors.New("given up")); !confirmedByOthers(r) {
		t.Errorf("the host is confirmed, and the result is %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.table(); got != confirmed || !strings.Contains(got, "443") {
		t.Errorf("what runs:\n%s", got)
	}
	h.clean()
}

// held puts a line into the program that T's timers run, behind another one of it.
func (h *host) held(tx, behind, line string) {
	h.t.Helper()
	file := "/run/fwpush/tx/" + tx + "/revert.sh"
	text := h.sh("cat " + file)
	if strings.Count(text, behind) != 1 {
		h.t.Fatalf("the line %q stands %d times in what the timers run", behind, strings.Count(text, behind))
	}
	h.sh("cat >" + file + " <<'X'\n" + strings.Replace(text, behind, behind+"\n"+line, 1) + "\nX")
}

// A revert is killed between the fork of its load and the load's first step. Another one
// takes over, and the load begins after that one has looked for loads, and before it has
// turned the state.
func TestHoleALoadBegunWhileARevertIsTakenOver(t *testing.T) {
	t.Parallel()
	h := newHost(t, lab.HostOptions{})
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	p := h.begin(h.candidate(rules(false, 443), time.Minute))
	h.held(p.tx, `	start_of "${stat%% *}"`, `	[ ! -e /run/first ] || { mv /run/first /run/orphan && echo "${stat%% *}" >/run/orphan; kill -STOP "${stat%% *}"; }`)
	h.held(p.tx, "\t\treverting)\n\t\t\towner_done || continue", `			[ ! -e /run/orphan ] || { : >/run/between; while [ -e /run/between ]; do sleep 0.05; done; }`)
	h.slowNFT(`[ ! -e /run/between ] || { : >/run/hung; kill -STOP $$; }`)
	revert := "/run/fwpush/tx/" + p.tx + "/revert.sh now " + p.tx
	go h.Exec(context.WithoutCancel(t.Context()), "", "sh", "-c", ": >/run/first; echo $$ >/run/reverter; exec sh "+revert)
	there := func(file string) func() bool {
		return func() bool { return h.sh("cat "+file+" 2>/dev/null; true") != "" }
	}
	h.until("the load stands still", 10*time.Second, there("/run/orphan"))
	h.sh("kill -9 $(cat /run/reverter)")
	go h.Exec(context.WithoutCancel(t.Context()), "", "sh", "-c", "exec sh "+revert)
	h.until("the next one is between fence and rename", 10*time.Second, func() bool { return h.sh("ls /run/between 2>/dev/null; true") != "" })
	h.sh("kill -CONT $(cat /run/orphan)")
	h.until("the load hangs in nft", 10*time.Second, func() bool { return h.sh("ls /run/hung 2>/dev/null; true") != "" })
	h.sh("rm /run/between")
	h.until("the host has reverted", 10*time.Second, func() bool { return h.state() == "reverted" })
	if got := h.sh(`[ ! -d /proc/$(cat /run/orphan) ] || cat /proc/$(cat /run/orphan)/stat`); got != "" {
		t.Errorf("a load of a transaction that is over still runs: %s", got)
	}
	h.mendNFT()
	h.clean()
}
