package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Store is a state directory. It may be used by several goroutines, and the directory
// by several programs at a time.
type Store struct {
	// Events, if set before Begin, hears of every line as it happens, without secrets.
	// It is written to by a goroutine of its own: that it fails or stands still never
	// holds up a run.
	Events io.Writer

	dir string // absolute
	now func() time.Time
}

// Names in a state directory.
const (
	runsDir   = "runs"
	eventFile = "events.jsonl"
	hostsFile = "hosts.json"
	lockFile  = "lock"
)

// DefaultDir is the state directory of whoever runs this: fwpush below XDG_STATE_HOME,
// by default ~/.local/state (XDG Base Directory Specification 0.8, where a path that is
// not absolute counts as none).
func DefaultDir(getenv func(string) string) (string, error) {
	if base := getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "fwpush"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("no home directory (HOME) to keep the state in; name a directory with --state-dir")
	}
	return filepath.Join(home, ".local", "state", "fwpush"), nil
}

// Open takes a state directory. One that is not there yet is made when the first run
// begins. It is refused if somebody else could put words or links into it.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", dir, err)
	}
	s := &Store{dir: abs, now: time.Now}
	root, err := s.root()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, err
	}
	return s, root.Close()
}

// Dir is the path of the directory, which may not be there yet.
func (s *Store) Dir() string { return s.dir }

// root opens the directory. Nothing that is done through it leaves it, whatever links
// there are.
func (s *Store) root() (*os.Root, error) {
	seen, err := os.Lstat(s.dir)
	if err != nil {
		return nil, s.trouble(err)
	}
	if err := safe(seen); err != nil {
		return nil, s.trouble(err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, s.trouble(err)
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = errors.New("was replaced while it was opened")
	}
	if err != nil {
		root.Close()
		return nil, s.trouble(err)
	}
	return root, nil
}

// create is root for a directory that may have to be made.
func (s *Store) create() (*os.Root, error) {
	if err := makeAll(s.dir); err != nil {
		return nil, s.trouble(err)
	}
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	err = root.Mkdir(runsDir, 0o700)
	switch {
	case err == nil:
		err = syncDir(root, ".")
	case errors.Is(err, fs.ErrExist):
		err = nil
	}
	if err != nil {
		root.Close()
		return nil, s.trouble(err)
	}
	return root, nil
}

func (s *Store) trouble(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) { // it names the directory, or a part of it, once more
		err = path.Err
	}
	return fmt.Errorf("state directory %s: %w; --state-dir names another", s.dir, err)
}

// safe says why a directory cannot be trusted to hold what only we have put there.
func safe(info fs.FileInfo) error {
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("is a symbolic link")
	case !info.IsDir():
		return errors.New("is not a directory")
	case int(owner) != os.Geteuid():
		return fmt.Errorf("belongs to user %d, and this is user %d", owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("can be written to by others (mode %04o), chmod go-w", info.Mode().Perm())
	}
	return nil
}

// makeAll makes a directory and those above it that are not there. What it has made
// survives a loss of power.
func makeAll(dir string) error {
	switch _, err := os.Lstat(dir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncDir makes names in a directory survive a loss of power (fsync(2), NOTES).
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

var errHeld = errors.New("another fwpush holds it")

// lock takes an flock on f, waiting at most so long. flock(2) itself waits for ever or
// not at all, so this asks again and again.
func lock(f *os.File, how int, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
		select {
		case <-ctx.Done():
			return errHeld
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// exclusively does something while no other program that asks so does.
func exclusively(root *os.Root, patience time.Duration, do func() error) error {
	f, err := root.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // and with it goes the lock
	if err := lock(f, syscall.LOCK_EX, patience); err != nil {
		return fmt.Errorf("%s: %w", lockFile, err)
	}
	return do()
}

// runNames are the runs that have a directory, oldest first.
func runNames(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), runsDir) // sorted, and ids sort by time
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if checkRun(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func eventsOf(run string) string { return filepath.Join(runsDir, run, eventFile) }

// pid as text, for names that no other program draws at the same time.
func pid() string { return strconv.Itoa(os.Getpid()) }
