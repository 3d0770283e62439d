package trust

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Store reads each key file and each list of known_hosts files once, when first
// needed. It is safe for any number of goroutines.
type Store struct {
	log         *slog.Logger
	agentSocket string
	agentSlots  chan struct{}
	recording   bool // a known_hosts file that is named need not exist yet
	known       cache[*KnownHosts]
	files       cache[*knownFile]
	keys        cache[*keyFile]
	certs       cache[*ssh.Certificate]
}

// NewStore returns a Store that asks the ssh-agent behind a socket ("": none)
// and warns about lines of known_hosts it skips. One that is for recording hosts takes a
// named known_hosts file that does not exist for an empty one.
func NewStore(agentSocket string, recording bool, log *slog.Logger) *Store {
	return &Store{log: log, agentSocket: agentSocket, recording: recording, agentSlots: make(chan struct{}, agentConnects)}
}

// cache holds values that are loaded once each, whoever asks first. Failures
// are kept as well: one run gives one answer.
type cache[T any] struct {
	mu   sync.Mutex
	load map[string]func() (T, error)
}

func (c *cache[T]) get(key string, load func() (T, error)) (T, error) {
	c.mu.Lock()
	if c.load == nil {
		c.load = make(map[string]func() (T, error))
	}
	once, ok := c.load[key]
	if !ok {
		once = sync.OnceValues(load)
		c.load[key] = once
	}
	c.mu.Unlock()
	return once()
}

// FileError says what is wrong with a key file or known_hosts file.
type FileError struct {
	Path   string
	Reason string // continues the path: "is open to others (mode 0644)"
	Next   string // what to type or change
	Err    error  // may be nil
}

func (e *FileError) Error() string { return e.Path + " " + e.Reason + "; " + e.Next }

// Hint returns what to do next.
func (e *FileError) Hint() string { return e.Next }

func (e *FileError) Unwrap() error { return e.Err }

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	// Opening a FIFO would wait for whoever writes into it.
	if info, err := os.Stat(path); err != nil {
		return nil, unreadable(path, err)
	} else if mode := info.Mode(); !mode.IsRegular() && mode&fs.ModeCharDevice == 0 {
		return nil, &FileError{Path: path, Reason: "is no regular file", Next: "check the path in the fleet file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if int64(len(text)) > limit {
		return nil, &FileError{Path: path, Reason: "is too large", Next: "check the path in the fleet file"}
	}
	return text, nil
}

func unreadable(path string, err error) error {
	e := &FileError{Path: path, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Reason, e.Next = "does not exist", "check the path in the fleet file"
	case errors.Is(err, fs.ErrPermission):
		e.Reason, e.Next = "may not be read by you", "check its owner and mode"
	default:
		e.Reason, e.Next = "cannot be read: "+err.Error(), "check the path in the fleet file"
	}
	return e
}

// expand replaces a leading "~/" by the home directory.
func expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &FileError{Path: path, Reason: "needs a home directory: " + err.Error(), Next: "set HOME, or write the whole path"}
	}
	return filepath.Join(home, rest), nil
}

// shellWord returns s as one word of a POSIX shell, for commands we tell people
// to type.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
