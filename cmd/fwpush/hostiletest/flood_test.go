package hostiletest

import (
	"io"
	"sync"
	"testing"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// floods are ways to send without end. Each takes the whole of what one command may send.
var floods = map[string]func(h *hijack, line string){
	"a section": func(h *hijack, _ string) {
		h.tell("section running")
		flood(h.out, "\t\ttcp dport 22 accept comment \"x\"\n")
	},
	"sections":    func(h *hijack, _ string) { flood(h.out, h.mark+" section running\n"+"table inet fwpush {\n}\n") },
	"words":       func(h *hijack, _ string) { flood(h.out, h.mark+" home "+evil+"\n") },
	"a banner":    func(h *hijack, _ string) { flood(h.out, evil+"\n") },
	"stderr":      func(h *hijack, _ string) { flood(h.x.Stderr, evil+"\n") },
	"one line":    func(h *hijack, _ string) { flood(h.out, "x") },
	"empty lines": func(h *hijack, _ string) { flood(h.out, "\n") },
	"both": func(h *hijack, _ string) {
		var stderr sync.WaitGroup
		stderr.Go(func() { flood(h.x.Stderr, evil+"\n") })
		flood(h.out, h.mark+" host x\n")
		stderr.Wait()
	},
	"JSON of nft": func(h *hijack, _ string) {
		h.tell("section foreign")
		io.WriteString(h.out, "#: nft\n{\"nftables\":[\n")
		flood(h.out, "{\"rule\":{\"family\":\"ip\",\"table\":\"a\",\"chain\":\"b\",\"expr\":[]}},\n")
	},
}

// each is what fwpush may have of memory for a host that floods it: what it takes of one command,
// and as much again for what it makes of that. base is what it has without.
const each, base = 32 << 20, 64 << 20

// TestHostileFlood: hosts flood at once, in each way. What fwpush has of memory is bounded by what
// one command may send and by how many hosts are asked at a time, and two honest hosts are told of.
func TestHostileFlood(t *testing.T) { flooded(t, len(floods)) }

func flooded(t *testing.T, hosts int) {
	f := newFleet(t, 2+hosts, simhost.Options{})
	f.window = 20 * time.Second
	f.write()
	f.push()
	names := sorted(floods)
	for i := range hosts {
		do := floods[names[i%len(names)]]
		f.sim.Host(2 + i).SetFaults(simhost.Faults{Command: func(_ simhost.Program, x *sshtest.Exec, _ func() sshtest.Exit) sshtest.Exit {
			do(&hijack{x: x, out: x.Stdout, mark: markOf(x.Command)}, "")
			return sshtest.Exit{}
		}})
	}
	told, e := f.json(2*time.Minute, "status", "--forks", "52")
	t.Logf("%d hosts in %s, %d MiB", hosts, e.took, e.rss>>20)
	if most := int64(base + hosts*each); e.rss > most {
		t.Errorf("%d MiB, more than %d", e.rss>>20, most>>20)
	}
	for _, name := range f.names[:2] {
		if h := told[name]; h.Outcome != "ok" {
			t.Errorf("%s is honest: %+v", name, h)
		}
	}
}
