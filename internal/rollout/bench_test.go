package rollout

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/simhost"
	"fwpush/inventory"
	"fwpush/render"
)

// BenchmarkApply takes a thousand simulated hosts through their first push, and through
// one that changes nothing. Connections and executions a host are what it is about, and
// what of memory stays at the end; the time is that of the simulated hosts, too.
func BenchmarkApply(b *testing.B) {
	const n = 1000
	f := simhost.New(b, n, simhost.Options{})
	var port uint16
	for _, changed := range []bool{true, false} {
		b.Run(fmt.Sprintf("changed=%t", changed), func(b *testing.B) {
			for b.Loop() {
				if changed {
					port++
				}
				targets := benchTargets(b, f, port)
				o := Options{Dialer: dialer(), Forks: 50}
				connections := f.Connections()
				results := Apply(b.Context(), targets, o)
				want := commit.OutcomeUnchanged
				if changed {
					want = commit.OutcomeConfirmed
				}
				for _, r := range results {
					if r.Outcome != want {
						b.Fatalf("%s is %s: %v", r.Name, r.Outcome, r.Err)
					}
				}
				b.ReportMetric(float64(f.Connections()-connections)/n, "connections/host")
			}
			runtime.GC()
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			b.ReportMetric(float64(mem.HeapAlloc)/n, "heap-bytes/host")
		})
	}
}

func benchTargets(b *testing.B, f *simhost.Fleet, port uint16) []Target {
	b.Helper()
	targets := make([]Target, f.Len())
	for i := range targets {
		h := f.Host(i)
		p := policy(h.Name(), f.Controller(), 8000+port)
		p.Management.Ports = []uint16{h.Addr().Port()}
		rules, err := render.Nftables(p)
		if err != nil {
			b.Fatal(err)
		}
		targets[i] = Target{
			Host: inventory.Host{Name: p.Host, SSH: f.Endpoint(i)}, Policy: p,
			Candidate: commit.Candidate{Rules: rules, Window: time.Minute,
				Stamp: commit.Stamp{Run: "20260102T030405Z-00000001", Fleet: "lab", Host: p.Host, Actor: "tester"}},
		}
	}
	return targets
}
