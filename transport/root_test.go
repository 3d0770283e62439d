package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/sshtest"
)

var asked = regexp.MustCompile(`sudo -S -p '(\w+)%%(\w+)' sh -c 'echo "\$0"; exec "\$@"' (\w+) (.*)$`)

// sudo is a host's sudo: what it says to a question, and what it hears.
type sudo struct {
	*sshtest.Exec
	prompt, ready string
	in            *bufio.Reader
}

// heard is the next line, "" once the connection is gone.
func (s *sudo) heard() string {
	line, _ := s.in.ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

func sudoHost(do func(*sudo) sshtest.Exit) sshtest.Handler {
	return func(x *sshtest.Exec) sshtest.Exit {
		m := asked.FindStringSubmatch(x.Command)
		if m == nil {
			fmt.Fprintln(x.Stderr, "sudo: a password is required")
			return sshtest.Exit{Status: 1}
		}
		return do(&sudo{x, m[1] + "%" + m[2], m[3], bufio.NewReader(x.Stdin)})
	}
}

const word = "s3cr3t"

// What a host does instead of asking once, and whether it got to see the password.
func TestStartRootFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		host  func(*sudo) sshtest.Exit
		kind  RootKind // "" is no error
		err   string
		given int // how many lines it was sent
	}{
		"asks and accepts": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, "We trust you have received the usual lecture.\n\nTouch the sensor\n", s.prompt)
			if s.heard() == word {
				fmt.Fprintf(s.Stdout, "a banner\n%s\n", s.ready)
			}
			return sshtest.Exit{}
		}, "", "", 1},
		"asks on stdout": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stdout, s.prompt)
			s.heard()
			fmt.Fprintf(s.Stdout, "%s\r\n", s.ready)
			return sshtest.Exit{}
		}, "", "", 1},
		"sudo-rs": {func(s *sudo) sshtest.Exit {
			fmt.Fprintf(s.Stderr, "[sudo: %s] Password: ", s.prompt)
			s.heard()
			fmt.Fprintf(s.Stdout, "%s\n", s.ready)
			return sshtest.Exit{}
		}, "", "", 1},
		"asks for nothing": {func(s *sudo) sshtest.Exit {
			fmt.Fprintf(s.Stdout, "%s\n", s.ready)
			s.heard()
			return sshtest.Exit{}
		}, "", "", 0},
		"asks again": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, s.prompt)
			s.heard()
			fmt.Fprint(s.Stderr, "Sorry, try again.\n", s.prompt)
			s.heard()
			return sshtest.Exit{Status: 1}
		}, RootWrong, "sudo does not accept the password", 1},
		"ends after one": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, s.prompt)
			s.heard()
			fmt.Fprint(s.Stderr, "\nsudo: 1 incorrect password attempt\n")
			return sshtest.Exit{Status: 1}
		}, RootWrong, "1 incorrect password attempt", 1},
		"says nothing": {func(s *sudo) sshtest.Exit {
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "neither a question nor an answer within 300ms", 0},
		"shows the command line": {func(s *sudo) sshtest.Exit {
			fmt.Fprintf(s.Stderr, "+ %s", s.Command)
			fmt.Fprintf(s.Stdout, "%s", s.Command)
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "neither a question", 0},
		"another question": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, "Verification code: ")
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "the last it said: Verification code:", 0},
		"silent after the answer": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, s.prompt)
			s.heard()
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "neither a question", 1},
		"floods stderr": {func(s *sudo) sshtest.Exit {
			go io.WriteString(s.Stderr, strings.Repeat("sudo\n", 100_000))
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "more than 64 KiB", 0},
		"floods a line": {func(s *sudo) sshtest.Exit {
			go io.WriteString(s.Stdout, strings.Repeat("sudo ", 100_000))
			s.heard()
			return sshtest.Exit{}
		}, RootSilent, "more than 64 KiB", 0},
		"tells the password": {func(s *sudo) sshtest.Exit {
			fmt.Fprint(s.Stderr, s.prompt)
			fmt.Fprintf(s.Stderr, "\nno: \x1b[31m%s\n", s.heard())
			return sshtest.Exit{Status: 1}
		}, RootWrong, `no: \x1b[31m[password]`, 1},
		"ends at once": {func(s *sudo) sshtest.Exit {
			fmt.Fprintln(s.Stderr, "sudo: no")
			return sshtest.Exit{Status: 1}
		}, RootRefused, "sudo does not make us root: sudo: no", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var given atomic.Int32
			limit := 10 * time.Second
			if strings.HasPrefix(tt.err, "neither") || strings.HasPrefix(tt.err, "the last") {
				limit = 300 * time.Millisecond
			}
			f := newFixture(t, sshtest.Config{Handler: sudoHost(func(s *sudo) sshtest.Exit {
				in := s.in
				s.in = bufio.NewReader(readers(func(p []byte) (int, error) {
					line, err := in.ReadString('\n')
					if line == word+"\n" {
						given.Add(1)
					}
					return copy(p, line), err
				}))
				return tt.host(s)
			})}, Options{Answer: limit})
			f.ep.Become = "sudo"
			if err := f.dialer.Password(f.ep.Name, []byte(word)); err != nil {
				t.Fatal(err)
			}
			x, err := f.dial(t).StartRoot(t.Context(), "sh -s")
			var root *RootError
			switch {
			case tt.kind == "" && err != nil:
				t.Fatal(err)
			case tt.kind == "":
				x.Close()
			case !errors.As(err, &root) || root.Kind != tt.kind || !strings.Contains(err.Error(), tt.err) || root.Hint() == "":
				t.Errorf("got %v", err)
			case strings.Contains(err.Error()+root.Said, word):
				t.Errorf("the password is in %q", err)
			}
			if n := int(given.Load()); n != tt.given {
				t.Errorf("the host was given the password %d times, want %d", n, tt.given)
			}
		})
	}
}

