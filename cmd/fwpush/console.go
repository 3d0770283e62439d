package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"fwpush/internal/ui"
	"fwpush/transport"
)

// console is where a command reads and writes. Results go to out, everything
// else to err: notes, progress, questions and the line that names the exit.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  func(string) (string, bool) // os.LookupEnv

	quiet, verbose bool
	progress       string // of --progress, "" for a verb that has none
	hostKeys       transport.HostKeyPolicy
	become         becoming
	sshConfig      string // of --ssh-config, "" for what ssh itself reads
	outColour      ui.Colour
	errColour      ui.Colour
	events         io.Writer // of --events, nil before it is opened
}

// getenv is a variable of the environment, "" if there is none.
func (c *console) getenv(name string) string {
	value, _ := c.environ(name)
	return value
}

// Tell writes one line to stderr, made safe for a terminal.
func (c *console) Tell(format string, args ...any) {
	fmt.Fprintln(c.err, ui.Safe(fmt.Sprintf(format, args...)))
}

// Note is Tell for what -q leaves out.
func (c *console) Note(format string, args ...any) {
	if !c.quiet {
		c.Tell(format, args...)
	}
}

// Say is Note for how a run goes, which --progress none leaves out.
func (c *console) Say(format string, args ...any) {
	if c.progress != progressNone {
		c.Note(format, args...)
	}
}

// Live is where a run is drawn while it lasts; nil where there is no terminal that could
// move its cursor, or lines are wanted, or quiet.
func (c *console) Live() (*ui.Screen, ui.Colour) {
	screen, ok := c.err.(*ui.Screen)
	if term := c.getenv("TERM"); !ok || c.progress != progressAuto || c.quiet || !ui.IsTerminal(screen) || term == "" || term == "dumb" {
		return nil, ui.Colour{}
	}
	return screen, c.errColour
}

// Verbose says whether -v asks for more.
func (c *console) Verbose() bool { return c.verbose }

// logger is where package transport tells what it skips, such as a malformed
// line of known_hosts; with -v also how each login went.
func (c *console) logger() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case c.verbose:
		level = slog.LevelDebug
	case c.quiet:
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// isInteractive says whether a person can be asked: prompts go to stderr, so
// stdout may be anything.
func (c *console) isInteractive() bool {
	return ui.IsTerminal(c.in) && ui.IsTerminal(c.err)
}

// paragraph joins the lines of a literal for help texts, without the tabs that
// indent it in the source.
func paragraph(s string) string {
	lines := strings.Split(strings.Trim(s, "\n\t"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(l, "\t"), "\t")
	}
	return strings.Join(lines, "\n")
}
