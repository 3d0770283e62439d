package verbtest

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"fwpush/internal/vt"
)

// terminal is fwpush on a terminal of 80 columns and 24 lines, and what stands there.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	screen *vt.Terminal

	mu    sync.Mutex
	drawn *sync.Cond // something was
	gone  bool       // nobody writes there any more
}

func (f *fleet) onTerminal(args ...string) *terminal {
	f.t.Helper()
	x := &terminal{t: f.t, cmd: f.command(args...), screen: vt.New(80, 24)}
	x.drawn = sync.NewCond(&x.mu)
	x.cmd.Env = append(x.cmd.Env, "TERM=xterm")
	master, err := pty.StartWithSize(x.cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		f.t.Fatal(err)
	}
	x.master = master
	f.t.Cleanup(func() { master.Close() })
	keepOutput(f.t, master)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			x.screen.Write(buf[:n])
			x.mu.Lock()
			x.gone = err != nil // EIO: the other end is closed
			x.drawn.Broadcast()
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

// keepOutput has the terminal driver keep what nobody has read yet when the interrupt
// character comes. By default it drops that (termios(3), NOFLSH), in the middle of a frame
// if it so happens, and what a test looks for would be gone from the screen now and then.
func keepOutput(t *testing.T, master *os.File) {
	t.Helper()
	modes, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	if err == nil {
		modes.Lflag |= unix.NOFLSH
		err = unix.IoctlSetTermios(int(master.Fd()), unix.TCSETS, modes)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until something stands on the screen.
func (x *terminal) until(what string) {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for pattern := regexp.MustCompile(what); !pattern.MatchString(x.screen.Screen()); x.drawn.Wait() {
		if x.gone {
			x.t.Fatalf("%s never came:\n%s", what, x.screen.All())
		}
	}
}

// end waits for the program and returns its exit code and all that was ever to be seen.
func (x *terminal) end() (code int, seen string) {
	x.t.Helper()
	x.mu.Lock()
	for !x.gone {
		x.drawn.Wait()
	}
	x.mu.Unlock()
	_ = x.cmd.Wait() // the exit code is looked at
	if _, column := x.screen.Cursor(); column != 0 || x.screen.Hidden || x.screen.Err() != nil {
		x.t.Errorf("the terminal is left with the cursor in column %d, hidden: %t; %v", column, x.screen.Hidden, x.screen.Err())
	}
	return x.cmd.ProcessState.ExitCode(), x.screen.All()
}

func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, keys); err != nil {
		x.t.Fatal(err)
	}
}

// masked has no times and ids in it.
func masked(s string) string {
	for _, m := range [][2]string{{`\d{8}T\d{6}Z-[0-9a-f]{8}`, "RUN"}, {`\d+(\.\d+)?m?s`, "TIME"}} {
		s = regexp.MustCompile(m[0]).ReplaceAllString(s, m[1])
	}
	return s
}

// TestLiveView has a person watch an apply from beginning to end.
func TestLiveView(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3", "web4")
	if err := f.hosts["web4"].LinkDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := f.onTerminal("apply", "-y", "--canary", "1", "--soak", "2s")
	x.until(`canary  1/1  1 soaking \ds  0:0\d\nrest    0/3  3 waiting\n +web1  applied, soaking \(reverts `)
	x.until(`canary  1/1  confirmed web1 in .*\nrest    \d/3  `)
	code, seen := x.end()
	const first = "run RUN: web[1-4] (4), window TIME\ncanary: web1  note: not persistent: "
	const want = `
canary  1/1  confirmed web1 in TIME · soak TIME ok
rest    3/3  confirmed web[2-3]  unreachable web4 in TIME · soak TIME ok
         web4  unreachable: `
	if got := masked(seen); code != 4 || !strings.Contains(got, first) || !strings.Contains(got, want) {
		t.Errorf("exit %d\n%s", code, got)
	}
	for _, want := range []string{"\nDone in TIME · run RUN\n  confirmed    web[1-3] (3)\n  unreachable  web4 (1), untouched\nnext: fwpush apply --resume RUN\nexit 4: "} {
		if !strings.Contains(masked(seen), want) {
			t.Errorf("no %q in:\n%s", want, seen)
		}
	}
	x = f.onTerminal("status")
	x.until(`asking  \d/4  0:0`)
	if code, seen := x.end(); code != 4 || strings.Contains(seen, "asking") {
		t.Errorf("exit %d, and the line that asks stays:\n%s", code, seen)
	}
}

// TestNoLiveView has terminals and flags that want none.
func TestNoLiveView(t *testing.T) {
	f := newFleet(t, "web1")
	for _, tt := range []struct{ env, flag, want string }{
		{"TERM=dumb", "--progress=auto", "\nweb1  confirmed in TIME\n"},
		{"TERM=xterm", "--progress=plain", "\nweb1  unchanged in TIME\n"},
		{"TERM=xterm", "--progress=none", "window TIME\nDone in TIME"},
	} {
		cmd := f.command("apply", "-y", tt.flag)
		cmd.Env = append(cmd.Env, tt.env)
		master, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		all, _ := io.ReadAll(master) // which ends with EIO
		_ = cmd.Wait()               // the output is looked at
		master.Close()
		text := masked(strings.ReplaceAll(string(all), "\r\n", "\n"))
		if strings.Contains(text, "\x1b[J") || strings.Contains(text, "\x1b[K") || !strings.Contains(text, tt.want) {
			t.Errorf("%s %s:\n%q", tt.env, tt.flag, text)
		}
	}
}

// TestInterruptsOnATerminal has four of six hosts in flight. The first interrupt lets
// them finish, the second takes them back at once, and either way nobody else is begun.
func TestInterruptsOnATerminal(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3", "web4", "web5", "web6")
	x := f.onTerminal("apply", "-y", "--forks", "4", "--soak", "50s")
	x.until(`all  4/6  4 soaking \d+s  2 waiting`)
	began := time.Now()
	x.types("\x03")
	x.until(`(?s)interrupted: no new host is started.*again to\s*take`)
	x.types("\x03")
	code, seen := x.end()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the hosts in flight took %s to revert", took)
	}
	for _, want := range []string{
		"in flight is finished, under way web[1-4] (4), not confirmed they revert by ",
		"not confirmed is taken back, under way web[1-4] (4), ",
		"  reverted  web[1-4] (4), back on the old rules", "  skipped   web[5-6] (2), untouched", "next: fwpush apply --resume ", "exit 130: ",
	} {
		if !strings.Contains(unwrapped(seen), want) {
			t.Errorf("no %q in:\n%s", want, seen)
		}
	}
	if code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	for _, host := range f.order {
		if f.ruleset(host) != "" || f.leftovers(host) != "" {
			t.Errorf("%s: %s %s", host, f.ruleset(host), f.leftovers(host))
		}
	}

	x = f.onTerminal("apply", "-y", "--forks", "4", "--soak", "3s")
	x.until(`all  4/6  4 soaking \d+s  2 waiting`)
	x.types("\x03")
	code, seen = x.end()
	for _, want := range []string{"  confirmed  web[1-4] (4)", "  skipped    web[5-6] (2), untouched", "exit 130: "} {
		if !strings.Contains(unwrapped(seen), want) {
			t.Errorf("no %q in:\n%s", want, seen)
		}
	}
	if code != 130 || f.ruleset("web4") == "" || f.ruleset("web5") != "" {
		t.Errorf("exit %d; web4 shall be done and web5 not begun", code)
	}
}

// TestTerminalIsClosed has the window of a run closed in its middle: nobody reads of it
// any more, SIGHUP comes, and the run goes on.
func TestTerminalIsClosed(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	x := f.onTerminal("apply", "-y", "--soak", "3s")
	x.until(`2 soaking \d+s`)
	x.master.Close()
	_ = x.cmd.Wait() // what it says nobody reads
	for _, host := range f.order {
		if !strings.Contains(f.ruleset(host), "tcp dport { 80, 443 } accept") || f.leftovers(host) != "" {
			t.Errorf("%s is not confirmed: fwpush ended with %s; %s", host, x.cmd.ProcessState, f.leftovers(host))
		}
	}
}

// unwrapped joins the rows of lines that were too long for the terminal.
func unwrapped(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if len([]rune(line)) > 80 {
			line = strings.TrimSuffix(line, "\n")
		}
		b.WriteString(line)
	}
	return b.String()
}
