package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/lab"
)

// host is a lab host.
type host struct {
	*lab.Host
	net network
}

// start boots hosts, at the same time, that are stopped at the end of the test.
func start(t *testing.T, options ...lab.HostOptions) []*host {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	hosts := make([]*host, len(options))
	var group errgroup.Group
	group.SetLimit(4)
	for i, o := range options {
		group.Go(func() error {
			h, err := world.Host(ctx, o)
			if err == nil {
				hosts[i] = &host{Host: h}
				hosts[i].net, err = enterNetwork(ctx, h)
			}
			return err
		})
	}
	err := group.Wait()
	t.Cleanup(func() {
		for _, h := range hosts {
			if h == nil {
				continue
			}
			if t.Failed() {
				t.Logf("console of %s:\n%s", h.Name(), h.console(t))
			}
			h.net.close()
			if err := h.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// startLight boots plain hosts named PREFIX-1, PREFIX-2 and so on.
func startLight(t *testing.T, prefix string, n int) []*host {
	t.Helper()
	options := make([]lab.HostOptions, n)
	for i := range options {
		options[i].Name = fmt.Sprintf("%s-%d", prefix, i+1)
	}
	return start(t, options...)
}

// sh runs a script at the host's console and returns its output.
func (h *host) sh(t *testing.T, script string) string {
	t.Helper()
	// By stdin, so that the script does not find itself in the process list.
	out, _, err := h.Exec(t.Context(), script, "sh", "-s")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

// ruleset is all the host enforces, counters aside.
func (h *host) ruleset(t *testing.T) string {
	t.Helper()
	return h.sh(t, "nft -s list ruleset")
}

func (h *host) console(t *testing.T) string {
	t.Helper()
	text, err := h.Console()
	if err != nil {
		t.Error(err)
	}
	return text
}

// visits is how many logins and how many executions sshd has logged.
func (h *host) visits(t *testing.T) (logins, execs int) {
	t.Helper()
	text := h.console(t)
	return strings.Count(text, "Accepted publickey"), strings.Count(text, "Starting session: command")
}

// contacts is how many connections sshd has logged, with or without a login.
func (h *host) contacts(t *testing.T) int {
	t.Helper()
	return strings.Count(h.console(t), "Connection from ")
}

// state is the state of the host's latest transaction, "none" without one.
func (h *host) state(t *testing.T) string {
	t.Helper()
	words := strings.Split(h.sh(t, "cd /run/fwpush 2>/dev/null && echo S.* || echo none"), ".")
	if len(words) != 6 {
		return "none"
	}
	return words[2]
}

// lastEntry is the latest line of the host's history, without its time.
func (h *host) lastEntry(t *testing.T) string {
	t.Helper()
	return h.sh(t, "tail -n 1 /var/lib/fwpush/history 2>/dev/null | cut -d ' ' -f 3-")
}

// leftovers are jobs, timers, units, locks and staged files of fwpush.
func (h *host) leftovers(t *testing.T) string {
	t.Helper()
	return h.sh(t, `atq
{ ps -e -o args= 2>/dev/null || ps -o args; } | grep -E '[r]evert\.sh|sleep [0-9]{1,4}$'
ls -d /run/fwpush.* /run/fwpush/S.*.staged.* /run/fwpush/S.*.armed.* /run/fwpush/S.*.ap* /run/fwpush/S.*.*ing.* 2>/dev/null
ls -d /var/lib/fwpush/gen/.[0-9a-f]* /var/lib/fwpush/boot.[0-9a-f]* 2>/dev/null
[ ! -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend 'fwpush-*'
exit 0`)
}

// tidy waits until nothing is left. What guarded a process that was killed ends
// with its own limit, 20 s at most.
func (h *host) tidy(t *testing.T) {
	t.Helper()
	until(t, h.Name()+" has no job, timer, lock or staged file left", 30*time.Second,
		func() (string, bool) { left := h.leftovers(t); return left, left == "" })
}

// until waits for an event, looking ten times a second. What was seen last is
// told when it does not come.
func until(t *testing.T, what string, limit time.Duration, happened func() (seen string, ok bool)) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		seen, ok := happened()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s\n%s", limit, what, seen)
		}
	}
}

// everyone runs a check on each host.
func everyone(t *testing.T, hosts []*host, check func(t *testing.T, h *host)) {
	t.Helper()
	for _, h := range hosts {
		check(t, h)
	}
}

// rulesets are those of all hosts.
func rulesets(t *testing.T, hosts []*host) []string {
	t.Helper()
	texts := make([]string, len(hosts))
	for i, h := range hosts {
		texts[i] = h.ruleset(t)
	}
	return texts
}

// same compares what hosts enforce with what they did.
func same(t *testing.T, hosts []*host, before []string) {
	t.Helper()
	for i, h := range hosts {
		if got := h.ruleset(t); got != before[i] {
			t.Errorf("%s enforces\n%s\nand before\n%s", h.Name(), got, before[i])
		}
	}
}

// processTime is how long what a run has ended may still be seen: a shell that
// was told to end, a connection that sshd closes.
const processTime = 20 * time.Second

// difference is the lines that two texts do not share.
func difference(before, now string) string {
	var out []string
	for _, side := range []struct{ mark, have, other string }{{"- ", before, now}, {"+ ", now, before}} {
		other := strings.Split(side.other, "\n")
		for line := range strings.SplitSeq(side.have, "\n") {
			if !slices.Contains(other, line) {
				out = append(out, side.mark+line)
			}
		}
	}
	return strings.Join(out, "\n")
}

// program puts a shell script on the host.
func (h *host) program(t *testing.T, path, script string) {
	t.Helper()
	if err := h.WriteFile(t.Context(), path, "#!/bin/sh\n"+script+"\n"); err != nil {
		t.Fatal(err)
	}
	h.sh(t, "chmod 755 "+path)
}

// wrapNFT makes nft run a piece of shell first, but in network namespaces that are not the host's:
// there a candidate is only tried. The real one is nft.real.
func (h *host) wrapNFT(t *testing.T, script string) {
	t.Helper()
	h.sh(t, "mv /usr/sbin/nft /usr/sbin/nft.real")
	h.program(t, "/usr/sbin/nft", `if [ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/1/ns/net)" ]; then
`+script+`
fi
exec /usr/sbin/nft.real "$@"`)
}

func (h *host) unwrapNFT(t *testing.T) {
	t.Helper()
	h.sh(t, "mv /usr/sbin/nft.real /usr/sbin/nft")
}
