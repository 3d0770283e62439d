package commit

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/inject"
	"fwpush/internal/lab"
)

// injected is a host whose sshd and atd run under a filter, and so does every script that they
// start, with all its programs: one system call of all these can be made to fail.
type injected struct {
	*host
	gun  gun
	root string // the host's files, seen from here
}

// shot is one fault: the nth of the calls that it is about gets the answer, or dies.
type shot struct {
	about  func(inject.Call) bool
	nth    int
	answer func(inject.Call) inject.Answer
	stays  bool // and so does every one after it, until somebody unloads
	// What happens to the host at that call, and ends with unloading; false if it did not, and then it
	// does at the next one.
	strike func(on bool) bool

	seen int
	hit  string // the call that it was, "" as long as there was none
}

// gun holds the shot that is loaded, if one is.
type gun struct {
	mu    sync.Mutex
	shot  *shot
	wrong []string // what must not be, and was seen at a call
}

func (g *gun) judge(c inject.Call) inject.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.shot
	if s == nil || !s.about(c) {
		return inject.Answer{}
	}
	s.seen++
	switch {
	case s.strike != nil:
		if s.seen >= s.nth && s.hit == "" && s.strike(true) {
			s.hit = fmt.Sprint(c)
		}
		return inject.Answer{}
	case s.seen == s.nth:
		s.hit = fmt.Sprint(c)
	case s.seen < s.nth, !s.stays:
		return inject.Answer{}
	}
	return s.answer(c)
}

func (g *gun) load(s *shot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shot = s
}

// unload ends what a shot may still do. With one that stays that is for later.
func (g *gun) unload(force bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shot != nil && (force || !g.shot.stays || g.shot.hit == "") {
		if g.shot.strike != nil && g.shot.hit != "" {
			g.shot.strike(false)
		}
		g.shot = nil
	}
}

func (s *shot) call(g *gun) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return s.hit
}

// blame writes down what must not be.
func (g *gun) blame(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrong = append(g.wrong, fmt.Sprintf(format, args...))
}

// blamed is what was, since it was asked last.
func (g *gun) blamed() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	wrong := g.wrong
	g.wrong = nil
	return wrong
}

// places are where a transaction keeps what it needs.
var places = []string{"/run/fwpush", "/var/lib/fwpush", "/etc/systemd/system", "/etc/init.d", "/var/spool/cron/atjobs"}

// ours says whether a call is of a script and about one of the places, or loads rules. atd's own is not.
func ours(c inject.Call) bool {
	if c.Program == "atd" || c.Program == "sshd" || strings.HasPrefix(c.Program, "sshd-") {
		return false
	}
	return c.Kind == inject.Load || within(c, places...)
}

func within(c inject.Call, places ...string) bool {
	return slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(c.Path, p) || strings.HasPrefix(c.To, p) })
}

// newInjected is a host under the filter.
func newInjected(t *testing.T, o lab.HostOptions) *injected {
	t.Helper()
	h := &injected{host: newHost(t, o)}
	for _, daemon := range []string{"sshd", "atd"} {
		if err := h.Kill(t.Context(), unix.SIGKILL, daemon); err != nil {
			t.Fatal(err)
		}
	}
	h.sh("while pgrep -x 'sshd|atd' >/dev/null; do :; done; rm -f /run/*.pid /var/run/*.pid")
	cmd := h.Command(t.Context(), "sh", "-c", "atd -f & exec /usr/sbin/sshd -D -e 2>/run/sshd.log")
	tree, err := inject.Start(cmd, func(c inject.Call) inject.Answer {
		h.beforeLoad(c)
		return h.gun.judge(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.root = fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
	t.Cleanup(func() { // before the host is stopped
		_ = cmd.Process.Kill()
		_ = h.Stop()
		_ = tree.Wait() // it was killed; an error of the filter is told by the rounds
	})
	h.until("sshd and atd answer", 10*time.Second, func() bool {
		conn, err := h.dialer.Dial(t.Context(), h.endpoint())
		if err == nil {
			conn.Close()
		}
		return err == nil && h.sh("pgrep -x atd || true") != ""
	})
	return h
}

// step is the state file taken apart: its state, the deadline in seconds of uptime, its owner.
type step struct {
	tx, state       string // none if there is no such file
	deadline, owner int
}

func (s step) final() bool {
	return s.state == "confirmed" || s.state == "reverted" || s.state == "none"
}

func (h *injected) step() step {
	for range 50 { // renamed while it was looked for
		entries, err := os.ReadDir(h.root + "/run/fwpush")
		if err != nil {
			return step{state: "none"}
		}
		for _, e := range entries {
			if words := strings.Split(e.Name(), "."); len(words) == 6 && words[0] == "S" {
				deadline, _ := strconv.Atoi(words[3])
				owner, _ := strconv.Atoi(words[4])
				if strings.Trim(words[1], "0") == "" { // of nobody: see adopt in dialogue.sh
					return step{state: "none"}
				}
				return step{words[1], words[2], deadline, owner}
			}
		}
	}
	return step{state: "none"}
}

func uptime() int {
	text, _ := os.ReadFile("/proc/uptime")
	seconds, _, _ := strings.Cut(string(text), ".")
	n, _ := strconv.Atoi(seconds)
	return n
}

// guards are the processes of the host that may still do something about its transaction.
func (h *injected) guards() string {
	return h.sh(`ps ax -o args | grep -e '[r]evert.sh' -e '[s]h -s -- ' || true`)
}

// heal lets the timers fire: it returns at the end of the transaction, or when nobody is left who
// could bring it about. A job that atd would run within two minutes of the deadline runs at once.
func (h *injected) heal() step {
	wait := func(limit time.Duration) bool {
		for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			s := h.step()
			if s.final() {
				return true
			}
			if uptime() > s.deadline && h.guards() == "" {
				return h.step().final()
			}
		}
		return h.step().final()
	}
	wait(time.Duration(max(0, h.step().deadline-uptime()))*time.Second + 5*time.Second)
	h.gun.unload(true)
	if !wait(500 * time.Millisecond) {
		h.sh(`for j in $(atq | cut -f 1); do at -c $j >/tmp/job.$j && atrm $j && setsid sh /tmp/job.$j </dev/null >/dev/null 2>&1 & done; wait`)
		wait(20 * time.Second)
	}
	return h.step()
}