type readers func([]byte) (int, error)

func (r readers) Read(p []byte) (int, error) { return r(p) }

// Many hosts at once: a wrong password is tried on one of them, a right one by one until
// it is known to be right.
func TestPasswordOfManyHosts(t *testing.T) {
	for _, good := range []bool{false, true} {
		t.Run(fmt.Sprint(good), func(t *testing.T) {
			var answers, busy, crowd atomic.Int32
			var accepted atomic.Bool
			f := newFixture(t, sshtest.Config{Handler: sudoHost(func(s *sudo) sshtest.Exit {
				if n := busy.Add(1); n > 1 && !accepted.Load() {
					crowd.Store(n)
				}
				defer busy.Add(-1)
				fmt.Fprint(s.Stderr, s.prompt)
				s.heard()
				answers.Add(1)
				if !good {
					fmt.Fprint(s.Stderr, "\nSorry, try again.\n", s.prompt)
					s.heard()
					return sshtest.Exit{Status: 1}
				}
				accepted.Store(true)
				fmt.Fprintf(s.Stdout, "%s\n", s.ready)
				return sshtest.Exit{}
			})}, Options{})
			f.ep.Become = "sudo"
			var group sync.WaitGroup
			var failed atomic.Int32
			for i := range 8 {
				ep := f.ep
				ep.Name = fmt.Sprintf("web%d", i)
				if err := f.dialer.Password(ep.Name, []byte(word)); err != nil {
					t.Fatal(err)
				}
				group.Go(func() {
					conn, err := f.dialer.Dial(t.Context(), ep)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					x, err := conn.StartRoot(t.Context(), "sh -s")
					if err == nil {
						if err = x.Wait(t.Context()); err != nil {
							if hint := x.RootHint(); !strings.Contains(hint, "has refused this password") {
								t.Errorf("%v, hint %q", err, hint)
							}
						}
					}
					if err != nil {
						failed.Add(1)
					}
				})
			}
			group.Wait()
			want := [2]int32{1, 8}
			if good {
				want = [2]int32{8, 0}
			}
			if got := [2]int32{answers.Load(), failed.Load()}; got != want || crowd.Load() != 0 {
				t.Errorf("%v answers and failures, want %v; %d at a time before one was right", got, want, crowd.Load())
			}
		})
	}
}

func TestPasswordsThatCannotBe(t *testing.T) {
	d := New(Options{})
	for word, want := range map[string]string{"": "empty", "a\nb": "end of line", "a\x00b": "NUL", strings.Repeat("x", 512): "longer than 511"} {
		if err := d.Password("web1", []byte(word)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: %v", word, err)
		}
	}
}
