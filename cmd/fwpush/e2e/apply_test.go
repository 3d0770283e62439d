package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestApplyRole is the main job: fwpush apply --role web.
func TestApplyRole(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3", "bastion1")
	webs := []string{"web1", "web2", "web3"}
	for _, web := range webs {
		f.listen(web, "80", "443", "3306")
	}
	before := map[string]string{}
	for _, host := range f.order {
		before[host] = f.traces(host)
	}
	bastion := f.ruleset("bastion1")

	o := f.json(0, "apply", "--role", "web", "-y")
	if o.Command != "apply" || o.Run == "" {
		t.Errorf("command %q, run %q", o.Command, o.Run)
	}
	if got := slices.Sorted(maps.Keys(o.outcomes())); !slices.Equal(got, webs) {
		t.Fatalf("hosts %q, want %q", got, webs)
	}
	for _, h := range o.Hosts {
		if h.Outcome != "confirmed" || h.Error != "" || h.Stage != "" {
			t.Errorf("%s: %s at %q: %s", h.Name, h.Outcome, h.Stage, h.Error)
		}
		if h.Connections > 2 || h.Execs > 2 {
			t.Errorf("%s: %d connections and %d executions, want at most 2 of each", h.Name, h.Connections, h.Execs)
		}
		if !strings.HasPrefix(h.Digest, "sha256:") || h.Previous != "" || h.Wave != 1 || !strings.Contains(h.Diff, "tcp dport { 80, 443 } accept") {
			t.Errorf("%s: digest %q, previous %q, wave %d, diff:\n%s", h.Name, h.Digest, h.Previous, h.Wave, h.Diff)
		}
	}
	if got := f.ruleset("bastion1"); got != bastion {
		t.Errorf("the bastion was not selected and has now:\n%s", got)
	}
	for _, web := range webs {
		const want = "80 open, 443 open, 3306 no answer, 25 no answer"
		if got := f.ports("bastion1", web, "80", "443", "3306", "25"); got != want {
			t.Errorf("%s: %s; want %s", web, got, want)
		}
		f.sh(web, "ip neigh flush all")
		f.sh("bastion1", "ip neigh flush all")
		if got := f.ports("bastion1", web, "80", "3306"); got != "80 open, 3306 no answer" {
			t.Errorf("%s, neighbours forgotten: %s", web, got)
		}
		if got := f.leftovers(web); got != "" {
			t.Errorf("%s: left behind:\n%s", web, got)
		}
	}

	o = f.json(0, "apply", "--role", "web", "-y")
	for _, h := range o.Hosts {
		if h.Outcome != "unchanged" || h.Connections != 1 || h.Execs != 1 || h.Diff != "" {
			t.Errorf("second run, %s: %s with %d connections and %d executions, diff %q", h.Name, h.Outcome, h.Connections, h.Execs, h.Diff)
		}
	}
	if len(o.Hosts) != 3 {
		t.Errorf("second run: %d hosts", len(o.Hosts))
	}
	if out, _ := f.run(0, "diff", "--role", "web"); out != "○ web[1-3] (3)   no change\n" {
		t.Errorf("diff of an unchanged file: %s", out)
	}

	o = f.json(0, "remove", "web[1-2],web3", "-y")
	for _, h := range o.Hosts {
		if h.Outcome != "confirmed" {
			t.Errorf("remove, %s: %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	for _, host := range f.order {
		// The host tidies up behind its last word.
		f.await("no trace of fwpush on "+host, func() bool { return f.traces(host) == before[host] })
	}
	if o := f.json(0, "status"); !maps.Equal(o.outcomes(), map[string]string{"web1": "absent", "web2": "absent", "web3": "absent", "bastion1": "absent"}) {
		t.Errorf("status after remove: %v", o.outcomes())
	}
}

// traces is everything on a host that a push may change, but for the history,
// which stays.
func (f *fleet) traces(host string) string {
	f.t.Helper()
	return f.sh(host, `
nft list ruleset
find /run /etc/systemd -name '*fwpush*'
[ ! -d /var/lib/fwpush ] || find /var/lib/fwpush -mindepth 1 ! -name history
`)
}

// TestTextOfAnApply is what a person reads.
func TestTextOfAnApply(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	stdout, stderr := f.run(0, "apply", "-y")
	lines := strings.Split(stdout, "\n")
	if !strings.HasPrefix(lines[0], "Done in ") || !strings.Contains(lines[0], " · run 20") || lines[1] != "  confirmed  web[1-2] (2)" {
		t.Errorf("stdout:\n%s", stdout)
	}
	for _, host := range f.order {
		if !strings.Contains(stderr, host+"  confirmed in ") {
			t.Errorf("stderr says nothing of %s:\n%s", host, stderr)
		}
	}
	if _, stderr := f.run(0, "apply", "-y", "-q"); stderr != "" {
		t.Errorf("-q prints %q", stderr)
	}
}
