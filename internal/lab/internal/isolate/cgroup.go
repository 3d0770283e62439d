package isolate

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Directories in the cgroup file system outlive their processes and belong to no namespace, so
// they are the one thing the kernel does not clean up after a world. A world holds a lock on its
// directory; one without a holder was left by a world that was killed and is removed by the next.
const cgroupPrefix = "fwpush-lab."

// cgroup is a world's directory under the machine's cgroup2 mount, made before the world and
// removed after it.
type cgroup struct {
	path string   // empty when the machine has no writable cgroup2: then it has no systemd hosts
	lock *os.File // held open: the lock ends with this process, however it ends
}

// newCgroup makes the world's directory, and removes the directories of worlds that were killed.
func newCgroup() (*cgroup, error) {
	mount, err := cgroup2Mount()
	if err != nil || mount == "" {
		return &cgroup{}, err
	}
	if err := sweepCgroups(mount); err != nil {
		return nil, err
	}
	for {
		path, err := os.MkdirTemp(mount, cgroupPrefix)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			return &cgroup{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
		lock, err := lockDir(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("lab: %w", err)
		}
		// Another world may have taken the directory for a leftover before it was locked.
		if _, gone := os.Stat(path); lock != nil && gone == nil {
			return &cgroup{path: path, lock: lock}, nil
		}
	}
}

func (g *cgroup) remove() error {
	if g.path == "" {
		return nil
	}
	defer g.lock.Close()
	return RemoveCgroup(g.path)
}

// sweepCgroups removes what killed worlds have left under mount.
func sweepCgroups(mount string) error {
	entries, err := os.ReadDir(mount)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), cgroupPrefix) {
			continue
		}
		path := filepath.Join(mount, e.Name())
		lock, err := lockDir(path)
		if err != nil || lock == nil {
			continue // in use, or gone already
		}
		// A world that is still dying keeps its directory busy; the world after this one gets it.
		_ = RemoveCgroup(path)
		lock.Close()
	}
	return nil
}

// lockDir returns nil without an error when somebody else holds the lock.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		dir.Close()
		if err == unix.EWOULDBLOCK {
			return nil, nil
		}
		return nil, err
	}
	return dir, nil
}

// RemoveCgroup removes a cgroup without processes, and those below it; none there is no error. The
// files in them need and allow no removal (cgroups(7)), which is why os.RemoveAll does not serve.
func RemoveCgroup(path string) error {
	var dirs []string
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
			return fmt.Errorf("lab: remove %s: %w", dir, err)
		}
	}
	return nil
}

// cgroup2Mount is where the machine has mounted cgroup2 (it differs between distributions), or
// nothing when it has not.
func cgroup2Mount() (string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	defer mounts.Close()
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return "", nil
}
