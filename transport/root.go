package transport

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
)

// Ways to be root on a host, as an Endpoint names them in Become. "" is the first.
const (
	becomeNone = "none" // the login is root's own
	becomeSudo = "sudo"
	becomeDoas = "doas"
	becomeSu   = "su"
)

// TakesPassword says whether a host that is root in such a way can be given a password.
// doas cannot: it asks on a terminal and nowhere else.
func TakesPassword(become string) bool { return become == becomeSudo || become == becomeSu }

// StartRoot is Start for a command that needs root, in the way that the endpoint says. The
// command has to be words that every login shell takes as they are. A host that asks for a
// password is given that of Dialer.Password, once, and what goes before the command's own
// output is not seen.
//
// Whether the host really makes it root without a password only the command can tell: sudo
// and doas say no by ending it, with a message that Exec.RootHint explains. Where there was
// a password to give, or su asks for one, the error is a *RootError.
func (c *Conn) StartRoot(ctx context.Context, command string) (*Exec, error) {
	by := c.target.ep.Become
	word := c.passwords.of(c.target.ep.Name)
	switch {
	case by == "" || by == becomeNone:
		return c.Start(ctx, command)
	case by == becomeSu, by == becomeSudo && word != nil:
		return c.startAsked(ctx, newQuestion(by), word, command)
	case by == becomeSudo, by == becomeDoas:
		return c.startUnasked(ctx, by, command)
	}
	return nil, fmt.Errorf("%s: a bug in fwpush: no way to be root is called %.20q", c.peer, by)
}

// startUnasked starts a command with sudo or doas that shall not ask for a password.
func (c *Conn) startUnasked(ctx context.Context, by, command string) (*Exec, error) {
	x, err := c.Start(ctx, by+" -n "+command)
	if err == nil {
		x.by = by
	}
	return x, err
}

// question is how a host is told to ask for a password, and how it is known that it does.
type question struct {
	by, mark, ready string
}

func newQuestion(by string) question { return question{by, rand.Text(), rand.Text()} }

// command makes the login shell run another command as root, which says that it is reached
// by a line of its own. The language is C: both what su asks and what either complains of
// are told by words. env turns into the program, so that costs no process.
//
// sudo writes one % where its prompt has two, so a shell that shows what it runs (set -x)
// does not look like sudo asking. su has no prompt of ours. The -- ends the options of su:
// those behind it are the command's.
func (q question) command(command string) string {
	const reached = `'echo "$0"; exec "$@"' `
	if q.by == becomeSu {
		return "env LC_ALL=C LANGUAGE=C su -s /bin/sh -c " + reached + "-- root " + q.ready + " " + command
	}
	return "env LC_ALL=C LANGUAGE=C sudo -S -p '" + q.mark[:8] + "%%" + q.mark[8:] + "' sh -c " + reached + q.ready + " " + command
}

// asks says whether the end of a stream is the question: a line that has not ended.
func (q question) asks(stream string) bool {
	open := stream[strings.LastIndexByte(stream, '\n')+1:]
	if q.by == becomeSu {
		open = strings.TrimRight(open, " ")
		return strings.HasSuffix(open, ":") && strings.Contains(open, "assword")
	}
	return strings.Contains(open, q.mark[:8]+"%"+q.mark[8:])
}

// reached says whether a line is that of the command, which may stand behind the question.
func (q question) reached(line string) bool {
	return strings.HasSuffix(strings.TrimSuffix(line, "\r"), q.ready)
}
