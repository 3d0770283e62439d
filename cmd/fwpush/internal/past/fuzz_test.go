package past_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"fwpush/cmd/fwpush/internal/past"
	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/journal"
	"fwpush/internal/ui"
)

// FuzzHistory: whatever stands in the record of a run, history and history show print nothing that a
// terminal acts on, as text and as JSON, and every host of the record is in what they print.
func FuzzHistory(f *testing.F) {
	const run = "20261122T143055Z-7f3c91ab"
	const first = `{"at":"2026-11-22T14:30:55.001Z","event":"run","schema":1,"run":"` + run + `","command":"apply","who":"alice","fleet":"prod","hosts":[{"host":"a"},{"host":"b\u001b]0;x\u0007"}]}` + "\n"
	f.Add(true, []byte(`{"at":"2026-11-22T14:30:56Z","event":"ended","host":"a","outcome":"confirmed","digest":"sha256:7d9e0001"}`+"\n"+`{"event":"done","exit":3,"line":"\u009b31m"}`+"\n"))
	f.Add(true, []byte(`{"event":"applied","host":"a","deadline":"9999-12-31T23:59:59+23:59"}`+"\n"+`{"event":"proved","host":"a","client":"[::1]:1","seconds_left":1e308,"probes":["\u202e"],"timers":-1}`+"\n"))
	f.Add(true, []byte(`{"event":"decision","decision":"commit","hosts":[{"host":"a","tx":"1"}]}`+"\n"+`{"event":"stopped","why":"\n\n","hosts":["a",""]}`+"\n{"))
	f.Add(true, []byte(`{"event":"wave","wave":-9,"name":"\u0000"}`+"\n"+`{"event":"again","command":"x","who":"y"}`+"\n"+`{"event":"ended","host":"web1","error":"\r\t\u2028","notes":["\u001b"]}`+"\n"))
	f.Add(false, []byte("{"))
	dir := f.TempDir()
	file := filepath.Join(dir, "runs", run, "events.jsonl")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		f.Fatal(err)
	}
	store, err := journal.Open(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header bool, text []byte) {
		if header {
			text = append([]byte(first), text...)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var entries []past.Entry
		for sum, err := range store.Runs() {
			entries = append(entries, past.EntryOf(sum, err))
		}
		if len(entries) != 1 {
			t.Fatalf("%d runs", len(entries))
		}
		var out bytes.Buffer
		if err := past.WriteHistory(&out, ui.Colour{}, entries); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
		printable(t, out.String())
		reads(t, past.History{Runs: entries})
		record, err := store.Load(run)
		if err != nil {
			if entries[0].State != "unreadable" {
				t.Errorf("listed, and cannot be shown: %v", err)
			}
			return
		}
		out.Reset()
		if err := past.WriteRecord(&out, ui.Colour{}, record, report.Typing{}); err != nil {
			t.Fatal(err)
		}
		printable(t, out.String())
		shown := past.RecordOf(record)
		for i, h := range record.Hosts {
			if shown.Hosts[i].Name != h.Name || shown.Hosts[i].Outcome != h.Outcome() {
				t.Errorf("%+v is shown as %+v", h, shown.Hosts[i])
			}
		}
		reads(t, past.Shown{Record: &shown})
	})
}

func printable(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Fatalf("%q, at %d", text, i)
	}
}

// reads: an object is written safely, and a program reads the same.
func reads[T any](t *testing.T, v T) {
	t.Helper()
	var out, again bytes.Buffer
	if err := ui.WriteJSON(&out, v); err != nil {
		t.Fatal(err)
	}
	printable(t, out.String())
	var back T
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if err := ui.WriteJSON(&again, back); err != nil || again.String() != out.String() {
		t.Fatalf("%v: read\n%s\nof\n%s", err, again.String(), out.String())
	}
}
