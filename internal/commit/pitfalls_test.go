package commit

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// TestPitfalls has what is known to go wrong with iptables, one row or more for each
// number of the list of pitfalls, in both variants of the program.
func TestPitfalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *host){
		"I1 a bad table after good ones, seen by the check": badTable,
		"I2 a family that fails after the other was loaded": lateFailure("ip6tables-restore", "filter"),
		"I2 no ip6tables":                          noIP6tables,
		"I2 no ip6tables and no IPv6":              noIPv6,
		"I3 a jump to nowhere":                     jumpToNowhere,
		"I4 others insert above":                   othersInsertAbove,
		"I4 bans of others do not hold":            bansBehind,
		"I5 a reload under flood":                  reloadUnderFlood,
		"I6 texts that are not whole":              notWhole,
		"I6 a boot file that is not whole":         bootFileNotWhole,
		"I8 somebody holds the lock":               lockHeld,
		"I8 somebody holds the lock over a revert": lockOverRevert,
		"I9 two engines":                           twoEngines,
		"I10 a set that was edited":                setEdited,
		"I10 sets over a boot":                     setsOverABoot,
		"I10 no ipset":                             noIpset,
		"no network namespace for the check":       noNamespace,
		"a kernel that knows no nftables":          dumbNFT,
		"a reload by hand of what runs anyway":     sameAgain,
	} {
		for _, variant := range []string{"nft", "legacy"} {
			t.Run(name+", "+variant, func(t *testing.T) {
				working(t)
				h := newHost(t, lab.HostOptions{})
				h.variant(variant)
				h.sh("iptables -P FORWARD DROP; iptables -A INPUT -p tcp --dport 9 -j REJECT; ip6tables -A INPUT -p tcp --dport 9 -j REJECT")
				test(t, h)
			})
		}
	}
}

// xt is a candidate that asks for iptables.
func (h *host) xt(rs render.Ruleset) Candidate {
	c := h.candidate(rs, time.Minute)
	c.Want = render.BackendIptables
	return c
}

// refuses applies what must be refused at a stage, with a word in the error, and sees
// that nothing has changed.
func (h *host) refuses(c Candidate, stage Stage, word string) {
	h.t.Helper()
	before := h.both()
	r := h.apply(c)
	if r.Outcome != OutcomeFailed || r.Stage != stage || !strings.Contains(fmt.Sprint(r.Err), word) {
		h.t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	if got := h.both(); got != before {
		h.t.Errorf("after a refusal:\n%s\nbefore:\n%s", got, before)
	}
}

// withNAT adds a nat table with one rule.
func withNAT(rs render.Ruleset, rule string) render.Ruleset {
	return ruleset(rs.Text + "#: iptables nat\n*nat\n:FWPUSH-POST - [0:0]\n-A FWPUSH-POST " + rule + "\nCOMMIT\n")
}

func badTable(t *testing.T, h *host) {
	h.refuses(h.xt(withNAT(xtRules(false, "ops", 80), "-j NOSUCHTARGET")), StageStage, "new rules refused")
	h.mustApply(h.xt(withNAT(xtRules(false, "ops", 80), "-s 192.0.2.0/24 -j MASQUERADE")))
	if got := h.sh("iptables-save -t nat"); !strings.Contains(got, "-A POSTROUTING -j FWPUSH-POST\n") {
		t.Errorf("no jump:\n%s", got)
	}
	h.refuses(h.xt(withNAT(xtRules(false, "web", 443), "-j NOSUCHTARGET")), StageStage, "new rules refused")
}

// lateFailure lets a load fail that the check in its namespace has found good.
func lateFailure(program, table string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		for _, first := range []bool{true, false} {
			if !first {
				h.mustApply(h.xt(xtRules(false, "ops", 80)))
			}
			before := h.both()
			h.sh("readlink /proc/self/ns/net >/run/ns; rm -f /run/once")
			h.wrap(program, `in=$(mktemp); cat >$in
if grep -q '^\*`+table+`' $in && [ $(readlink /proc/self/ns/net) = $(cat /run/ns) ] && [ ! -e /run/once ]; then touch /run/once; iptables -S FWPUSH-IN >/run/then; echo no room >&2; exit 2; fi
exec $real "$@" <$in`)
			r := h.apply(h.xt(withNAT(xtRules(false, "web", 443), "-s 192.0.2.0/24 -j MASQUERADE")))
			if r.Outcome != OutcomeReverted || r.Stage != StageApply || !strings.Contains(fmt.Sprint(r.Err), "no room") {
				t.Errorf("%s at %s: %v", r.Outcome, r.Stage, r.Err)
			}
			if got := h.sh("cat /run/then"); !strings.Contains(got, "443") {
				t.Errorf("nothing was loaded before it failed:\n%s", got)
			}
			if got := h.both(); got != before {
				t.Errorf("after the revert:\n%s\nbefore:\n%s", got, before)
			}
			h.unwrap(program)
			h.clean()
		}
	}
}

