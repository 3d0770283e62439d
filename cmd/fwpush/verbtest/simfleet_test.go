package verbtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/simhost"
)

// simFleet is a fleet file for simulated hosts.
type simFleet struct {
	*fleet
	sim   *simhost.Fleet
	roles map[string]string // of the text of [roles.NAME]

	coexist []string // of [defaults]
}

// newSimFleet starts hosts, so many for each role: "web 200" is web001 to web200.
func newSimFleet(t *testing.T, o simhost.Options, counts ...string) *simFleet {
	t.Helper()
	f := &simFleet{fleet: &fleet{t: t, dir: t.TempDir(), state: t.TempDir()}, roles: map[string]string{}}
	for _, count := range counts {
		role, n := "", 0
		if _, err := fmt.Sscan(count, &role, &n); err != nil {
			t.Fatal(err)
		}
		f.roles[role] = ""
		for i := range n {
			f.order = append(f.order, fmt.Sprintf("%s%03d", role, i+1))
		}
	}
	o.Name = func(i int) string { return f.order[i] }
	addresses := map[string]string{}
	for i, name := range f.order {
		addresses[name] = address(i)
	}
	o.Address = func(name string) string { return addresses[name] }
	f.sim = simhost.New(t, len(f.order), o)
	f.write()
	return f
}

// write makes the fleet file anew.
func (f *simFleet) write() {
	f.t.Helper()
	var b strings.Builder
	ep := f.sim.Endpoint(0)
	fmt.Fprintf(&b, "version = 1\n[defaults]\nroles = [\"base\"]\ncoexist = [%s]\nssh = { user = \"root\", port = %d, identity = %q, known_hosts = %q }\n[management]\nfrom = [%q]\ncontroller = [%q]\n",
		quotedAll(f.coexist), ep.Port, ep.Identity[0], ep.KnownHosts[0], f.sim.Controller(), f.sim.Controller())
	for _, role := range slices.Sorted(maps.Keys(f.roles)) {
		fmt.Fprintf(&b, "[roles.%s]\n%s\n", role, f.roles[role])
	}
	for i, name := range f.order {
		fmt.Fprintf(&b, "[hosts.%s]\nroles = [%q]\naddresses = [%q]\nssh.address = %q\n", name, strings.TrimRight(name, "0123456789"), address(i), f.sim.Endpoint(i).Address)
	}
	f.file("fleet.toml", b.String())
}

// address is that of the i-th host in the fleet file.
func address(i int) string { return fmt.Sprintf("10.1.%d.%d", i/200, i%200+1) }

// role changes the text of a role.
func (f *simFleet) role(name, text string) {
	f.t.Helper()
	f.roles[name] = text
	f.write()
}

// host is a simulated host by name.
func (f *simFleet) host(name string) *simhost.Host {
	f.t.Helper()
	for i, n := range f.order {
		if n == name {
			return f.sim.Host(i)
		}
	}
	f.t.Fatalf("there is no host %s", name)
	return nil
}

// insert puts a rule into the input chain of a host by hand.
func (f *simFleet) insert(name, rule string) {
	f.host(name).Edit(func(listing string) string {
		at := strings.Index(listing, "hook input")
		end := at + strings.IndexByte(listing[at:], '\n') + 1
		return listing[:end] + "\t\t" + rule + "\n" + listing[end:]
	})
}

// same runs fwpush twice, demands the same answer to the byte and that nothing was
// written on any host, and returns it.
func (f *simFleet) same(want int, args ...string) string {
	f.t.Helper()
	writes := f.sim.Writes()
	out, _ := f.run(want, args...)
	if again, _ := f.run(want, args...); again != out {
		f.t.Errorf("fwpush %s says\n%s\nand the second time\n%s", strings.Join(args, " "), out, again)
	}
	if got := f.sim.Writes(); got != writes {
		f.t.Errorf("fwpush %s has written %d times", strings.Join(args, " "), got-writes)
	}
	return out
}

// lines are those that begin with one of the marks.
func lines(text string, marks ...string) []string {
	var found []string
	for line := range strings.Lines(text) {
		for _, m := range marks {
			if strings.HasPrefix(line, m) {
				found = append(found, strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return found
}

// text is the fleet file.
func (f *simFleet) text() string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

func quotedAll(words []string) string {
	var list []string
	for _, w := range words {
		list = append(list, fmt.Sprintf("%q", w))
	}
	return strings.Join(list, ", ")
}
