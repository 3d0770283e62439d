package past_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/cmd/fwpush/internal/past"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/journal"
	"fwpush/internal/ui"
)

func record(hosts ...journal.HostRecord) journal.Record {
	return journal.Record{
		Header: journal.Header{Run: "20261122T143055Z-7f3c91ab", Command: "apply", Who: "alice", From: "alice", Fleet: "prod", File: "/fleet.toml"},
		Began:  time.Date(2026, 11, 22, 14, 30, 55, 0, time.UTC), State: journal.Died, Hosts: hosts,
	}
}

func host(name string, end *journal.Ended) journal.HostRecord {
	return journal.HostRecord{Host: journal.Host{Name: name, Wave: 1, Digest: "sha256:7d9e0001"}, Begun: true, Ended: end}
}

// text is what a record prints of its hosts.
func text(t *testing.T, r journal.Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := past.WriteRecord(&b, ui.Colour{}, r, report.Typing{Fleet: []string{"-i", "/srv/fleet.toml"}, Given: []string{"--state-dir", "my state"}}); err != nil {
		t.Fatal(err)
	}
	_, hosts, _ := strings.Cut(b.String(), "\n\n")
	return hosts
}

// A thousand hosts with one story are one row; each has its own port and its own second.
func TestHostsWithTheSameStoryAreFolded(t *testing.T) {
	var hosts []journal.HostRecord
	for i := range 1000 {
		h := host(fmt.Sprintf("web%04d", i), &journal.Ended{Outcome: "confirmed", Digest: "sha256:7d9e0001", Previous: "sha256:41b00001",
			Seconds: float64(i), Connections: 2})
		h.Deadline = time.Unix(int64(i), 0)
		h.Proved = &journal.Proved{Client: fmt.Sprintf("[2001:db8::1]:%d", 40000+i), Server: fmt.Sprintf("10.0.%d.%d:22", i/250, i%250), Timers: 2, Left: float64(i)}
		hosts = append(hosts, h)
	}
	hosts[7].Proved.Timers = 1
	got := text(t, record(hosts...))
	want := `OUTCOME    WAVE  HOSTS                         RULES
confirmed  1     web[0000-0006,0008-0999] (999)  41b0… → 7d9e…  a fresh connection from 2001:db8::1 with 2 timers armed
confirmed  1     web0007 (1)                   41b0… → 7d9e…  a fresh connection from [2001:db8::1]:40007 to 10.0.0.7:22 with 1 timer armed, 7s before the revert
`
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestWhatToTypeNext(t *testing.T) {
	end := func(outcome string) *journal.Ended { return &journal.Ended{Outcome: outcome} }
	decided := host("web1", nil)
	decided.Decision = journal.Commit
	untouched := host("web1", nil)
	untouched.Begun = false
	const run = "20261122T143055Z-7f3c91ab"
	for _, tt := range []struct {
		name, command string
		host          journal.HostRecord
		want          string
	}{
		{"confirmed", "apply", host("web1", end("confirmed")), ""},
		{"decided, not told", "apply", decided, "next: fwpush confirm " + run + " -l web1 --state-dir 'my state'\n"},
		{"in flight", "apply", host("web1", nil), "next: fwpush status -l web1 -i /srv/fleet.toml --state-dir 'my state'\n"},
		{"pending", "apply", host("web1", end("pending")), "next: fwpush status -l web1 -i /srv/fleet.toml --state-dir 'my state'\n"},
		{"unknown", "apply", host("web1", end("unknown")), "next: fwpush status -l web1 -i /srv/fleet.toml --state-dir 'my state'\n"},
		{"not begun", "apply", untouched, "next: fwpush apply --resume " + run + " --state-dir 'my state'\n"},
		{"skipped", "apply", host("web1", end("skipped")), "next: fwpush apply --resume " + run + " --state-dir 'my state'\n"},
		{"unreachable", "remove", host("web1", end("unreachable")), ""},
		{"failed", "apply", host("web1", end("failed")), "next: fwpush apply --resume " + run + " --state-dir 'my state'\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := record(tt.host)
			r.Command = tt.command
			_, got, _ := strings.Cut(text(t, r), "web1 (1)")
			_, got, _ = strings.Cut(got, "\n")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			r.State = journal.Running
			if strings.Contains(text(t, r), "next:") {
				t.Error("somebody is sent to do what a run is about to do")
			}
		})
	}
}

func TestCounts(t *testing.T) {
	h := journal.Header{Run: "r", Command: "apply"}
	var b bytes.Buffer
	err := past.WriteHistory(&b, ui.Colour{}, []past.Entry{past.EntryOf(journal.Summary{Header: h, State: journal.Running,
		Outcomes: map[string]int{"unknown": 1, "confirmed": 18, "": 2, "teleported\x1b": 3, "unchanged": 4}}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	want := "18 confirmed, 4 unchanged, 1 unknown, 3 teleported\\x1b, 2 not ended  running\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// Nonce and seal finish a transaction: they stay in the file.
func TestNoSecretsAreShown(t *testing.T) {
	h := host("web1", nil)
	h.Decision, h.Decided = journal.Commit, journal.Decided{Host: "web1", TX: "tx1", Nonce: "s3cr3t", Seal: "s3cr3t"}
	j, err := json.Marshal(past.RecordOf(record(h)))
	if err != nil {
		t.Fatal(err)
	}
	if all := string(j) + text(t, record(h)); strings.Contains(all, "s3cr3t") || !strings.Contains(all, "tx1") {
		t.Errorf("shown is %s", all)
	}
}
