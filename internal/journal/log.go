package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// maxWaiting is how many bytes of lines are kept in memory while the disk takes none.
const maxWaiting = 4 << 20

// eventLog is a file that whole lines are appended to. What the disk does not take
// waits, and is tried again before whatever comes next. It is for one goroutine at a
// time.
type eventLog struct {
	f       *os.File
	name    string
	size    int64  // bytes of whole lines in the file
	torn    bool   // the file has a part of a line behind them
	waiting []byte // whole lines that are not in the file yet
	lost    int    // lines behind those that there was no room for either
	failed  error  // the first time that something could not be kept
	unsafe  error  // an fsync that failed: what was written before it may be gone
}

// add appends a line. An error says that the file lacks something by now; the line may
// still get there.
func (l *eventLog) add(at time.Time, line []byte) error {
	_ = l.flush() // what it cannot do, the next one tells
	if l.lost > 0 && l.fits(nil) {
		gap, err := encode(at, lost{l.lost})
		if err != nil {
			return err
		}
		l.waiting, l.lost = append(l.waiting, gap...), 0
	}
	if !l.fits(line) {
		l.lost++
		return l.remember(errors.New("no room for what happens"))
	}
	l.waiting = append(l.waiting, line...)
	return l.flush()
}

// fits leaves room for a line that tells of a gap.
func (l *eventLog) fits(line []byte) bool {
	const gap = 128
	n := len(l.waiting) + len(line) + gap
	return n <= maxWaiting && l.size+int64(n) <= maxFile
}

// flush writes what waits. Where the disk takes a part of it, as one that fills up does
// (write(2)), the file ends with the last line that is whole.
func (l *eventLog) flush() error {
	if l.torn {
		if err := l.f.Truncate(l.size); err != nil {
			return l.remember(err)
		}
		l.torn = false
	}
	if len(l.waiting) == 0 {
		return nil
	}
	n, err := l.f.Write(l.waiting)
	whole := bytes.LastIndexByte(l.waiting[:n], '\n') + 1
	l.size += int64(whole)
	l.waiting = l.waiting[whole:]
	if n > whole {
		// If this fails as well, the next try begins with it.
		l.torn = l.f.Truncate(l.size) != nil
	}
	if len(l.waiting) == 0 {
		l.waiting = nil // the array behind it may have grown
	}
	return l.remember(err)
}

// sync makes everything so far survive a loss of power. After an fsync that failed it
// never says so again: the kernel may have dropped what it could not write, and the
// next fsync would not know (fsync(2), ERRORS).
func (l *eventLog) sync() error {
	if err := l.flush(); err != nil {
		return err
	}
	if l.unsafe == nil {
		l.unsafe = l.remember(l.f.Sync())
	}
	if l.lost > 0 {
		return l.failed
	}
	return l.unsafe
}

// remember names the file in an error, as it was made under another name, and keeps the
// first one.
func (l *eventLog) remember(err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	err = fmt.Errorf("%s: %w", l.name, err)
	if l.failed == nil {
		l.failed = err
	}
	return err
}

// lacks says what never got into the file, once no more is tried.
func (l *eventLog) lacks() error {
	n := bytes.Count(l.waiting, []byte("\n")) + l.lost
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d lines of what happened could not be written: %w", n, l.failed)
}