func noIP6tables(_ *testing.T, h *host) {
	h.sh("rm $(command -v ip6tables-restore)")
	h.refuses(h.xt(xtRules(false, "", 80)), StageInspect, "ip6tables-restore was not found on the host, and IPv6 is on")
}

// noIPv6 has a /proc as a kernel shows it that was booted with ipv6.disable=1.
func noIPv6(t *testing.T, h *host) {
	h.sh(`set -e
mkdir /proc.real; mount --bind /proc /proc.real; mount -t tmpfs none /proc
python3 - <<'X'
import os
for e in os.listdir("/proc.real"):
    if e != "net" and not e.isdigit():
        os.symlink("/proc.real/" + e, "/proc/" + e)
for pid in range(1, 30000):
    os.symlink("/proc.real/%d" % pid, "/proc/%d" % pid)
os.mkdir("/proc/net")
for e in os.listdir("/proc.real/self/net"):
    if e != "if_inet6":
        os.symlink("/proc.real/self/net/" + e, "/proc/net/" + e)
X
rm $(command -v ip6tables-restore) $(command -v ip6tables-save)`)
	before := h.sh("iptables-save | grep '^-'")
	r := h.mustApply(h.xt(xtRules(false, "ops", 80)))
	if r.Facts.IPv6 {
		t.Error("the host is thought to have IPv6")
	}
	if !h.knocks(80) || h.knocks(81) {
		t.Error("the rules do not hold")
	}
	if r := h.apply(h.xt(xtRules(false, "ops", 80))); r.Outcome != OutcomeUnchanged {
		t.Errorf("second run: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	h.mustApply(h.removal())
	if got := h.sh("iptables-save | grep '^-'"); got != before {
		t.Errorf("after the removal:\n%s\nbefore:\n%s", got, before)
	}
}

// jumpToNowhere is what --test of the nf_tables variant lets pass.
func jumpToNowhere(t *testing.T, h *host) {
	text := strings.Replace(xtRules(false, "", 80).Text, "-A FWPUSH-IN -j DROP\n", "-A FWPUSH-IN -j FWPUSH-NOWHERE\n-A FWPUSH-IN -j DROP\n", 1)
	got := h.sh(`printf '*filter\n:FWPUSH-IN - [0:0]\n-A FWPUSH-IN -j FWPUSH-NOWHERE\nCOMMIT\n' | iptables-restore --noflush --test >/dev/null 2>&1 && echo passed || echo refused`)
	if nf := strings.Contains(h.sh("iptables --version"), "nf_tables"); nf != (got == "passed") {
		t.Errorf("--test has %s it: this row tests nothing any more", got)
	}
	h.refuses(h.xt(ruleset(text)), StageStage, "new rules refused")
}

func othersInsertAbove(t *testing.T, h *host) {
	h.sh(foreignRules)
	c := h.xt(xtRules(false, "ops", 80))
	h.mustApply(c)
	confirmed, foreign := h.both(), h.foreign()
	for _, edit := range []struct{ what, how, undo string }{
		{"a rule above the jump", "iptables -I INPUT -p tcp --dport 8 -j ACCEPT", "iptables -D INPUT -p tcp --dport 8 -j ACCEPT"},
		{"a doubled jump", "ip6tables -A INPUT -j FWPUSH-IN", ""},
		{"no jump", "ip6tables -D INPUT -j FWPUSH-IN", ""},
		{"a conditional jump", "iptables -I INPUT -i lo -j FWPUSH-IN", ""},
		{"a rule in our chain", "iptables -I FWPUSH-IN -j ACCEPT", ""},
		{"a chain of ours", "iptables -t nat -N FWPUSH-ODD; iptables -t nat -A FWPUSH-ODD -j ACCEPT", ""},
		{"no chains of ours", "ip6tables -F INPUT; ip6tables -F FWPUSH-IN; ip6tables -X FWPUSH-IN; ip6tables -A INPUT -p tcp -j f2b-sshd; ip6tables -A INPUT -p tcp --dport 9 -j REJECT", ""},
	} {
		h.sh(edit.how)
		f, _ := Inspect(t.Context(), h.dial(), "", ModeCoexist, "")
		if drifted, known := f.Drifted(); !drifted || !known {
			t.Errorf("%s is no drift", edit.what)
		}
		h.mustApply(c)
		if edit.undo != "" {
			if got := h.sh("iptables -S INPUT | sed -n '2,3p'"); got != "-A INPUT -j FWPUSH-IN\n-A INPUT -p tcp -m tcp --dport 8 -j ACCEPT" {
				t.Errorf("%s: INPUT begins\n%s", edit.what, got)
			}
			h.sh(edit.undo)
		}
		if got := h.both(); got != confirmed {
			t.Errorf("%s: after the apply\n%s\nconfirmed was\n%s", edit.what, got, confirmed)
		}
		if got := h.foreign(); got != foreign {
			t.Errorf("%s: the rules of others are\n%s\nand were\n%s", edit.what, got, foreign)
		}
	}
}

// reloadUnderFlood sends packets to a port that no rules open while they are loaded
// again and again: none gets through. Without rules they do.
func reloadUnderFlood(t *testing.T, h *host) {
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	h.sh(`cat >/run/count.py <<'X'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9999))
open("/run/ready", "w").close()
n = 0
while True:
    s.recv(100)
    n += 1
    open("/run/count", "w").write(str(n))
X
python3 /run/count.py >/dev/null 2>&1 </dev/null &
while [ ! -e /run/ready ]; do sleep 0.1; done`)
	put := func(name string, rs render.Ruleset) { h.sh("cat >/run/" + name + " <<'X'\n" + rs.Text + "X") }
	put("a", xtRules(false, "web", 443, 444))
	put("b", xtRules(false, "ops", 80))
	conn, err := net.Dial("udp", netip.AddrPortFrom(h.Addr4(), 9999).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sent atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for range 20 {
				if _, err := conn.Write([]byte("x")); err == nil {
					sent.Add(1)
				}
			}
			time.Sleep(time.Millisecond)
		}
	}()
	h.sh("v=legacy; case $(iptables --version) in *nf_tables*) v=nft ;; esac; for i in 1 2 3 4 5 6; do for f in a b; do sh /var/lib/fwpush/load.sh check /run/$f $v $v || exit 1; done; done")
	if n := sent.Load(); n < 1000 {
		t.Errorf("only %d packets were sent", n)
	}
	if got := h.sh("cat /run/count 2>/dev/null || echo 0"); got != "0" {
		t.Errorf("%s of %d packets came through", got, sent.Load())
	}
	h.sh("iptables -D INPUT -j FWPUSH-IN; sleep 0.3")
	close(stop)
	<-stopped
	if got := h.sh("cat /run/count 2>/dev/null || echo 0"); got == "0" {
		t.Error("without rules nothing comes through either: this tests nothing")
	}
}

func notWhole(t *testing.T, h *host) {
	good := xtRules(false, "", 80).Text
	h.mustApply(h.xt(xtRules(false, "ops", 443)))
	for name, text := range map[string]string{
		"the last COMMIT is missing":  strings.TrimSuffix(good, "COMMIT\n"),
		"the first COMMIT is missing": strings.Replace(good, "COMMIT\n", "", 1),
		"CRLF":                        strings.ReplaceAll(good, "\n", "\r\n"),
		"cut in a rule":               good[:strings.LastIndex(good, " -j DROP")],
		"a rule for another chain":    strings.Replace(good, "-A FWPUSH-IN -j DROP", "-A INPUT -j DROP", 1),
		"a policy":                    strings.Replace(good, "*filter\n", "*filter\n:INPUT DROP [0:0]\n", 1),
		"a set of others":             strings.Replace(good, "#: iptables", "#: ipset\nadd f2b-sshd 192.0.2.1\n#: iptables", 1),
		"the other table":             strings.Replace(good, "*filter", "*nat", 1),
	} {
		t.Log(name)
		word := "rules for iptables"
		if name == "CRLF" {
			word = "" // its first line is not that of a text for iptables: nft is asked
		}
		c := h.xt(ruleset(text))
		h.refuses(c, StageStage, word)
	}
	h.refuses(h.xt(ruleset("")), StageStage, "there are no rules to load")
	// The end of the line is no part of a rule.
	h.mustApply(h.xt(ruleset(strings.TrimSuffix(good, "\n"))))
}

func bootFileNotWhole(t *testing.T, h *host) {
	h.mustApply(h.xt(xtRules(false, "ops", 80)))
	first := h.xtables()
	h.mustApply(h.xt(xtRules(false, "web", 443)))
	second := h.xtables()
	h.sh("rm -rf /run/fwpush; cp /var/lib/fwpush/boot.ipt /run/whole")
	boot := func() string {
		h.sh("sh /var/lib/fwpush/load.sh reload || true")
		return h.xtables()
	}
	if got := boot(); got != second {
		t.Errorf("a whole one:\n%s\nconfirmed:\n%s", got, second)
	}
	for what, how := range map[string]string{
		"empty":       ": >/var/lib/fwpush/boot.ipt",
		"cut":         "head -c -20 /run/whole >/var/lib/fwpush/boot.ipt",
		"only top":    "head -n 1 /run/whole >/var/lib/fwpush/boot.ipt",
		"without top": "tail -n +2 /run/whole >/var/lib/fwpush/boot.ipt",
		"half":        "sed '/^#: ip6tables/,$ s/ACCEPT$/NONSENSE/' /run/whole >/var/lib/fwpush/boot.ipt",
	} {
		h.sh("cp /run/whole /var/lib/fwpush/boot.ipt; sh /var/lib/fwpush/load.sh reload; " + how)
		if got := boot(); got != first {
			t.Errorf("%s: it loads\n%s\nconfirmed before was\n%s", what, got, first)
		}
	}
	// Nothing that can be loaded: what runs stays.
	h.sh(": >/var/lib/fwpush/boot.ipt; : >/var/lib/fwpush/boot.prev")
	if got := boot(); got != first {
		t.Errorf("two empty files: it loads\n%s", got)
	}
}
