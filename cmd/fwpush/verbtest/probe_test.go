package verbtest

import (
	"strings"
	"testing"
)

// TestProbes pushes rules that a group of five hosts has to prove by probes: from here,
// from another host, on the host itself, and that a door is shut.
func TestProbes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, append(webs(71, 5), "far1")...)
	for _, host := range f.order[:5] {
		f.listen(host, "80")
	}
	f.listen("web73", "5432")
	text := func(rules string) {
		f.write("fleet.toml", world.Addr4().String(), world.Addr6().String())
		f.append("[roles.far]\n" + rules)
	}
	text("")
	f.run(0, "apply", "-y")
	const probes = `probe = [
  { tcp = 80 },
  { tcp = 5432, from = "host:far1", expect = false },
  { run = "test \"$(id -u)\" -eq 0", become = true },
]
`
	text("[roles.web]\nin = [ { allow = \"http\" } ]\n" + probes)
	out, _ := f.run(1, "diff", "-l", "web*", "--color", "never")
	for _, want := range []string{"probes before web[71-75] (5) is confirmed:\n  tcp 80\n  no tcp 5432 from far1\n  run on it as root: test \"$(id -u)\" -eq 0\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	o := f.json(0, "apply", "-y")
	for _, h := range o.Hosts {
		if h.Name != "far1" && h.Outcome != "confirmed" {
			t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
		}
	}
	if out, _ := f.run(0, "history", "show", o.Run); !strings.Contains(out, "tcp 80") {
		t.Errorf("the evidence does not name the probes:\n%s", out)
	}

	// One host of the group opens what must be shut: all five stay as they were.
	before := map[string]string{}
	for _, host := range f.order {
		before[host] = f.ruleset(host)
	}
	text("[roles.web]\nin = [ { allow = \"http\" }, { allow = \"https\" }, { allow = \"pg\", from = \"host:far1\" } ]\n" + probes + "[services.pg]\ntcp = [5432]\n")
	o = f.json(6, "apply", "-y", "-l", "web*")
	for _, h := range o.Hosts {
		if h.Outcome != "reverted" {
			t.Errorf("%s is %s: %s", h.Name, h.Outcome, h.Error)
		}
		if h.Name == "web73" && (h.Stage != "probe" || !strings.Contains(h.Error, "probe no tcp 5432 from far1: ")) {
			t.Errorf("web73 at %s: %s", h.Stage, h.Error)
		}
		if inOrder(f.ruleset(h.Name)) != inOrder(before[h.Name]) {
			t.Errorf("%s does not run its old rules", h.Name)
		}
		if left := f.leftovers(h.Name); left != "" {
			t.Errorf("left on %s: %s", h.Name, left)
		}
	}

	// A probe of the command line; one that failed before is told and not counted.
	text("[roles.web]\nin = [ { allow = \"http\" }, { allow = \"https\" } ]\n")
	_, said := f.run(0, "apply", "-y", "-l", "web71", "--probe", "tcp = 443", "--probe", `run = "true"`)
	if !strings.Contains(said, "web71  note: probe tcp 443 failed before the push too and is not counted") {
		t.Errorf("apply says: %s", said)
	}
	_, said = f.run(2, "apply", "-y", "-l", "web71", "--probe", "tcp = 443", "--probe", "tpc = 80")
	if !strings.Contains(said, "--probe 2:1:1: unknown key") || !strings.Contains(said, "exit 2: 1 error in --probe") {
		t.Errorf("a probe that is none: %s", said)
	}
}

// listen makes another sshd accept connections on a port.
func (f *fleet) listen(host, port string) {
	f.t.Helper()
	f.sh(host, "ssh-keygen -q -t ed25519 -N '' -f /run/key."+port+" && /usr/sbin/sshd -f /dev/null -h /run/key."+port+" -o PidFile=/run/other."+port+" -p "+port)
}
