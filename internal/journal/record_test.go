package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const firstOf = `{"at":"2026-11-22T14:30:55.001Z","event":"run","schema":1,"run":"` + aRun + `","command":"apply","fleet":"prod"}` + "\n"

func TestLoadRefuses(t *testing.T) {
	s := newStore(t)
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "it has no first line"},
		{"cut in the first line", firstOf[:40], "it has no first line"},
		{"no JSON", "hello\n", "its first line is not that of a run"},
		{"another event first", `{"at":"2026-11-22T14:30:55Z","event":"done"}` + "\n", "its first line is not that of a run"},
		{"a first line that is too long", strings.Repeat("x", maxLine) + "\n" + firstOf, "its first line is not that of a run"},
		{"newer", strings.Replace(firstOf, `"schema":1`, `"schema":2`, 1), "it was written by a newer fwpush (schema 2, and this one knows 1)"},
		{"another run's", strings.Replace(firstOf, "7f3c91ab", "00000000", 1), `it is the record of run "20261122T143055Z-00000000"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			put(t, s, aRun, tt.text)
			_, err := s.Load(aRun)
			wantError(t, err, tt.want)
			wantError(t, err, aRun)
			for sum, err := range s.Runs() {
				if err == nil || sum.Run != aRun {
					t.Errorf("listed as %+v, %v", sum, err)
				}
			}
		})
	}
	t.Run("huge", func(t *testing.T) {
		put(t, s, aRun, firstOf)
		if err := os.Truncate(filepath.Join(s.dir, eventsOf(aRun)), maxFile+1); err != nil {
			t.Fatal(err)
		}
		_, err := s.Load(aRun)
		wantError(t, err, "268435457 bytes, 268435456 at most")
	})
	t.Run("no file", func(t *testing.T) {
		path := filepath.Join(s.dir, eventsOf(aRun))
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Load(aRun)
		wantError(t, err, "is no file")
	})
	for _, id := range []string{"20261122T143055Z-ffffffff", "../../etc", ""} {
		if _, err := s.Load(id); err == nil {
			t.Errorf("%q is loaded", id)
		} else if checkRun(id) == nil && !errors.Is(err, ErrNoRun) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A link in the state directory leads nowhere outside of it.
func TestLoadFollowsNoLinkOut(t *testing.T) {
	s := newStore(t)
	put(t, s, aRun, firstOf)
	outside := filepath.Join(t.TempDir(), eventFile)
	path := filepath.Join(s.dir, eventsOf(aRun))
	if err := errors.Join(os.Rename(path, outside), os.Symlink(outside, path)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(aRun); err == nil {
		t.Error("a file outside of the state directory is read")
	}
}

func TestLoadTakesWhatItCan(t *testing.T) {
	s := newStore(t)
	const ended = `{"at":"2026-11-22T14:30:56Z","event":"ended","host":"web1","outcome":"confirmed"}` + "\n"
	for _, tt := range []struct {
		name, text string
		damaged    int
		outcome    string
		state      State
	}{
		{"torn in the last line", ended + `{"at":"2026-11-22T14:31:00Z","event":"ended","host":"web1","outc`, 0, "confirmed", Died},
		{"torn done", ended + `{"at":"2026-11-22T14:31:00Z","event":"done","exit":0}`, 0, "confirmed", Died},
		{"an event of the future", ended + `{"at":"2026-11-22T14:31:00Z","event":"teleported","host":7}` + "\n", 0, "confirmed", Died},
		{"a field of the future", strings.Replace(ended, "{", `{"mood":{"a":[1]},`, 1), 0, "confirmed", Died},
		{"garbage", "\x00\xff\n\n[]\n" + ended, 3, "confirmed", Died},
		{"wrong types", `{"at":"2026-11-22T14:31:00Z","event":"ended","host":["web1"]}` + "\n" + `{"at":"yesterday","event":"done"}` + "\n", 2, "", Died},
		{"a long line", ended + strings.Replace(ended, "confirmed", strings.Repeat("x", 3*maxLine), 1), 1, "confirmed", Died},
		{"no host", `{"at":"2026-11-22T14:31:00Z","event":"ended","outcome":"confirmed"}` + "\n", 1, "", Died},
		{"done, and again", ended + `{"at":"2026-11-22T14:31:00Z","event":"done"}` + "\n" + `{"at":"2026-11-22T14:31:00Z","event":"again"}` + "\n", 0, "confirmed", Died},
		{"done", ended + `{"at":"2026-11-22T14:31:00Z","event":"done"}` + "\n", 0, "confirmed", Finished},
	} {
		t.Run(tt.name, func(t *testing.T) {
			put(t, s, aRun, firstOf+tt.text)
			got := loadRun(t, s, aRun)
			outcome := ""
			if len(got.Hosts) > 0 {
				outcome = got.Hosts[0].Outcome()
			}
			if got.Damaged != tt.damaged || outcome != tt.outcome || got.State != tt.state {
				t.Errorf("%d damaged, %q, %s", got.Damaged, outcome, got.State)
			}
			for sum, err := range s.Runs() {
				if err != nil || sum.State != tt.state {
					t.Errorf("listed as %s, %v", sum.State, err)
				}
			}
		})
	}
}

