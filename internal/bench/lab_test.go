package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/commit"
	"fwpush/internal/lab"
	"fwpush/render"
)

// labFleet is hosts of the lab with a working directory, where a fleet file is that asks for one of
// two rulesets in turn.
type labFleet struct {
	hosts []*lab.Host
	dir   string
	next  int // which ruleset the hosts do not have

	prefixes int // how many a set has beside three others
}

// startFleet boots n light hosts.
func startFleet(b *testing.B, prefix string, n int) *labFleet {
	b.Helper()
	f := &labFleet{hosts: make([]*lab.Host, n), dir: b.TempDir()}
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(4)
	for i := range f.hosts {
		group.Go(func() (err error) {
			f.hosts[i], err = world.Host(ctx, lab.HostOptions{Name: fmt.Sprintf("%s%02d", prefix, i+1)})
			return err
		})
	}
	err := group.Wait()
	b.Cleanup(func() {
		for _, h := range f.hosts {
			if h != nil {
				h.Stop()
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	for ruleset := range 2 {
		f.write(b, fmt.Sprintf("fleet%d.toml", ruleset), f.text(ruleset))
	}
	return f
}

// text is a fleet file. The rulesets differ by what one rule opens, or by one prefix of many.
func (f *labFleet) text(ruleset int) string {
	var s, set strings.Builder
	for i := range f.prefixes {
		fmt.Fprintf(&set, "\"10.%d.%d.0/25\", ", i/250, i%250+ruleset*(i/9999))
	}
	port := 8000
	if f.prefixes == 0 {
		port += ruleset
	}
	fmt.Fprintf(&s, `version = 1
fleet = "bench"

[defaults]
roles = ["base"]
ssh = { user = "root", identity = %q, known_hosts = %q }

[management]
from = [%q, %q]

[sets.office]
addresses = [%s"198.51.100.0/24", "203.0.113.0/25", "2001:db8:1::/48"]

[roles.app]
in = [ { allow = ["tcp/%d", "ping"], from = "set:office" } ]
`, world.KeyFile(), world.KnownHosts(), world.Addr4(), world.Addr6(), &set, port)
	for _, h := range f.hosts {
		fmt.Fprintf(&s, "\n[hosts.%s]\nroles = [\"web\", \"app\"]\naddresses = [%q, %q]\n", h.Name(), h.Addr4(), h.Addr6())
	}
	return s.String()
}

func (f *labFleet) write(b *testing.B, name, text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// command runs in the directory.
func (f *labFleet) command(b *testing.B, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "FWPUSH_ACTOR=bench", "SSH_AUTH_SOCK=")
	return cmd
}

// turn is the number of the ruleset to push now.
func (f *labFleet) turn() int {
	f.next = 1 - f.next
	return 1 - f.next
}

// apply is fwpush on its way to the other ruleset.
func (f *labFleet) apply(b *testing.B, args ...string) *exec.Cmd {
	return f.command(b, program("fwpush"), append([]string{"apply", "-y", "-i", fmt.Sprintf("fleet%d.toml", f.turn())}, args...)...)
}

// job is what the floor has to know to do as fwpush does: taken from what fwpush has left on the
// hosts, which had either ruleset before.
type job struct {
	Forks                int
	User                 string
	Identity, KnownHosts string
	Begin, Finish        string
	Window               int
	Revert               string
	Look                 bool
	Hosts                []jobHost
}

type jobHost struct {
	Addr, Owner, Rules, Kept, Policy string
}

// floorJobs are the jobs for both rulesets, each pushed over the other.
func (f *labFleet) floorJobs(b *testing.B) (jobs [2]job) {
	b.Helper()
	texts := commit.HostTexts()
	layouts := [len(jobs)][]render.Layout{}
	for ruleset := range jobs {
		if err := f.apply(b).Run(); err != nil {
			b.Fatal(err)
		}
		j := job{Forks: 50, User: "root", Identity: world.KeyFile(), KnownHosts: world.KnownHosts(),
			Begin: texts.Begin, Finish: texts.Finish, Window: 120, Revert: texts.Revert}
		for _, h := range f.hosts {
			sent, layout := sentLast(b, h)
			j.Hosts, layouts[ruleset] = append(j.Hosts, sent), append(layouts[ruleset], layout)
		}
		jobs[ruleset] = j
	}
	for ruleset, j := range jobs {
		for i, h := range f.hosts {
			version, err := render.ParseVersion(ask(b, h, "nft --version"))
			if err != nil {
				b.Fatal(err)
			}
			j.Hosts[i].Kept, _ = render.LoadForm(render.Ruleset{Text: j.Hosts[i].Rules}, layouts[1-ruleset][i], version)
		}
	}
	return jobs
}

// sentLast is what a host was sent last, and the layout of what runs there since.
func sentLast(b *testing.B, h *lab.Host) (jobHost, render.Layout) {
	b.Helper()
	const newest = `cat "$(ls -td /var/lib/fwpush/gen/[0-9]* | head -n 1)"/`
	layout, err := render.ParseLayout(ask(b, h, "nft -s list table inet fwpush"))
	if err != nil {
		b.Fatal(err)
	}
	return jobHost{
		Addr:  fmt.Sprintf("%s:%d", h.Addr4(), h.Port()),
		Owner: strings.TrimSuffix(ask(b, h, "cat /var/lib/fwpush/owner"), "\n"),
		Rules: ask(b, h, newest+"rules"), Policy: ask(b, h, newest+"policy.json"),
	}, layout
}

// ask runs a command at a host's console.
func ask(b *testing.B, h *lab.Host, command string) string {
	b.Helper()
	out, _, err := h.Exec(b.Context(), command, "sh", "-s")
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// floor is the floor on its way to the other ruleset.
func (f *labFleet) floor(b *testing.B, jobs [2]job) *exec.Cmd {
	b.Helper()
	return f.give(b, jobs[f.turn()])
}

// give hands a job to the floor.
func (f *labFleet) give(b *testing.B, j job) *exec.Cmd {
	b.Helper()
	data, err := json.Marshal(j)
	if err != nil {
		b.Fatal(err)
	}
	cmd := f.command(b, program("floor"))
	cmd.Stdin = bytes.NewReader(data)
	return cmd
}

// execs are the commands that the hosts' sshds have run: each logs a line for one.
func (f *labFleet) execs(b *testing.B) func() int64 {
	return func() (n int64) {
		for _, h := range f.hosts {
			console, err := h.Console()
			if err != nil {
				b.Fatal(err)
			}
			n += int64(strings.Count(console, "Starting session: command"))
		}
		return n
	}
}

// BenchmarkLab pushes a change to twenty real hosts: fwpush, the floor, ssh with the same two
// programs, and a playbook. The playbook knows nothing of what fwpush keeps on a host and has hosts
// of its own.
func BenchmarkLab(b *testing.B) {
	const n = 20
	ours, theirs := startFleet(b, "web", n), startFleet(b, "play", n)
	jobs := ours.floorJobs(b)
	ours.stageShell(b, jobs)
	theirs.stageAnsible(b, jobs)
	execs := [2]func() int64{ours.execs(b), theirs.execs(b)}
	of := arena{hosts: n, execs: func() int64 { return execs[0]() + execs[1]() }}.compare(b,
		contender{"fwpush", func() *exec.Cmd { return ours.apply(b) }},
		contender{"floor", func() *exec.Cmd { return ours.floor(b, jobs) }},
		contender{"ssh with xargs", func() *exec.Cmd { return ours.xargs(b) }},
		contender{"Ansible", func() *exec.Cmd { return theirs.ansible(b) }})
	b.ReportMetric(of["fwpush"].against(of["floor"]), "fwpush/floor")
	b.ReportMetric(of["ssh with xargs"].against(of["fwpush"]), "xargs/fwpush")
	b.ReportMetric(of["Ansible"].against(of["fwpush"]), "Ansible/fwpush")
}

// BenchmarkUnchanged looks at twenty real hosts that run what the file says, beside the floor that
// opens one connection and hears what the first program finds.
func BenchmarkUnchanged(b *testing.B) {
	const n = 20
	f := startFleet(b, "web", n)
	jobs := f.floorJobs(b)
	arena{hosts: n, execs: f.execs(b)}.unchanged(b, f, jobs)
}

// unchanged compares the verbs that look with the floor. The hosts have the ruleset that is not
// next.
func (a arena) unchanged(b *testing.B, f *labFleet, jobs [2]job, args ...string) {
	b.Helper()
	file := fmt.Sprintf("fleet%d.toml", 1-f.next)
	look := jobs[1-f.next]
	look.Look = true
	verb := func(words ...string) func() *exec.Cmd {
		return func() *exec.Cmd {
			return f.command(b, program("fwpush"), append(append(words, "-i", file), args...)...)
		}
	}
	of := a.compare(b,
		contender{"diff", verb("diff")},
		contender{"apply", verb("apply", "-y", "-q")},
		contender{"floor", func() *exec.Cmd { return f.give(b, look) }})
	b.ReportMetric(of["diff"].against(of["floor"]), "diff/floor")
	b.ReportMetric(of["apply"].against(of["floor"]), "apply/floor")
}

// BenchmarkSets changes one prefix of the 10,000 in a set that rules name, on one real host.
func BenchmarkSets(b *testing.B) {
	f := startFleet(b, "set", 1)
	f.prefixes = 10_000
	for ruleset := range 2 {
		f.write(b, fmt.Sprintf("fleet%d.toml", ruleset), f.text(ruleset))
	}
	jobs := f.floorJobs(b)
	of := arena{hosts: 1, execs: f.execs(b)}.compare(b,
		contender{"fwpush", func() *exec.Cmd { return f.apply(b) }},
		contender{"floor", func() *exec.Cmd { return f.floor(b, jobs) }})
	b.ReportMetric(of["fwpush"].against(of["floor"]), "fwpush/floor")
}
