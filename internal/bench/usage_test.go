package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usage is what one run of a program took.
type usage struct {
	wall, cpu   time.Duration // cpu is that of the program and of what it started, here
	memory      int64         // the most that the program had of it at one time, in KiB
	connections int64         // TCP connections that were opened from here
	execs       int64         // commands that hosts were asked to run
	sent, heard int64         // TCP/IP bytes, of this network namespace
	forks       int64         // processes that were started on the machine, so mostly on hosts
}

// measure runs a program, which has to succeed.
func measure(b *testing.B, cmd *exec.Cmd) usage {
	b.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	before := counters(b)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	peak := make(chan int64, 1)
	go func() { peak <- watchMemory(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	wall := time.Since(began)
	close(ended)
	after := counters(b)
	if err != nil {
		b.Fatalf("%s: %v\n%s", cmd, err, out.String())
	}
	return usage{
		wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), memory: <-peak,
		connections: after.connections - before.connections, sent: after.sent - before.sent,
		heard: after.heard - before.heard, forks: after.forks - before.forks,
	}
}

// watchMemory is the peak of what a process had of memory, as of the last look at it. getrusage(2)
// would count what this process had when it started the other.
func watchMemory(pid int, ended <-chan struct{}) (peak int64) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // none when it is gone
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			if n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				peak = n
			}
		}
		select {
		case <-look.C:
		case <-ended:
			return peak
		}
	}
}

// counters are those of the kernel: of TCP in this network namespace (RFC 4022 names them) and of
// processes on the machine, as proc(5) tells them.
func counters(b *testing.B) usage {
	b.Helper()
	return usage{
		connections: field(b, "/proc/self/net/snmp", "Tcp:", "ActiveOpens"),
		sent:        field(b, "/proc/self/net/netstat", "IpExt:", "OutOctets"),
		heard:       field(b, "/proc/self/net/netstat", "IpExt:", "InOctets"),
		forks:       field(b, "/proc/stat", "processes", ""),
	}
}

// field is a number of a file with lines of names above lines of values; of a line with one number
// where name is "".
func field(b *testing.B, file, line, name string) int64 {
	b.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	column := -1
	for text := range strings.Lines(string(data)) {
		words := strings.Fields(text)
		if len(words) == 0 || words[0] != line {
			continue
		}
		switch {
		case name == "":
			column = 1
		case column < 0:
			column = slices.Index(words, name)
			continue
		}
		n, err := strconv.ParseInt(words[column], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	b.Fatalf("%s has no %s %s", file, line, name)
	return 0
}

// runs are what rounds of one contender took.
type runs []usage

// median is the middle one of a figure.
func (r runs) median(of func(usage) float64) float64 {
	list := make([]float64, len(r))
	for i, u := range r {
		list[i] = of(u)
	}
	return median(list)
}

func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// against is the middle one of the ratios of wall time, round by round: what two contenders took
// right after each other.
func (r runs) against(other runs) float64 {
	list := make([]float64, len(r))
	for i := range r {
		list[i] = r[i].wall.Seconds() / other[i].wall.Seconds()
	}
	return median(list)
}
