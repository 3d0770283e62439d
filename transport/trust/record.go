package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// queue lets everybody who comes while a file is being written share the next writing of
// it: a thousand hosts seen for the first time are not a thousand copies of the file.
type queue struct {
	writing sync.Mutex // held by who writes

	mu      sync.Mutex
	waiting []*entry
}

// entry is all keys of one host that nobody has recorded.
type entry struct {
	name Name
	keys []ssh.PublicKey
	hash bool
	done bool
	err  error
}

// Record writes keys of a host into the first of its known_hosts files, and hides the
// name there if hash says so or other lines of the file do. The file is made, for its
// owner alone, if it does not exist.
//
// The file is replaced as a whole: whoever reads it sees the old one or the new one, and
// two runs do not lose each other's lines. If by then something else is recorded for the
// name, nothing is written, and the error is a *Refusal.
func (h Host) Record(keys []ssh.PublicKey, hash bool) error {
	f := h.known.files[0]
	e := &entry{name: h.name, keys: keys, hash: hash}
	f.queue.mu.Lock()
	f.queue.waiting = append(f.queue.waiting, e)
	f.queue.mu.Unlock()

	f.queue.writing.Lock()
	defer f.queue.writing.Unlock()
	if e.done {
		return e.err
	}
	f.queue.mu.Lock()
	batch := f.queue.waiting
	f.queue.waiting = nil
	f.queue.mu.Unlock()
	err := f.write(batch)
	for _, e := range batch {
		e.done = true
		if err != nil {
			e.err = err
		}
	}
	return e.err
}

// File is where Record writes.
func (h Host) File() string { return h.known.files[0].path }

// write adds a batch of entries to the file. The error is about all of them.
func (f *knownFile) write(batch []*entry) error {
	target, err := ownFile(f.path)
	if err != nil {
		return err
	}
	unlock, err := lockDirectory(filepath.Dir(target))
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	defer unlock()

	old, err := readFile(target, maxKnownHosts)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before, _ := readKnownHosts(f.path, old)
	var lines catalogue
	lines.add(before...)
	hidden := false
	for _, l := range before {
		hidden = hidden || l.names.hashed()
	}
	var added strings.Builder
	if len(old) > 0 && old[len(old)-1] != '\n' {
		added.WriteByte('\n')
	}
	slices.SortStableFunc(batch, func(a, b *entry) int { return strings.Compare(a.name.Recorded(), b.name.Recorded()) })
	for _, e := range batch {
		more, err := e.missing(lines.named(e.name.Recorded()))
		e.err = err
		for _, key := range more {
			name := e.name.Recorded()
			if e.hash || hidden {
				name = hashName(name)
			}
			line := name + " " + strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
			added.WriteString(line + "\n")
			read, _ := readKnownHosts(f.path, []byte(line))
			lines.add(read...)
		}
	}
	text := string(old) + added.String()
	if strings.TrimSpace(added.String()) != "" {
		if err := replaceFile(target, text); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	now, _ := readKnownHosts(f.path, []byte(text)) // as lines has them, but for where they stand
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = catalogue{}
	f.lines.add(now...)
	return nil
}

// missing are the keys that the lines of the host do not have yet; a *Refusal if they have
// others.
func (e *entry) missing(lines []knownLine) (list []ssh.PublicKey, err error) {
	for _, key := range e.keys {
		key = plainKey(key)
		recorded := false
		for _, l := range lines {
			if l.marker == "" && l.is(key) {
				recorded = true
			}
		}
		if !recorded {
			list = append(list, key)
		}
	}
	for _, l := range lines {
		if l.marker != "" {
			continue
		}
		known := false
		for _, key := range e.keys {
			known = known || l.is(key)
		}
		if !known {
			r := refuse(Changed, e.keys[0])
			r.Name, r.file, r.Recorded = e.name, l.file, []string{l.describe()}
			return nil, r
		}
	}
	return list, nil
}

// ownFile is the file that a path leads to through links. Its directory is made if it is
// not there.
func ownFile(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return "", fmt.Errorf("%s is a link to a file that does not exist", path)
		}
		return path, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path) // /dev/null, as some have it
	}
	return target, err
}

// lockDirectory keeps other runs from writing into a directory of known_hosts files. The
// lock leaves no file behind, and ends with the process that has it.
func lockDirectory(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("cannot be locked: %w", err)
	}
	return func() { d.Close() }, nil
}

// replaceFile puts a new file in the place of one, with its mode and owner, and is done
// when that would outlive a loss of power.
func replaceFile(path, text string) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".known_hosts-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	defer f.Close()
	if info, err := os.Stat(path); err == nil { // else the mode is that of CreateTemp, 0600
		if err := f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
		if was, ok := info.Sys().(*syscall.Stat_t); ok && (int(was.Uid) != os.Geteuid() || int(was.Gid) != os.Getegid()) {
			if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
				return err
			}
		}
	}
	if _, err := io.WriteString(f, text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
