package verbtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fwpush/internal/simhost"
)

// TestRow63ControllerDiskFull: where nothing can be written down nothing is begun, and a disk
// that gets full in mid-run is told and stops nobody.
func TestRow63ControllerDiskFull(t *testing.T) {
	t.Parallel()
	f := newSimFleet(t, simhost.Options{}, "web 4")
	if err := syscall.Mount("state", f.state, "tmpfs", 0, "size=256k,mode=700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(f.state, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(f.state, "filler")
	fill := func() {
		t.Helper()
		file, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for err == nil {
			_, err = file.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	fill()
	_, said := f.run(2, "apply", "-y")
	if !strings.Contains(said, "cannot record the run in "+f.state) || !strings.Contains(said, "no space left on device") || !strings.Contains(said, "no host was changed") {
		t.Errorf("on a full disk: %s", said)
	}
	if n := f.sim.Writes(); n != 0 {
		t.Errorf("hosts were changed %d times", n)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}

	cmd := f.command("apply", "-y", "--soak", "2s")
	told, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := readAll(told)
	if err := f.sim.Host(0).Await(t.Context(), "applied"); err != nil {
		t.Fatal(err)
	}
	fill()
	<-text.done
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	if n := strings.Count(text.String(), "the record of this run is not complete any more: "); n != 1 {
		t.Errorf("told %d times that the record is not complete:\n%s", n, text)
	}
	for i := range f.sim.Len() {
		if got := f.sim.Host(i).State(); got != "confirmed" {
			t.Errorf("%s is %s", f.sim.Host(i).Name(), got)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if out, _ := f.run(0, "history"); !strings.Contains(out, "apply") {
		t.Errorf("history:\n%s", out)
	}
	f.run(0, "apply", "-y")

	// Hosts that wait for their confirm cannot wait for a disk.
	f.role("web", `in = [ { allow = "tcp/8443" } ]`)
	run := f.json(0, "apply", "-y", "--confirm", "manual", "-l", "web00[1-2]").Run
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("state", f.state, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	o, said := f.run(0, "confirm", run, "-l", "web001", "-o", "json")
	if !strings.Contains(o, `"outcome":"confirmed"`) || !strings.Contains(said, "read-only file system; what is done now is not recorded") {
		t.Errorf("a confirm on a disk that is read-only: %s%s", o, said)
	}
	remount(0)
	// Nor for a record that can be read.
	if err := os.WriteFile(filepath.Join(f.state, "fwpush", "runs", run, "events.jsonl"), []byte("garbage\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, said = f.run(0, "confirm", run, "-l", "web002", "-o", "json")
	if !strings.Contains(o, `"outcome":"confirmed"`) || !strings.Contains(said, "the hosts are asked as if there were no record") {
		t.Errorf("a confirm by a damaged record: %s%s", o, said)
	}
}

// TestEvents reads what a run tells as it happens: the same as its record, without
// what would let somebody finish it.
func TestEvents(t *testing.T) {
	f := newSimFleet(t, simhost.Options{}, "web 3")
	f.run(0, "apply", "-y", "--events", "events.jsonl", "--canary", "1")
	text, err := os.ReadFile(filepath.Join(f.dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(string(text)) {
		_, kind, _ := strings.Cut(line, `"event":"`)
		kind, _, _ = strings.Cut(kind, `"`)
		kinds = append(kinds, kind)
	}
	want := "run target target target wave applying applied proved decision ended wave applying applied applied proved proved decision ended ended done"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("events %s\nwant   %s", got, want)
	}
	for _, secret := range []string{`"nonce"`, `"seal"`} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the events have %s in them", secret)
		}
	}
	if info, err := os.Stat(filepath.Join(f.dir, "events.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
