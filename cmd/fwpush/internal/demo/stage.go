package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"fwpush/internal/lab"
	"fwpush/internal/ui"
)

// stage is what the scenes of a demo share.
type stage struct {
	out    io.Writer
	colour ui.Colour
	w      *lab.World
	dir    string
	webs   []*lab.Host
	other  *lab.Host // the bastion
	rules  map[string]string
}

// Exit codes of fwpush that a demo expects.
const (
	fine    = 0
	differs = 1
	refused = 2
	stopped = 6
)

// say narrates.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "\n%s\n", s.colour.Bold("# "+fmt.Sprintf(format, args...)))
}

func (s *stage) show(text string) { fmt.Fprint(s.out, ui.SafeText(text)) }

// fleet is a fleet file whose management is from.
func (s *stage) fleet(from string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `version = 1

[defaults]
roles = ["base"]
ssh = { user = "root", identity = %q, known_hosts = %q }

[management]
from = %s

`, s.w.KeyFile(), s.w.KnownHosts(), from)
	for _, h := range append(slices.Clone(s.webs), s.other) {
		role := "web"
		if h == s.other {
			role = "bastion"
		}
		fmt.Fprintf(&b, "[hosts.%s]\nroles = [%q]\naddresses = [%q, %q]\n\n", h.Name(), role, h.Addr4(), h.Addr6())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (s *stage) write(name, text string) error {
	return os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600)
}

// ruleset is everything a host's kernel enforces, as its own nft lists it.
func ruleset(ctx context.Context, h *lab.Host) (string, error) {
	text, _, err := h.Exec(ctx, "", "nft", "-s", "list", "ruleset")
	return text, err
}

// fwpush shows a command line, runs it, and compares how it ended.
func (s *stage) fwpush(ctx context.Context, want int, args ...string) error {
	cmd := s.command(ctx, args...)
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		return errShown(fmt.Sprintf("exit %d", got), fmt.Sprintf("exit %d", want))
	}
	return nil
}

// command shows a command line and prepares it as a user would have it: this
// very program, in a process of its own.
func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	s.show("$ fwpush " + strings.Join(args, " ") + "\n")
	// The link leads to this binary even if its file was replaced (proc(5)).
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = append([]string{"fwpush"}, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.out, s.out // in order, as on a terminal
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FWPUSH_") })
	// Records of runs over hosts that end with the demo are nobody's.
	cmd.Env = append(cmd.Env, "FWPUSH_ACTOR=demo", "FWPUSH_COLOR="+s.when(), "FWPUSH_STATE_DIR="+filepath.Join(s.dir, "state"),
		"FWPUSH_SSH_CONFIG=none") // whatever this person has configured is not about these hosts
	return cmd
}

// when passes the choice of colour on.
func (s *stage) when() string {
	if s.colour != (ui.Colour{}) {
		return string(ui.Always)
	}
	return string(ui.Never)
}

// serve starts what listens on a web host: a web server on 80 and 443 and a
// database on 3306, or what passes for them.
func (s *stage) serve(ctx context.Context, h *lab.Host) error {
	cmd, close, err := s.inside(ctx, h, "demo", "listen", "80", "443", "3306")
	if err != nil {
		return err
	}
	defer close()
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("%s: nothing listens: %w", h.Name(), cmd.Wait())
	}
	return nil // it ends with the host
}

// inside prepares this program to run on a host. It is handed over as an open
// file, since the host's files are its own.
func (s *stage) inside(ctx context.Context, h *lab.Host, args ...string) (cmd *exec.Cmd, done func(), err error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, nil, err
	}
	cmd = h.Command(ctx, append([]string{"/proc/self/fd/3"}, args...)...)
	cmd.ExtraFiles = []*os.File{self} // file 3
	return cmd, func() { self.Close() }, nil
}

// probe looks at the ports of the first web host from the bastion, over both
// families, and compares with what is to be seen.
func (s *stage) probe(ctx context.Context, want ...string) error {
	var ports []string
	for _, w := range want {
		port, _, _ := strings.Cut(w, " ")
		ports = append(ports, port)
	}
	var table ui.Table
	for _, h := range s.webs {
		for _, addr := range []string{h.Addr4().String(), h.Addr6().String()} {
			cmd, done, err := s.inside(ctx, s.other, append([]string{"demo", "probe", addr}, ports...)...)
			if err != nil {
				return err
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, s.out
			err = cmd.Run()
			done()
			if err != nil {
				return err
			}
			seen := strings.Split(strings.TrimSpace(out.String()), "\n")
			table.Row(append([]string{"  from bastion to " + h.Name(), addr}, seen...)...)
			if !slices.Equal(seen, want) {
				return errors.Join(table.Write(s.out), errShown(strings.Join(seen, ", "), strings.Join(want, ", ")))
			}
		}
	}
	return table.Write(s.out)
}

// errShown says that a scene went another way than it was announced.
func errShown(got, want string) error { return fmt.Errorf("got %s, want %s", got, want) }
