package commit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// TestPitfallsNft has what is known to go wrong with nftables in a transaction. What
// rules and programs do by themselves stands in internal/agree.
func TestPitfallsNft(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *host){
		"N7 rules of iptables-legacy": legacyTables,
		"N8 a table with an owner":    ownedTable,
		"N16 a zone of its own":       zoneOfTheHost,
		"N18 elements that come":      elementsThatCome,
	} {
		t.Run(name, func(t *testing.T) {
			working(t)
			test(t, newHost(t, lab.HostOptions{SSHD: []string{"SetEnv TZ=XXX5 LC_ALL=C.UTF-8 LANGUAGE=de"}}))
		})
	}
}

// legacyTables are no matter to a table of ours, and what is told of the host has them.
func legacyTables(t *testing.T, h *host) {
	h.variant("nft")
	h.sh("iptables-legacy -A FORWARD -p tcp --dport 7 -j DROP")
	if got := h.sh("nft list ruleset 2>/dev/null"); strings.Contains(got, "dport 7") {
		t.Errorf("nft lists rules of iptables-legacy, so this row tests nothing:\n%s", got)
	}
	f, _ := Inspect(t.Context(), h.dial(), "iptables", ModeSame, "")
	if !strings.Contains(f.Engines, "legacy tables hold rules") {
		t.Errorf("the engines are called %q", f.Engines)
	}
	c := h.candidate(rules(false, 80), time.Minute)
	h.mustApply(c)
	if got := h.sh("iptables-legacy -S FORWARD"); !strings.Contains(got, "--dport 7 -j DROP") {
		t.Errorf("the rules of others are\n%s", got)
	}
}

// ownedTable has somebody hold table inet fwpush as firewalld can hold its own. That
// is told, and nothing is tried twice.
func ownedTable(t *testing.T, h *host) {
	h.sh(`mkfifo /run/say; (exec nft -i) </run/say >/dev/null 2>&1 & sleep 2147483647 >/run/say 2>/dev/null & echo $! >/run/holder
echo 'table inet fwpush { flags owner; }' >/run/say
n=0; until nft list table inet fwpush >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 100 ] || exit 9; sleep 0.05; done
p=$(command -v nft); mkdir ${p%/*}/real; mv $p ${p%/*}/real; printf '#!/bin/sh\necho "$*" >>/run/args\nexec %s "$@"\n' ${p%/*}/real/nft >$p; chmod 755 $p`)
	r := h.apply(h.candidate(rules(false, 80), time.Minute))
	if r.Outcome != OutcomeFailed || r.Stage != StageStage || !strings.Contains(fmt.Sprint(r.Err), "Operation not permitted") {
		t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	for line := range strings.Lines(h.sh("cat /run/args")) {
		if strings.Contains(line, "-f ") && !strings.Contains(line, "-c ") && line != "-f /dev/stdin\n" { // that is the probe, elsewhere
			t.Errorf("a load in spite of the owner: %s", line)
		}
	}
	if got := h.table(); !strings.Contains(got, "flags owner") {
		t.Errorf("the table of the owner is now\n%s", got)
	}
	h.clean()
	h.sh("kill $(cat /run/holder)")
	h.until("the table goes with its owner", 10*time.Second, func() bool { return h.table() == "" })
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
}

// zoneOfTheHost gives a session a zone and a language. A rule with a time means the
// same moment, and is listed the same, by ssh, at and the boot.
func zoneOfTheHost(t *testing.T, h *host) {
	conn := h.dial()
	defer conn.Close()
	text := strings.Replace(rules(false, 80).Text, "tcp dport 80", "meta time < \"2037-12-31 12:00:00\" tcp dport 80", 1)
	c := h.candidate(ruleset(text), time.Minute)
	h.mustApply(c)
	if got := h.sh("TZ=UTC0 nft list table inet fwpush"); !strings.Contains(got, `meta time < "2037-12-31 12:00:00"`) {
		t.Errorf("loaded in another zone:\n%s", got)
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, known := f.Drifted(); drifted || !known || !strings.Contains(f.Running, "12:00:00") {
		t.Errorf("drifted %v, known %v, listed\n%s", drifted, known, f.Running)
	}
	if r := h.apply(c); r.Outcome != OutcomeUnchanged {
		t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
}

// elementsThatCome are no drift, and not in the way of a push or a revert.
func elementsThatCome(t *testing.T, h *host) {
	text := strings.Replace(rules(false, 80).Text, "\tchain input {\n", "\tset seen {\n\t\ttype ipv4_addr\n\t\tsize 100\n\t\tflags dynamic,timeout\n\t\ttimeout 2m\n\t}\n\tchain input {\n", 1)
	text = strings.Replace(text, "tcp dport 80 accept", "tcp dport 80 add @seen { ip saddr limit rate over 3/minute burst 3 packets } drop\n\t\ttcp dport 80 accept", 1)
	c := h.candidate(ruleset(text), time.Minute)
	h.mustApply(c)
	confirmed := h.sh("nft -s list table inet fwpush")
	h.knocks(80)
	if got := h.sh("nft -s list table inet fwpush"); got == confirmed || !strings.Contains(got, world.Addr4().String()+" ") {
		t.Errorf("no element in\n%s", got)
	}
	f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, known := f.Drifted(); drifted || !known {
		t.Errorf("drifted %v, known %v", drifted, known)
	}
	if r := h.apply(c); r.Outcome != OutcomeUnchanged {
		t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	p := h.begin(h.candidate(rules(false, 443), 4*time.Second))
	if r := p.Watch(t.Context(), h.dialer, nil); r.Outcome != OutcomeReverted {
		t.Errorf("revert: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	f, _ = Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
	if drifted, known := f.Drifted(); drifted || !known {
		t.Errorf("after a revert: drifted %v, known %v, runs\n%s", drifted, known, f.Running)
	}
}
