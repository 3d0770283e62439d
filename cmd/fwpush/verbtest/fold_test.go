package verbtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// TestDiffOfAFleet folds three changes and one host that was edited by hand into four
// blocks, whatever the number of hosts.
func TestDiffOfAFleet(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 60", "db 30", "lb 9", "mon 10")
	f.role("web", `in = [ { allow = "http" } ]`)
	began := time.Now()
	f.run(0, "apply", "-y", "--forks", "100", "-q")
	t.Logf("apply of 109 hosts: %s", time.Since(began))
	f.role("web", `in = [ { allow = "https" } ]`)
	f.role("db", `in = [ { allow = "tcp/5432" } ]`)
	f.role("lb", `in = [ { allow = "tcp/8080" } ]`)
	f.insert("web012", "ip saddr 198.51.100.7 drop")
	began = time.Now()
	out := f.same(1, "diff", "--color", "never")
	t.Logf("two diffs of 109 hosts: %s", time.Since(began))
	blocks := lines(out, "●", "○", "✗")
	for i, want := range []string{
		"● web[001-011,013-060] (59)   +1 -1   sha256:", "● db[001-030] (30)   +1 -0   sha256:", "● lb[001-009] (9)   +1 -0   sha256:",
		"● web012 (1)   +1 -2   sha256:", "○ mon[001-010] (10)   no change",
	} {
		if i >= len(blocks) || !strings.HasPrefix(blocks[i], want) {
			t.Errorf("block %d is not %q:\n%s", i+1, want, strings.Join(blocks, "\n"))
		}
	}
	if len(blocks) != 5 {
		t.Errorf("%d blocks:\n%s", len(blocks), out)
	}
	if !strings.Contains(out, "same, and its running ruleset was edited by hand (drift):\n") || strings.Count(out, "# in no role") != 1 {
		t.Errorf("drift of web012:\n%s", out)
	}

	out = f.same(1, "diff", "--stat", "--color", "never")
	if want := []string{
		"● web[001-011,013-060] (59)  +1 -1  pending", "● db[001-030] (30)           +1 -0  pending", "● lb[001-009] (9)            +1 -0  pending",
		"● web012 (1)                 +1 -2  pending, drift", "○ mon[001-010] (10)                 no change",
		"total: 4 changes on 99 hosts, +4 -3; 10 hosts unchanged",
	}; !slices.Equal(strings.Split(strings.TrimSpace(out), "\n"), want) {
		t.Errorf("--stat:\n%s\nwant\n%s", out, strings.Join(want, "\n"))
	}
}

// TestDiffKinds has one host for each reason to be changed, and one for each trouble.
func TestDiffKinds(t *testing.T) {
	f := newSimFleet(t, simhost.Options{Systemd: true, Iptables: true}, "web 9")
	f.role("web", `in = [ { allow = "http" } ]`)
	f.run(0, "apply", "-y", "-q", "-x", "web002")
	f.host("web003").SetUnit("disabled")
	f.insert("web004", "tcp dport 1 accept")
	f.host("web005").SetFaults(simhost.Faults{Unreachable: simhost.Deny})
	f.host("web006").Hold("20260102T030405Z-0000000f", "somebody", time.Minute)
	f.file("fleet.toml", strings.Replace(f.text(), "[hosts.web007]\n", "[hosts.web007]\nbackend = \"iptables\"\n", 1))
	out := f.same(4, "diff", "--stat", "--color", "never")
	var got []string
	for line := range strings.Lines(out) {
		line, _, _ = strings.Cut(line, ": 127.") // which login was refused is not the business of this test
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if want := []string{
		"● web002 (1) +27 -0 first push", "● web003 (1) +0 -0 boot path", "● web004 (1) +0 -1 drift", "● web007 (1) +45 -27 backend change",
		"○ web[001,008-009] (3) no change", "✗ web005 (1) unreachable",
		"✗ web006 (1) locked at inspect: run 20260102T030405Z-0000000f of somebody is not finished here (applied); wait, or look at it with fwpush status",
		"total: 4 changes on 4 hosts, +72 -28; 3 hosts unchanged; 2 hosts not compared",
	}; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", out, strings.Join(want, "\n"))
	}
	if o := f.json(4, "diff", "--stat"); len(o.Hosts) != 9 || o.outcomes()["web004"] != "changed" || !strings.Contains(o.Hosts[3].Diff, "tcp dport 1 accept") {
		t.Errorf("-o json: %+v", o)
	}
}

