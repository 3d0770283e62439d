package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"fwpush/internal/simhost"
)

// envServe makes the test binary a fleet of so many simulated hosts, and nothing else: what they
// take of the processor and of memory is not the controller's.
const envServe = "FWPUSH_BENCH_SERVE"

// simFleet is what a controller has to know of such a fleet.
type simFleet struct {
	Identity, KnownHosts string
	Controller           string
	Port                 uint16
	Addresses            []string
}

// simCounts is what was asked of it so far, and what its first host runs.
type simCounts struct {
	Connections, Execs int
	Running            string
}

// serve is the other process: it describes its fleet, answers each line with counts, and ends with
// its standard input. It is a benchmark because only a test has simulated hosts.
func serve(hosts string) int {
	n, err := strconv.Atoi(hosts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := false
	testing.Benchmark(func(b *testing.B) {
		if ended {
			return // once is enough, and no figure comes of it
		}
		ended = true
		f := simhost.New(b, n, simhost.Options{RoundTrip: roundTrip})
		to := json.NewEncoder(os.Stdout)
		first := f.Endpoint(0)
		said := simFleet{Identity: first.Identity[0], KnownHosts: first.KnownHosts[0], Controller: f.Controller().String(), Port: first.Port}
		for i := range n {
			said.Addresses = append(said.Addresses, f.Endpoint(i).Address)
		}
		if err := to.Encode(said); err != nil {
			b.Fatal(err)
		}
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			counts := simCounts{Connections: f.Connections(), Running: f.Host(0).Running()}
			for i := range n {
				counts.Execs += f.Host(i).Counts().Execs
			}
			if err := to.Encode(counts); err != nil {
				b.Fatal(err)
			}
		}
	})
	return 0
}

// server is a running fleet.
type server struct {
	simFleet
	ask  func() simCounts
	stop func()
}

func startServer(b *testing.B, n int) *server {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", envServe, n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &server{stop: func() { in.Close(); cmd.Wait() }}
	from := json.NewDecoder(out)
	if err := from.Decode(&s.simFleet); err != nil {
		s.stop()
		b.Fatalf("the fleet did not start: %v", err)
	}
	s.ask = func() (counts simCounts) {
		if _, err := fmt.Fprintln(in); err != nil {
			b.Fatal(err)
		}
		if err := from.Decode(&counts); err != nil {
			b.Fatal(err)
		}
		return counts
	}
	return s
}
