package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

// every is each event once, with secrets where there are some.
func every() []Event {
	deadline := time.Date(2026, 11, 22, 15, 34, 0, 5e8, time.FixedZone("", 3600))
	return []Event{
		Wave{Number: 1, Name: "canary", Hosts: []string{"web1", "web2"}},
		Applying{Wave: 1, Hosts: []string{"web1", "web2"}},
		Applied{Host: "web1", Deadline: deadline},
		Proved{Host: "web1", Client: "192.0.2.10:51514", Server: "192.0.2.1:22", Timers: 2, Left: 96, Probes: []string{"tcp 443 ok"}},
		Extended{Host: "web1", Deadline: deadline.Add(time.Minute)},
		Decision{Decision: Commit, Wave: 1, Hosts: []Decided{{Host: "web1", TX: "tx1", Nonce: "n0nce", Seal: "sea1"}}},
		Ended{Host: "web1", Outcome: "confirmed", Digest: "sha256:new", Previous: "sha256:old", Connections: 2, Execs: 2, Seconds: 0.81},
		Ended{Host: "web2", Outcome: "failed", Stage: "arm", Error: "no timer\x1b[2J\u202e", Hint: "start atd", Notes: []string{"skewed"}},
		Stopped{Why: "budget", Hosts: []string{"web2"}},
		Interrupted{Count: 1},
	}
}

const everyLine = `{"at":"2026-11-22T14:30:55.001Z","event":"run","schema":1,"run":"20261122T143055Z-7f3c91ab","command":"apply","who":"alice@laptop","from":"alice@laptop","pid":4711,"version":"v1.2.3","fleet":"prod","file":"/srv/fleet.toml","digest":"sha256:f1ee","git_commit":"c0ffee+dirty","options":{"canary":"1"}}
{"at":"2026-11-22T14:30:55.001Z","event":"target","host":"web1","wave":1,"digest":"sha256:new-web1","ssh":{"address":"192.0.2.1","port":22,"user":"root","become":"none"}}
{"at":"2026-11-22T14:30:55.001Z","event":"target","host":"web2","wave":1,"digest":"sha256:new-web2","ssh":{"address":"192.0.2.2","port":22,"user":"root","become":"none"}}
{"at":"2026-11-22T14:30:55.003Z","event":"wave","wave":1,"name":"canary","hosts":["web1","web2"]}
{"at":"2026-11-22T14:30:55.004Z","event":"applying","wave":1,"hosts":["web1","web2"]}
{"at":"2026-11-22T14:30:55.005Z","event":"applied","host":"web1","deadline":"2026-11-22T14:34:00Z"}
{"at":"2026-11-22T14:30:55.006Z","event":"proved","host":"web1","client":"192.0.2.10:51514","server":"192.0.2.1:22","timers":2,"seconds_left":96,"probes":["tcp 443 ok"]}
{"at":"2026-11-22T14:30:55.007Z","event":"extended","host":"web1","deadline":"2026-11-22T14:35:00Z"}
{"at":"2026-11-22T14:30:55.008Z","event":"decision","decision":"commit","wave":1,"hosts":[{"host":"web1","tx":"tx1"SECRET}]}
{"at":"2026-11-22T14:30:55.009Z","event":"ended","host":"web1","outcome":"confirmed","stage":"","error":"","hint":"","digest":"sha256:new","previous":"sha256:old","connections":2,"execs":2,"seconds":0.81,"drift":false}
{"at":"2026-11-22T14:30:55.010Z","event":"ended","host":"web2","outcome":"failed","stage":"arm","error":"no timer\u001b[2J\u202e","hint":"start atd","digest":"","previous":"","connections":0,"execs":0,"seconds":0,"drift":false,"notes":["skewed"]}
{"at":"2026-11-22T14:30:55.011Z","event":"stopped","why":"budget","hosts":["web2"]}
{"at":"2026-11-22T14:30:55.012Z","event":"interrupted","count":1}
{"at":"2026-11-22T14:30:55.013Z","event":"done","exit":3,"line":"exit 3: 1 host failed: web2","outcomes":{"confirmed":1,"failed":1}}
`

