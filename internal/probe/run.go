package probe

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"fwpush/transport"
)

const (
	// maxRun is the longest that a command may take, whatever its timeout.
	maxRun = 30 * time.Second
	// lastWords is how long a command that has failed may take to deliver its output.
	lastWords = 500 * time.Millisecond
)

//go:embed scripts/run.sh
var runScript string

// run runs the text of the probe on the host. Its exit status decides: 0 is good. For a
// probe that must fail, so is 1 to 125; the others say that the shell found no such
// command (126, 127) or that it was ended by a signal, and so nothing of what was asked.
func (p *Probe) run(ctx context.Context, conn *transport.Conn) error {
	if conn == nil {
		return &NotTriedError{sayf(nil, "there is no connection to the host")}
	}
	mark := make([]byte, 8)
	rand.Read(mark) // never fails, see its documentation
	x, err := p.begin(ctx, conn, hex.EncodeToString(mark))
	if err != nil {
		return &NotTriedError{sayf(err, "%s", safe(err.Error()))}
	}
	defer x.Close()
	told, err := ending(ctx, x, hex.EncodeToString(mark))
	how, word, _ := strings.Cut(told, " ")
	switch {
	case ctx.Err() != nil:
		return &NotTriedError{sayf(ctx.Err(), "the command did not end within %s; raise timeout (at most %s), or bound what it waits for", p.limit, maxRun)}
	case err != nil:
		return &NotTriedError{sayf(err, "%s", safe(err.Error()))}
	case how == "noroot":
		return &NotTriedError{sayf(nil, "become = true, but %s logs in as no root and its ssh.become is none", safe(p.host.Name))}
	case how == "missing":
		return &NotTriedError{sayf(nil, "the host has no %s, which is needed to end a command that hangs", safe(word))}
	}
	status, err := strconv.ParseUint(word, 10, 8)
	if how != "ended" || err != nil {
		return &NotTriedError{sayf(nil, "the host told the end of the command as %s", safe(told))}
	}
	return p.exited(ctx, x, status)
}

func (p *Probe) exited(ctx context.Context, x *transport.Exec, status uint64) error {
	switch {
	case status == 0 && p.want.Fails:
		return sayf(nil, "the command works, and must not")
	case status == 0, status < 126 && p.want.Fails:
		return nil
	}
	// The output comes by a stream of its own.
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	_ = x.Wait(ctx) // what has come until then is what there is
	text := "exit status " + strconv.FormatUint(status, 10)
	lines := strings.Split(strings.TrimSpace(x.Stderr()), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		text += ": " + safe(last)
	}
	if p.want.Fails {
		return &NotTriedError{sayf(nil, "%s; a command that must fail exits with 1 to 125", text)}
	}
	return sayf(nil, "%s", text)
}

// begin starts the command. The Exec does not depend on ctx, or its end would cost the
// connection; it has to be closed.
func (p *Probe) begin(ctx context.Context, conn *transport.Conn, mark string) (*transport.Exec, error) {
	type started struct {
		x   *transport.Exec
		err error
	}
	got, left := make(chan started), make(chan struct{})
	p.prober.group.Go(func() {
		x, err := p.start(context.WithoutCancel(ctx), conn, mark)
		if err == nil {
			// One that ends without reading it says why: these errors would only hide that.
			_, _ = x.Write([]byte(oneLine("T='" + escaped(p.want.Text) + "'\n" + runScript)))
			_ = x.CloseWrite()
		}
		select {
		case got <- started{x, err}:
		case <-left:
			if err == nil {
				x.Close()
			}
		}
	})
	select {
	case s := <-got:
		return s.x, s.err
	case <-ctx.Done():
		close(left)
		return nil, errors.New("the host did not start the command in time")
	}
}

// start runs the script: plain words that every login shell takes, the first of them those
// of a commit, so that sudo allows one if it allows the other.
func (p *Probe) start(ctx context.Context, conn *transport.Conn, mark string) (*transport.Exec, error) {
	seconds := strconv.Itoa(int((p.limit + time.Second - 1) / time.Second))
	line := "sh -s -- " + mark + " " + seconds
	if p.want.Become {
		return conn.StartRoot(ctx, line+" root")
	}
	return conn.Start(ctx, line+" any")
}

// ending waits for the line in which the script says how the command ended.
func ending(ctx context.Context, x *transport.Exec, mark string) (string, error) {
	for {
		line, err := x.ReadLine(ctx)
		if told, ok := strings.CutPrefix(line, mark+" "); ok && err == nil {
			return told, nil
		}
		if err == nil {
			continue // a login script has written something
		}
		if failed := x.Wait(ctx); failed != nil {
			return "", failed
		}
		return "", errors.New("the host ran something else than the command; look for login scripts that read its input")
	}
}

// oneLine wraps a program so that it travels as the first line of standard input: a
// shell that meets only a part of it, because a login script has read the rest, finds a
// syntax error and runs none of it. The same form carries a commit.
func oneLine(text string) string { return `eval "$(printf %b '` + escaped(text) + `')"` + "\n" }

// escaped writes text for printf %b, between single quotes. A quote has all three digits
// of \0ddd, or a digit behind it would join in.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `'`, `\0047`).Replace(text)
}
