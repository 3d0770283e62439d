package commit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"fwpush/transport"
)

// How long a host may take for a word. A host waits 60 s for one of ours.
const (
	factsTime  = 30 * time.Second // a listing of 100,000 elements takes about a second
	settleTime = 3 * time.Minute  // on top of it, where an earlier run is finished first
	stageTime  = 60 * time.Second
	wordTime   = 30 * time.Second
)

// dialogue is one program running on a host, spoken with line by line.
type dialogue struct {
	exec   *transport.Exec
	mark   string
	banner int // bytes before the first marker
	marked bool
}

// maxBanner is how much a login may print before our program answers, in bytes.
const maxBanner = 64 << 10

// start runs a program on the host. The words become its arguments after the
// marker; the host's first line follows from the program.
func start(ctx context.Context, conn *transport.Conn, text string, words ...string) (*dialogue, error) {
	mark, err := secret()
	if err != nil {
		return nil, err
	}
	exec, err := conn.StartRoot(ctx, command(append([]string{mark}, words...)...))
	if err != nil {
		return nil, err
	}
	d := &dialogue{exec: exec, mark: mark}
	if err := d.send(ctx, line(text), stageTime); err != nil {
		d.close()
		return nil, d.broken(ctx, err)
	}
	return d, nil
}

// say sends one word line.
func (d *dialogue) say(ctx context.Context, words ...string) error {
	return d.send(ctx, []byte(strings.Join(words, " ")+"\n"), stageTime)
}

// uploadTime is what so many bytes may take: on a slow link 10 kB a second. The
// host waits as long.
func uploadTime(bytes int) time.Duration {
	return stageTime + time.Duration(bytes/10_000)*time.Second
}

func (d *dialogue) send(ctx context.Context, data []byte, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A write blocks while the host does not read; closing the exec frees it.
	stop := context.AfterFunc(ctx, func() { d.exec.Close() })
	defer stop()
	if _, err := d.exec.Write(data); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// hear reads the next word of the host, skipping what is not addressed to us:
// a login banner, the output of an rc file.
func (d *dialogue) hear(ctx context.Context, limit time.Duration) (word, rest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		line, err := d.line(ctx)
		if err != nil {
			return "", "", err
		}
		if said, ok := strings.CutPrefix(line, d.mark); ok {
			word, rest, _ = strings.Cut(strings.TrimPrefix(said, " "), " ")
			return word, rest, nil
		}
	}
}

// line reads one raw line.
func (d *dialogue) line(ctx context.Context) (string, error) {
	line, err := d.exec.ReadLine(ctx)
	if err != nil {
		return "", d.broken(ctx, err)
	}
	if d.marked = d.marked || strings.HasPrefix(line, d.mark); !d.marked {
		if d.banner += len(line) + 1; d.banner > maxBanner {
			return "", fmt.Errorf("the login printed more than %d KiB and no answer, at last %q", maxBanner>>10, clip(line))
		}
	}
	return line, nil
}

// facts reads what a host tells until it asks for a word.
func (d *dialogue) facts(ctx context.Context) (Facts, error) {
	t := telling{mark: d.mark}
	for end := time.Now().Add(factsTime); ; end = end.Add(settleTime) {
		if done, err := d.listen(ctx, &t, end); done || err != nil {
			return t.facts, err
		}
		t.settling = false // an earlier run is finished first; that may mean to load its rules
	}
}

// listen hears lines until the host asks for a word, which is done, or begins to settle.
func (d *dialogue) listen(ctx context.Context, t *telling, end time.Time) (done bool, err error) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for !t.settling {
		line, err := d.line(ctx)
		if err != nil {
			return false, err
		}
		if done, err := t.hear(line); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// close ends the execution without waiting for it.
func (d *dialogue) close() { d.exec.Close() }

// errSilent is a host that did not answer in time.
var errSilent = errors.New("the host did not answer in time")

// RemoteError is a program that ended before it said what it was asked for.
type RemoteError struct {
	Stderr string // what it printed, bounded, not escaped
	Hint   string // what to do, "" if that is not known
	Err    error
}

func (e *RemoteError) Error() string {
	if line := lastLine(e.Stderr); line != "" {
		return "remote shell: " + line
	}
	return fmt.Sprintf("remote shell ended without an answer: %v", e.Err)
}

func (e *RemoteError) Unwrap() error { return e.Err }

// broken explains why a word could not be sent or heard.
func (d *dialogue) broken(ctx context.Context, err error) error {
	var lost *transport.LostError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errSilent
	case errors.As(err, &lost), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, io.EOF):
		// Give the exit status a moment: it says whether the shell was ended.
		waitCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if werr := d.exec.Wait(waitCtx); werr != nil {
			if errors.As(werr, &lost) {
				return werr
			}
			err = werr
		}
	}
	e := &RemoteError{Stderr: d.exec.Stderr(), Err: err}
	if !d.marked { // else it was root already
		e.Hint = d.exec.RootHint()
	}
	return e
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\r\n ")
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	if len(s) > 300 {
		s = s[:300]
	}
	return s
}
