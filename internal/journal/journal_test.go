package journal

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be a controller of its own, which can be killed and be
// given a full disk.
func TestMain(m *testing.M) {
	if part := os.Getenv("JOURNAL_TEST"); part != "" {
		if err := controllers()[part](os.Getenv("JOURNAL_DIR"), os.Getenv("JOURNAL_RUN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// controllers are what a controller of its own can do.
func controllers() map[string]func(dir, run string) error {
	return map[string]func(dir, run string) error{"hang": hang, "full": fullDisk, "runs": manyRuns}
}

// controller starts one. Its output goes to the returned reader.
func controller(t *testing.T, part, dir, run string) (*exec.Cmd, io.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "JOURNAL_TEST="+part, "JOURNAL_DIR="+dir, "JOURNAL_RUN="+run)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // open until it is killed
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

const aRun = "20261122T143055Z-7f3c91ab"

// began is when the runs of tests begin. Each line comes a millisecond later.
func began() time.Time { return time.Date(2026, 11, 22, 14, 30, 55, 0, time.UTC) }

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	at := began()
	s.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Millisecond)
		return at
	}
	return s
}

func header(run string, hosts ...string) Header {
	h := Header{Run: run, Command: "apply", Who: "alice@laptop", From: "alice@laptop", PID: 4711, Version: "v1.2.3",
		Fleet: "prod", File: "/srv/fleet.toml", Digest: "sha256:f1ee", Commit: "c0ffee+dirty", Options: map[string]string{"canary": "1"}}
	for i, name := range hosts {
		h.Hosts = append(h.Hosts, Host{Name: name, Wave: 1, Digest: "sha256:new-" + name,
			SSH: Endpoint{Address: fmt.Sprintf("192.0.2.%d", i+1), Port: 22, User: "root", Become: "none"}})
	}
	return h
}

func begin(t *testing.T, s *Store, h Header) *Run {
	t.Helper()
	r, err := s.Begin(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func write(t *testing.T, r *Run, events ...Event) {
	t.Helper()
	for _, e := range events {
		if err := r.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

func loadRun(t *testing.T, s *Store, run string) Record {
	t.Helper()
	r, err := s.Load(run)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put writes the file of a run without this package.
func put(t *testing.T, s *Store, run, text string) {
	t.Helper()
	dir := filepath.Join(s.dir, runsDir, run)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, eventFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one with %q", err, text)
	}
}

func TestDefaultDir(t *testing.T) {
	for _, tt := range []struct{ name, xdg, home, want string }{
		{"home", "", "/home/alice", "/home/alice/.local/state/fwpush"},
		{"XDG", "/var/state", "/home/alice", "/var/state/fwpush"},
		{"relative XDG counts as none", "state", "/home/alice", "/home/alice/.local/state/fwpush"},
		{"XDG without home", "/var/state", "", "/var/state/fwpush"},
		{"neither", "", "", ""},
		{"relative home", "", "alice", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DefaultDir(func(name string) string {
				return map[string]string{"XDG_STATE_HOME": tt.xdg, "HOME": tt.home}[name]
			})
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				wantError(t, err, "--state-dir")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	tmp := t.TempDir()
	dir := func(name string, mode fs.FileMode) string {
		path := filepath.Join(tmp, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // umask does not matter
			t.Fatal(err)
		}
		return path
	}
	good := dir("good", 0o700)
	link := filepath.Join(tmp, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tmp, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	strange := "/" // root's
	if os.Geteuid() == 0 {
		strange = dir("strange", 0o700)
		if err := os.Chown(strange, 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, dir, want string }{
		{"a link", link, "is a symbolic link"},
		{"a file", file, "is not a directory"},
		{"somebody else's", strange, "belongs to user"},
		{"anybody can write", dir("sticky", 0o777|fs.ModeSticky), "can be written to by others (mode 0777)"},
		{"the group can write", dir("group", 0o770), "can be written to by others (mode 0770)"},
		{"below a file", filepath.Join(file, "state"), "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(tt.dir)
			wantError(t, err, tt.want)
			wantError(t, err, tt.dir)
			wantError(t, err, "--state-dir")
		})
	}
	if _, err := Open(good); err != nil {
		t.Error(err)
	}
	if _, err := Open(dir("readable", 0o755)); err != nil {
		t.Error(err)
	}
}

// A directory that was good when it was opened may be another one by the next run.
func TestBeginLooksAtTheDirectoryAgain(t *testing.T) {
	s := newStore(t)
	if err := begin(t, s, header(aRun)).Close(); err != nil {
		t.Fatal(err)
	}
	moved := s.dir + ".moved"
	if err := os.Rename(s.dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(moved, s.dir); err != nil {
		t.Fatal(err)
	}
	_, err := s.Begin(header("20261122T143056Z-7f3c91ab"))
	wantError(t, err, "is a symbolic link")
	if _, err := s.Load(aRun); err == nil {
		t.Error("a run is read through a link")
	}
}

func TestNothingIsMadeByLooking(t *testing.T) {
	s := newStore(t)
	for _, err := range s.Runs() {
		t.Errorf("a run in no directory, %v", err)
	}
	if hosts, err := s.Hosts("prod"); err != nil || hosts == nil || len(hosts) > 0 {
		t.Errorf("got %v, %v", hosts, err)
	}
	if _, err := s.Load(aRun); err == nil {
		t.Error("there is a record")
	}
	if _, err := os.Lstat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is there: %v", err)
	}
}

func TestOnlyTheOwnerMayRead(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	tmp := t.TempDir()
	s, err := Open(filepath.Join(tmp, "a/b/state"))
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, s, header(aRun, "web1"))
	write(t, r, Ended{Host: "web1", Outcome: "confirmed"})
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		"a": 0o700, "a/b": 0o700, "a/b/state": 0o700, "a/b/state/lock": 0o600, "a/b/state/hosts.json": 0o600,
		"a/b/state/runs": 0o700, "a/b/state/runs/" + aRun: 0o700, "a/b/state/runs/" + aRun + "/events.jsonl": 0o600,
	}
	err = filepath.Walk(tmp, func(path string, info fs.FileInfo, err error) error {
		if name, _ := filepath.Rel(tmp, path); name != "." {
			if mode, ok := want[name]; err != nil || !ok || info.Mode().Perm() != mode {
				t.Errorf("%s has mode %o, want %o (%v)", name, info.Mode().Perm(), mode, err)
			}
			delete(want, name)
		}
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("missing: %v, %v", want, err)
	}
}