func TestManyHostsAreBounded(t *testing.T) {
	s := newStore(t)
	var b strings.Builder
	b.WriteString(firstOf)
	for i := range maxHosts + 10 {
		fmt.Fprintf(&b, `{"at":"2026-11-22T14:30:56Z","event":"ended","host":"h%d"}`+"\n", i)
	}
	put(t, s, aRun, b.String())
	if got := loadRun(t, s, aRun); len(got.Hosts) != maxHosts || got.Damaged != 10 {
		t.Errorf("%d hosts, %d damaged", len(got.Hosts), got.Damaged)
	}
}

// Whatever a run wrote, and wherever it was cut: what stands in whole lines is known, and
// nothing else.
func TestACutRecordIsTheBeginningOfTheWhole(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"web1", "web2", "web3"}
		path := filepath.Join(s.dir, eventsOf(aRun))
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			rt.Fatal(err)
		}
		r, err := s.Begin(header(aRun, names...))
		if err != nil {
			rt.Fatal(err)
		}
		type step struct {
			size int64
			host string
			end  string
		}
		steps := []step{{r.log.size, "", ""}}
		for range rapid.IntRange(0, 8).Draw(rt, "events") {
			e := Ended{Host: rapid.SampledFrom(names).Draw(rt, "host"), Outcome: rapid.StringN(1, 10, -1).Draw(rt, "outcome"),
				Error: rapid.String().Draw(rt, "error")}
			if !utf8.ValidString(e.Outcome) {
				e.Outcome = "x"
			}
			if err := r.Write(e); err != nil {
				rt.Fatal(err)
			}
			steps = append(steps, step{r.log.size, e.Host, e.Outcome})
		}
		if err := r.Close(); err != nil {
			rt.Fatal(err)
		}
		cut := rapid.Int64Range(steps[0].size, steps[len(steps)-1].size).Draw(rt, "cut")
		if err := os.Truncate(path, cut); err != nil {
			rt.Fatal(err)
		}
		want := map[string]string{}
		for _, st := range steps {
			if st.size <= cut && st.host != "" {
				want[st.host] = st.end
			}
		}
		got, err := s.Load(aRun)
		if err != nil || got.Damaged != 0 || got.State != Died || len(got.Hosts) != 3 {
			rt.Fatalf("%+v, %v", got, err)
		}
		for _, h := range got.Hosts {
			if h.Outcome() != want[h.Name] {
				rt.Errorf("%s ended %q, want %q", h.Name, h.Outcome(), want[h.Name])
			}
		}
	})
}

// What can be read can be gone on with, and what is added then is whole.
func TestGoingOnWithWhatCanBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"whole": everyLine, "garbage": firstOf + "\x00\xff\n{", "torn": firstOf + `{"at":`, "no end": strings.TrimSuffix(everyLine, "\n"),
		"the first line alone": firstOf,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			put(t, s, aRun, text)
			got := loadRun(t, s, aRun)
			r, err := s.Resume(aRun, Again{Command: "confirm"})
			if err != nil {
				t.Fatal(err)
			}
			write(t, r, Ended{Host: "another", Outcome: "confirmed"})
			if err := r.Finish(Done{}); err != nil {
				t.Fatal(err)
			}
			after := loadRun(t, s, aRun)
			if after.State != Finished || after.Damaged != got.Damaged || after.Hosts[len(after.Hosts)-1].Outcome() != "confirmed" {
				t.Errorf("%+v", after)
			}
		})
	}
}

// FuzzRecord reads whatever may stand in a file. Its seeds are short: the fuzzer shortens
// what it finds a byte at a time.
func FuzzRecord(f *testing.F) {
	f.Add(false, []byte("{"))
	f.Add(true, []byte(`{"event":"decision","hosts":[{"host":"a"},{}]}`+"\n"))
	f.Add(true, []byte(`{"event":"ended","host":"a"}`+"\n"+`{"event":"done"}`+"\n"))
	f.Add(true, []byte(`{"event":"lost","lines":-5}`+"\n{"))
	f.Fuzz(func(t *testing.T, header bool, text []byte) {
		if header {
			text = append([]byte(firstOf), text...)
		}
		got, err := parse(bytes.NewReader(text), aRun)
		sum, bad := peek(bytes.NewReader(text), int64(len(text)), aRun)
		if (err == nil) != (bad == nil) {
			t.Fatalf("one says %v, the other %v", err, bad)
		}
		if err != nil {
			return
		}
		if got.Run != sum.Run || sum.State == Finished && (got.Done == nil || got.Done.Exit != sum.Done.Exit) {
			t.Fatalf("loaded as %+v, listed as %+v", got.Done, sum.Done)
		}
		seen := map[string]bool{}
		for _, h := range got.Hosts {
			if seen[h.Name] || h.Name == "" {
				t.Fatalf("host %q twice", h.Name)
			}
			seen[h.Name] = true
		}
		if got.Lost < 0 {
			t.Fatalf("lost %d", got.Lost)
		}
	})
}

// TestRunsOfOneSecond lists runs in the order in which they began, whatever their ids.
func TestRunsOfOneSecond(t *testing.T) {
	s := newStore(t)
	var want []string
	for _, id := range []string{"54Z-00000005", "55Z-ffffffff", "55Z-00000000", "55Z-88888888", "56Z-00000001"} {
		run, err := s.Begin(Header{Run: "20261122T1430" + id, Command: "apply"})
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Finish(Done{}); err != nil {
			t.Fatal(err)
		}
		want = slices.Insert(want, 0, "20261122T1430"+id)
	}
	var got []string
	for sum, err := range s.Runs() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, sum.Run)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
