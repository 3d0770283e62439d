package commit

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/transport"
)

// TestLinkLocalAddress commits on a host that is reached by an address of its link, with a
// zone, as HostName of ssh_config may have it. The key is recorded under that name, and ssh
// finds it there.
func TestLinkLocalAddress(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	addr := ""
	h.until("the address can be used", 10*time.Second, func() bool {
		for _, word := range strings.Fields(h.sh("ip -6 -o address show scope link -tentative")) {
			if plain, _, ok := strings.Cut(word, "/64"); ok && strings.HasPrefix(plain, "fe80:") {
				addr = plain
			}
		}
		return addr != ""
	})
	ep := h.endpoint()
	ep.Address = addr + "%fwlab0"
	ep.KnownHosts = []string{filepath.Join(t.TempDir(), "known_hosts")}
	dialer := transport.New(transport.Options{HostKeys: transport.AcceptNew})
	conn, err := dialer.Dial(t.Context(), ep)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := strings.Replace(rules(false, 80).Text, "iifname \"lo\" accept\n", "iifname \"lo\" accept\n\t\tmeta l4proto ipv6-icmp accept\n\t\tip6 saddr fe80::/10 tcp dport 22 accept\n", 1)
	p, r := Begin(t.Context(), conn, h.candidate(ruleset(text), time.Minute))
	if p == nil {
		t.Fatalf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
	}
	if r = p.Confirm(t.Context(), dialer); r.Outcome != OutcomeConfirmed {
		t.Fatalf("%s at %s: %v (%s)", r.Outcome, r.Stage, r.Err, r.Hint)
	}
	h.clean()
	out, err := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+ep.KnownHosts[0], "-o", "GlobalKnownHostsFile=/dev/null", "-i", ep.Identity[0], "root@"+ep.Address, "true").CombinedOutput()
	if err != nil {
		t.Errorf("ssh: %v\n%s", err, out)
	}
	again, err := transport.New(transport.Options{}).Dial(t.Context(), ep)
	if err != nil {
		t.Fatalf("strictly: %v", err)
	}
	again.Close()
}