// TestDiffBetween asks which of the hosts is not like the others.
func TestDiffBetween(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 40", "db 2", "mon 1", "lb 3")
	f.role("web", `in = [ { allow = "http" } ]`)
	f.run(0, "apply", "-y", "-q", "-x", "lb003")
	if out := f.same(0, "diff", "--between", "-x", "lb003", "--color", "never"); !slices.Equal(lines(out, "○", "●", "✗", "roles"), []string{
		"roles base, db (2)", "○ db[001-002] (2)   all the same   " + digest(t, out, 0) + "   as the fleet file says",
		"roles base, lb (2)", "○ lb[001-002] (2)   all the same   " + digest(t, out, 1) + "   as the fleet file says",
		"roles base, mon (1)", "○ mon001 (1)   no other host with these roles   " + digest(t, out, 2) + "   as the fleet file says",
		"roles base, web (40)", "○ web[001-040] (40)   all the same   " + digest(t, out, 3) + "   as the fleet file says",
	}) {
		t.Errorf("all alike:\n%s", out)
	}
	// One host was edited, one was left out of the last push, one has rules of its own.
	f.insert("web012", "tcp dport 9999 accept")
	f.role("web", `in = [ { allow = "http" }, { allow = "https" } ]`)
	own := "[hosts.web030]\nin = [ { allow = \"tcp/7000\" } ]\n"
	f.file("fleet.toml", strings.Replace(f.text(), "[hosts.web030]\n", own, 1))
	f.run(0, "apply", "-y", "-q", "--role", "web", "-x", "web[012,021]")
	f.insert("db002", "tcp dport 5 drop")
	out := f.same(1, "diff", "--between", "--color", "never")
	for _, want := range []string{
		"○ web[001-011,013-020,022-029,031-040] (37)   the most   sha256:",
		"● web012 (1)   +1 -1   edited by hand (drift)   the fleet file says otherwise\n",
		"  -  tcp dport 443 accept\n", "  +  tcp dport 9999 accept\n",
		"● web021 (1)   +0 -1   the fleet file says otherwise\n",
		"● web030 (1)   +1 -0   as the fleet file says\n", "  +  tcp dport 7000 accept\n",
		"○ db001 (1)   no majority; the others are compared with these   sha256:", "● db002 (1)   +1 -0   edited by hand (drift)\n",
		"● lb003 (1)   no rules of fwpush   the fleet file says otherwise\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	_, said := f.run(1, "diff", "--between")
	if want := "exit 1: 5 hosts not like the most of the same roles: db002,lb003,web[012,021,030]\n"; !strings.HasSuffix(said, want) {
		t.Errorf("stderr:\n%swant\n%s", said, want)
	}
	if out := f.same(1, "diff", "--between", "--stat", "--color", "never"); strings.Contains(out, "tcp dport") || !strings.Contains(out, "● web021 (1)   +0 -1   ") {
		t.Errorf("--stat:\n%s", out)
	}
	o := f.json(1, "diff", "--between")
	if h := o.Hosts[26]; h.Name != "web021" || h.Outcome != "changed" || h.Like != "web001" || !strings.Contains(h.Diff, "-  tcp dport 443 accept") {
		t.Errorf("%+v", h)
	}
	if h := o.Hosts[0]; h.Outcome != "unchanged" || h.Like != "" || h.Diff != "" {
		t.Errorf("%+v", h)
	}
}

// digest is the n-th short digest of a text.
func digest(t *testing.T, text string, n int) string {
	t.Helper()
	parts := strings.Split(text, "sha256:")
	if len(parts) < n+2 {
		t.Fatalf("no digest number %d in:\n%s", n+1, text)
	}
	return "sha256:" + parts[n+1][:4] + "…"
}

// TestDiffForeign tells of the base chains of others on the hooks that are used, below
// the changes, and not with -q.
func TestDiffForeign(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 20", "db 2")
	f.run(0, "apply", "-y", "-q")
	const docker = "table ip filter {\n\tchain DOCKER {\n\t}\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n" +
		"\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
	const listings = "#: iptables nft\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j DROP\n" +
		"-A FORWARD -j DOCKER\nCOMMIT\n"
	for i := range 20 {
		f.sim.Host(i).SetForeign(docker)
		f.sim.Host(i).SetListings(listings)
	}
	f.host("db002").SetForeign("table inet \x1b[31m {\n\tchain f2b-chain {\n\t\ttype filter hook input priority filter - 1; policy accept;\n\t}\n}\n")
	want := []string{
		"not fwpush's: web[001-020] (20): table ip filter (docker) chain INPUT hook input priority filter policy accept",
		`not fwpush's: db002 (1): table inet \x1b[31m (fail2ban) chain f2b-chain hook input priority filter - 1 policy accept`,
	}
	for _, args := range [][]string{{"diff"}, {"diff", "--stat"}, {"apply", "--dry-run"}} {
		out := f.same(0, append(args, "--color", "never")...)
		if got := lines(out, "not fwpush's"); !slices.Equal(got, want) {
			t.Errorf("%v:\n%s\nwant\n%s", args, out, strings.Join(want, "\n"))
		}
		if out := f.same(0, append(args, "-q")...); strings.Contains(out, "not fwpush's") {
			t.Errorf("%v -q:\n%s", args, out)
		}
	}
	// They stand there without the file's knowing. That keeps nobody from looking, and who would be
	// changed from nothing but that.
	const forward = "forward = [ { allow = \"tcp/80\", to = \"10.9.0.0/16\" } ]\n"
	f.role("web", forward)
	refused := f.same(3, "diff", "--color", "never")
	if !strings.Contains(refused, "✗ web[001-020] (20)  failed at inspect: the host has other firewalls that its coexist does not name: docker (iptables") ||
		!strings.Contains(strings.Join(lines(refused, "○ db002 (1)   no change   "), ""), "other firewalls that its coexist does not name") {
		t.Errorf("docker, not named:\n%s", refused)
	}
	f.role("web", forward+"in = [ { allow = \"tcp/80\" } ]\n")
	f.coexist = []string{"docker", "iptables"}
	f.write()
	const overridden = "tcp/80 is allowed here and dropped by iptables filter INPUT: -A INPUT -p tcp -m tcp --dport 80 -j DROP"
	if out := f.same(1, "diff", "--color", "never"); !strings.Contains(out, overridden) || strings.Count(out, "web[001-020] (20)   +") != 1 {
		t.Errorf("what others override:\n%s", out)
	}
	// A host that forwards has to pass the chain there too.
	if out := f.same(1, "diff", "--color", "never"); !strings.Contains(out, want[0]+", chain FORWARD hook forward priority filter policy drop\n") {
		t.Errorf("forward:\n%s", out)
	}
}