// The format of the file, and of --events, is a contract: docs/journal.md.
func TestTheLinesOfARun(t *testing.T) {
	s := newStore(t)
	var events bytes.Buffer
	s.Events = &events
	r := begin(t, s, header(aRun, "web1", "web2"))
	write(t, r, every()...)
	if err := r.Finish(Done{Exit: 3, Line: "exit 3: 1 host failed: web2"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(s.dir, eventsOf(aRun)))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(everyLine, "SECRET", `,"nonce":"n0nce","seal":"sea1"`, 1); string(got) != want {
		t.Errorf("in the file:\n%s\nwant:\n%s", got, want)
	}
	if want := strings.Replace(everyLine, "SECRET", "", 1); events.String() != want {
		t.Errorf("to --events:\n%s\nwant:\n%s", events.String(), want)
	}
	if strings.ContainsFunc(string(got), func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
		t.Error("a terminal could act on the file")
	}
}

func TestLoad(t *testing.T) {
	s := newStore(t)
	r := begin(t, s, header(aRun, "web1", "web2", "web3"))
	write(t, r, every()...)
	if state := loadRun(t, s, aRun).State; state != Running {
		t.Errorf("the run is %s", state)
	}
	if err := r.Finish(Done{Exit: 3, Line: "exit 3"}); err != nil {
		t.Fatal(err)
	}
	got := loadRun(t, s, aRun)
	if got.State != Finished || got.Done == nil || got.Done.Exit != 3 || got.Damaged != 0 || got.Lost != 0 || got.Broken != 1 ||
		!got.Began.Equal(began().Add(time.Millisecond)) || got.Ended.Sub(got.Began) != 12*time.Millisecond {
		t.Errorf("got %+v", got)
	}
	if got.Who != "alice@laptop" || got.Options["canary"] != "1" || len(got.Waves) != 1 || got.Waves[0].Name != "canary" || len(got.Stops) != 1 {
		t.Errorf("got %+v", got)
	}
	if len(got.Hosts) != 3 {
		t.Fatalf("got %+v", got.Hosts)
	}
	web1, web3 := got.Hosts[0], got.Hosts[2]
	if web1.Outcome() != "confirmed" || !web1.Begun || web1.Decision != Commit || web1.Proved.Timers != 2 || web1.SSH.Address != "192.0.2.1" ||
		!web1.Deadline.Equal(time.Date(2026, 11, 22, 14, 35, 0, 0, time.UTC)) ||
		web1.Decided != (Decided{Host: "web1", TX: "tx1", Nonce: "n0nce", Seal: "sea1"}) {
		t.Errorf("got %+v", web1)
	}
	if web3.Outcome() != "" || web3.Begun || web3.Ended != nil || !web3.Deadline.IsZero() || web3.Decision != "" {
		t.Errorf("got %+v", web3)
	}
}

func TestBeginRefuses(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"", "..", "20261122T143055Z-7f3c91ab/..", "20261122T143055Z-7F3C91AB"} {
		_, err := s.Begin(header(id))
		wantError(t, err, "not the id of a run")
	}
	if err := begin(t, s, header(aRun)).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Begin(header(aRun))
	if !errors.Is(err, os.ErrExist) {
		t.Errorf("a second run of that name: %v", err)
	}
	huge := header("20261122T143056Z-00000000")
	huge.File = strings.Repeat("x", maxLine)
	_, err = s.Begin(huge)
	wantError(t, err, "at most")
	if names, _ := filepath.Glob(filepath.Join(s.dir, runsDir, "*")); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// hang is a controller that is in the middle of a run.
func hang(dir, run string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	r, err := s.Begin(header(run, "web1", "web2"))
	if err != nil {
		return err
	}
	for _, e := range every()[:6] {
		if err := r.Write(e); err != nil {
			return err
		}
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestAControllerThatDies(t *testing.T) {
	s := newStore(t)
	cmd, out := controller(t, "hang", s.dir, aRun)
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if got := loadRun(t, s, aRun); got.State != Running {
		t.Errorf("it is %s while its controller lives", got.State)
	}
	_, err := s.Resume(aRun, Again{Command: "confirm"})
	wantError(t, err, "goes on in another fwpush")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	got := loadRun(t, s, aRun)
	if got.State != Died || got.Done != nil || !got.Hosts[1].Begun || got.Hosts[0].Outcome() != "" || got.Hosts[0].Decided.Seal != "sea1" {
		t.Errorf("got %+v", got)
	}
	// And died in the middle of a line.
	path := filepath.Join(s.dir, eventsOf(aRun))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"at":"2026`...), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resume(aRun, Again{Command: "confirm", Who: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if got := loadRun(t, s, aRun); got.State != Running {
		t.Errorf("it is %s while it is confirmed", got.State)
	}
	write(t, r, Ended{Host: "web1", Outcome: "confirmed", Digest: "sha256:new"}, Ended{Host: "web2", Outcome: "reverted"})
	if err := r.Finish(Done{Exit: 3}); err != nil {
		t.Fatal(err)
	}
	got = loadRun(t, s, aRun)
	if got.State != Finished || got.Damaged != 0 || len(got.Again) != 1 || got.Again[0].Who != "bob" || got.Hosts[0].Outcome() != "confirmed" {
		t.Errorf("got %+v", got)
	}
	if hosts, err := s.Hosts("prod"); err != nil || len(hosts) != 1 || hosts["web1"].Digest != "sha256:new" {
		t.Errorf("known are %+v, %v", hosts, err)
	}
}

func TestNothingIsWrittenAfterTheEnd(t *testing.T) {
	s := newStore(t)
	r := begin(t, s, header(aRun, "web1"))
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(Interrupted{}); !errors.Is(err, errOver) {
		t.Errorf("Write: %v", err)
	}
	if err := r.Sync(); !errors.Is(err, errOver) {
		t.Errorf("Sync: %v", err)
	}
	if err := r.Finish(Done{Exit: 5}); !errors.Is(err, errOver) {
		t.Errorf("Finish: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got := loadRun(t, s, aRun); got.Done.Exit != 0 {
		t.Errorf("got %+v", got.Done)
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	s := newStore(t)
	var events bytes.Buffer
	s.Events = &events
	r := begin(t, s, header(aRun, "web1"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if err := errors.Join(r.Write(Interrupted{Count: 1}), r.Sync()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	if got := loadRun(t, s, aRun); got.Broken != 800 || got.Damaged != 0 {
		t.Errorf("%d of 800 lines, %d damaged", got.Broken, got.Damaged)
	}
	if n := strings.Count(events.String(), `"interrupted"`); n != 800 {
		t.Errorf("%d of 800 lines to --events", n)
	}
}

// What hosts say is kept in bounds, so that how they ended is always kept.
func TestLongTextsAreCut(t *testing.T) {
	s := newStore(t)
	r := begin(t, s, header(aRun, "web1"))
	long := strings.Repeat("é\x1b", maxLine)
	notes := make([]string, 1000)
	for i := range notes {
		notes[i] = long
	}
	write(t, r, Ended{Host: "web1", Outcome: "failed", Error: long, Hint: long, Notes: notes})
	if err := r.Finish(Done{Exit: 3, Line: long}); err != nil {
		t.Fatal(err)
	}
	got := loadRun(t, s, aRun)
	if got.Hosts[0].Outcome() != "failed" || len(got.Hosts[0].Ended.Notes) != maxNotes || !strings.HasSuffix(got.Hosts[0].Ended.Error, "…") {
		t.Error("how the host ended is lost")
	}
	for sum, err := range s.Runs() {
		if err != nil || sum.State != Finished || sum.Outcomes["failed"] != 1 {
			t.Errorf("listed as %s, %v, %v", sum.State, sum.Outcomes, err)
		}
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}
