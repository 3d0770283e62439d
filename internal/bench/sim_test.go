package bench

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/render"
)

// roundTrip is between the controller and simulated hosts.
const roundTrip = 50 * time.Millisecond

// simText is a fleet file for simulated hosts.
func (s *server) simText(ruleset int) string {
	var t strings.Builder
	fmt.Fprintf(&t, `version = 1
fleet = "bench"

[defaults]
roles = ["base"]
ssh = { user = "root", become = "none", port = %d, identity = %q, known_hosts = %q }

[management]
from = [%q]

[sets.office]
addresses = ["198.51.100.0/24", "203.0.113.0/25", "2001:db8:1::/48"]

[roles.app]
in = [ { allow = ["tcp/%d", "ping"], from = "set:office" } ]
`, s.Port, s.Identity, s.KnownHosts, s.Controller, 8000+ruleset)
	for i, a := range s.Addresses {
		fmt.Fprintf(&t, "\n[hosts.web%05d]\nroles = [\"web\", \"app\"]\naddresses = [%q]\n", i+1, a)
	}
	return t.String()
}

// simulated is n simulated hosts that were pushed to once, with what a labFleet has of files.
func simulated(b *testing.B, n int) (*server, *labFleet) {
	b.Helper()
	s := startServer(b, n)
	b.Cleanup(s.stop)
	f := &labFleet{dir: b.TempDir()}
	for ruleset := range 2 {
		f.write(b, fmt.Sprintf("fleet%d.toml", ruleset), s.simText(ruleset))
	}
	return s, f
}

// simJobs are the jobs of the floor, which push either ruleset over the other. Every host has the same
// rules.
func (s *server) simJobs(b *testing.B, f *labFleet, forks int) (jobs [2]job) {
	b.Helper()
	texts := commit.HostTexts()
	version, err := render.ParseVersion("nftables v1.0.6 (Lester Gooch #5)")
	if err != nil {
		b.Fatal(err)
	}
	layouts := [len(jobs)]render.Layout{}
	for ruleset := range jobs {
		measure(b, f.apply(b, "--forks", fmt.Sprint(forks), "-q"))
		out, err := f.command(b, program("fwpush"), "render", "-i", fmt.Sprintf("fleet%d.toml", ruleset), "web00001").Output()
		if err != nil {
			b.Fatal(err)
		}
		if layouts[ruleset], err = render.ParseLayout(s.ask().Running); err != nil {
			b.Fatal(err)
		}
		j := job{Forks: forks, User: "root", Identity: s.Identity, KnownHosts: s.KnownHosts,
			Begin: texts.Begin, Finish: texts.Finish, Window: 120, Revert: texts.Revert}
		for i, a := range s.Addresses {
			j.Hosts = append(j.Hosts, jobHost{Addr: fmt.Sprintf("%s:%d", a, s.Port), Owner: fmt.Sprintf("1 bench web%05d 0123456789abcdef0123456789abcdef", i+1),
				Rules: string(out), Policy: "{}\n"})
		}
		jobs[ruleset] = j
	}
	for ruleset, j := range jobs {
		kept, _ := render.LoadForm(render.Ruleset{Text: j.Hosts[0].Rules}, layouts[1-ruleset], version)
		for i := range j.Hosts {
			j.Hosts[i].Kept = kept
		}
	}
	return jobs
}

// sizes are of simulated fleets.
var sizes = []int{1, 100, 1000, 10_000}

// simForks is how many hosts are under way at a time.
const simForks = 500

// BenchmarkSimulated pushes a change to simulated hosts, 50 ms away, beside the floor.
func BenchmarkSimulated(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			s, f := simulated(b, n)
			jobs := s.simJobs(b, f, simForks)
			of := s.arena().compare(b,
				contender{"fwpush", func() *exec.Cmd { return f.apply(b, "--forks", fmt.Sprint(simForks), "-q") }},
				contender{"floor", func() *exec.Cmd { return f.floor(b, jobs) }})
			b.ReportMetric(of["fwpush"].against(of["floor"]), "fwpush/floor")
		})
	}
}

// BenchmarkSimulatedUnchanged looks at such a fleet.
func BenchmarkSimulatedUnchanged(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			s, f := simulated(b, n)
			jobs := s.simJobs(b, f, simForks)
			s.arena().unchanged(b, f, jobs, "--forks", fmt.Sprint(simForks))
		})
	}
}

func (s *server) arena() arena {
	return arena{hosts: len(s.Addresses), near: true, execs: func() int64 { return int64(s.ask().Execs) }}
}
