package verbtest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// cutOff makes a host refuse every new connection to its sshd as long as its rules of
// fwpush have a word in them, in a table that is not fwpush's: what a host may come to
// that no proof beforehand can know of.
func (f *fleet) cutOff(host, word string) {
	f.t.Helper()
	f.sh(host, `mv /usr/sbin/nft /usr/sbin/nft.real && cat >/usr/sbin/nft <<'X'
#!/bin/sh
/usr/sbin/nft.real "$@"
rc=$?
case "$*" in
*-c*) ;;
-f* | *' -f '*)
	if /usr/sbin/nft.real list table inet fwpush 2>/dev/null | grep -q '`+word+`'; then
		: >/run/cut
		/usr/sbin/nft.real 'add table inet cut; add chain inet cut in { type filter hook input priority -300; }; add rule inet cut in tcp dport 22 ct state new drop'
	else
		/usr/sbin/nft.real 'add table inet cut; delete table inet cut'
	fi ;;
esac
exit $rc
X
chmod 755 /usr/sbin/nft`)
}

// webs are the names of n web hosts; tests that run beside each other take others.
func webs(first, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("web%02d", first+i)
	}
	return names
}

const port8443 = "[roles.web]\nin = [ { allow = \"tcp/8443\" } ]\n"

// TestRow60CanaryThatIsLostStopsTheRun pushes to twelve hosts, two of them first, and one of
// these cannot be reached any more once it runs the new rules.
func TestRow60CanaryThatIsLostStopsTheRun(t *testing.T) {
	t.Parallel()
	f := newFleet(t, webs(1, 12)...)
	f.run(0, "apply", "-y")
	before := map[string]string{}
	for _, host := range f.order {
		before[host] = f.ruleset(host)
	}
	f.cutOff("web02", "8443")
	f.append(port8443)
	traces := map[string]string{}
	for _, host := range f.order[2:] {
		traces[host] = f.traces(host)
	}

	o := f.json(6, "apply", "-y", "--canary", "2", "--window", "15s")
	for _, h := range o.Hosts {
		want, connections := "skipped", 0
		switch h.Name {
		case "web01", "web02":
			want = "reverted"
		}
		if h.Outcome != want || want == "skipped" && h.Connections != connections {
			t.Errorf("%s is %s after %d connections: %s", h.Name, h.Outcome, h.Connections, h.Error)
		}
		if !strings.Contains(h.Error, "no fresh connection got in") {
			t.Errorf("%s: the error does not tell the cause: %s", h.Name, h.Error)
		}
		if h.Name != "web02" && !strings.Contains(h.Error, "stopped by canary web02") {
			t.Errorf("%s: the error does not tell who stopped the run: %s", h.Name, h.Error)
		}
	}
	for _, want := range []string{"stopped by canary web02: no fresh connection got in", "1 host taken back: web01", "10 hosts untouched: web[03-12]"} {
		if !strings.Contains(o.Error, want) {
			t.Errorf("no %q in the last line: %s", want, o.Error)
		}
	}
	for _, host := range f.order {
		if got := f.ruleset(host); got != before[host] {
			t.Errorf("%s does not run its old rules:\n%s", host, got)
		}
		if traces[host] != "" && traces[host] != f.traces(host) {
			t.Errorf("%s was touched:\n%s\nbefore:\n%s", host, f.traces(host), traces[host])
		}
	}
	if f.sh("web02", "ls /run/cut") == "" {
		t.Error("the canary was never cut off")
	}
	if left := f.leftovers("web01") + f.leftovers("web02"); left != "" {
		t.Errorf("left on the canaries: %s", left)
	}
	f.sh("web02", "mv -f /usr/sbin/nft.real /usr/sbin/nft")
	o = f.json(0, "apply", "-y", "--canary", "2")
	for _, h := range o.Hosts {
		if want := map[bool]int{true: 1, false: 2}[h.Name < "web03"]; h.Outcome != "confirmed" || h.Wave != want || h.Connections != 2 || h.Execs != 2 {
			t.Errorf("%s is %s in wave %d, want %d, with %d connections", h.Name, h.Outcome, h.Wave, want, h.Connections)
		}
	}
}

// traces is what anybody leaves on a host who logs in or writes.
func (f *fleet) traces(host string) string {
	f.t.Helper()
	console, err := f.hosts[host].Console()
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprint(strings.Count(console, "Accepted publickey"), " logins\n") + f.sh(host, "find /var/lib/fwpush /run/fwpush -printf '%p %s %T@ %i\n' | sort; atq; cat /var/spool/cron/atjobs/.SEQ")
}

// TestCanariesThatNeedNoChangeMakeRoom changes the rules of one host of twelve: the
// canary is that one.
func TestCanariesThatNeedNoChangeMakeRoom(t *testing.T) {
	f := newFleet(t, "web1", "web2", "zone1", "zone2")
	text := func(port string) {
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append("[roles.zone]\nin = [ { allow = \"tcp/" + port + "\" } ]\n")
	}
	text("8443")
	f.run(0, "apply", "-y")
	text("8444")
	o := f.json(0, "apply", "-y", "--canary", "1")
	waves := map[string]int{}
	for _, h := range o.Hosts {
		waves[h.Name] = h.Wave
	}
	if got := o.outcomes(); got["web1"] != "unchanged" || got["web2"] != "unchanged" || got["zone1"] != "confirmed" || got["zone2"] != "confirmed" {
		t.Errorf("outcomes %v", got)
	}
	if waves["zone1"] != 1 || waves["zone2"] != 2 {
		t.Errorf("waves %v: the first host that changes is to be the canary", waves)
	}
}

// TestSoakMovesDeadlines keeps two hosts pending for longer than their window.
func TestSoakMovesDeadlines(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web51", "web52")
	f.run(0, "apply", "-y")
	f.append(port8443)
	p := f.command("apply", "-y", "--window", "15s", "--soak", "25s", "-v")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	// The deadline is part of the state's name.
	seen := map[string]map[string]bool{"web51": {}, "web52": {}}
	for end := time.Now().Add(40 * time.Second); len(seen["web51"]) < 3 || len(seen["web52"]) < 3; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("deadlines seen: %v", seen)
		}
		for host := range seen {
			if name := f.sh(host, "ls /run/fwpush 2>/dev/null | grep applied || true"); name != "" {
				seen[host][name] = true
			}
		}
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("apply: %v", err)
	}
	for _, host := range f.order {
		if !strings.Contains(f.ruleset(host), "8443") {
			t.Errorf("%s does not run the new rules", host)
		}
		if left := f.leftovers(host); left != "" {
			t.Errorf("left on %s: %s", host, left)
		}
	}
	o := f.json(0, "apply", "-y")
	if got := o.outcomes(); got["web51"] != "unchanged" {
		t.Errorf("after the soak: %v", got)
	}
}
