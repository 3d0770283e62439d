package ui_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"pgregory.net/rapid"

	"fwpush/internal/ui"
	"fwpush/internal/vt"
)

func screen(width, height int) (*ui.Screen, *vt.Terminal) {
	v := vt.New(width, height)
	return ui.ScreenOf(v, v.Size), v
}

func sees(t *testing.T, v *vt.Terminal, want string) {
	t.Helper()
	if v.Err() != nil || v.Screen() != want {
		t.Errorf("%v; the screen is\n%s\nwant\n%s", v.Err(), v.Screen(), want)
	}
	if _, column := v.Cursor(); column != 0 {
		t.Errorf("the cursor stands in column %d", column)
	}
}

func TestScreen(t *testing.T) {
	s, v := screen(20, 6)
	fmt.Fprintln(s, "run 1")
	s.Show([]string{"canary  0/2", "  web01  applied"})
	sees(t, v, "run 1\ncanary  0/2\n  web01  applied\n")
	fmt.Fprintln(s, "a note")
	sees(t, v, "run 1\na note\ncanary  0/2\n  web01  applied\n")
	s.Show([]string{"canary  2/2"})
	sees(t, v, "run 1\na note\ncanary  2/2\n")
	fmt.Fprintln(s, "one\ntwo\nthree\nfour")
	sees(t, v, "one\ntwo\nthree\nfour\ncanary  2/2\n")
	s.End("canary  confirmed\n")
	sees(t, v, "one\ntwo\nthree\nfour\ncanary  confirmed\n")
	fmt.Fprintln(s, "Done")
	sees(t, v, "two\nthree\nfour\ncanary  confirmed\nDone\n")
}

// TestScreenIsNeverTooSmall has more than fits, and what takes two columns or none.
func TestScreenIsNeverTooSmall(t *testing.T) {
	s, v := screen(12, 4)
	s.Show([]string{"12345678901", "123456789012", ui.Safe("東京東京東京東京"), "not shown", "nor this"})
	sees(t, v, "12345678901\n1234567890…\n東京東京東…\n")
	s.Show([]string{ui.Colour{}.Red("x"), "\x1b[31m1234567890123\x1b[0m", "e\u0301e\u0301e\u0301"})
	sees(t, v, "x\n1234567890…\ne\u0301e\u0301e\u0301\n")
	if v.Wrapped > 0 {
		t.Errorf("%d lines went on in the next row", v.Wrapped)
	}
}

func TestCutKeepsColourApart(t *testing.T) {
	if got, want := ui.Cut("\x1b[31mlocked out\x1b[0m now", 5), "\x1b[31mlock…\x1b[0m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := ui.Cut("\x1b[31mno\x1b[0m entry", 5), "\x1b[31mno\x1b[0m e…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for line, want := range map[string]int{"web01": 5, "\x1b[1mweb01\x1b[0m": 5, "東京": 4, "e\u0301": 1, "…·": 2, "": 0} {
		if got := ui.Width(line); got != want {
			t.Errorf("Width(%q) is %d, want %d", line, got, want)
		}
	}
}

// TestScreenWaitsForTheLine has text that is written in pieces.
func TestScreenWaitsForTheLine(t *testing.T) {
	s, v := screen(20, 6)
	s.Show([]string{"block"})
	io.WriteString(s, "half ")
	s.Show([]string{"block 2"})
	if got := v.Screen(); got != "half\n" {
		t.Errorf("the screen is %q", got)
	}
	io.WriteString(s, "a line\n")
	sees(t, v, "half a line\nblock 2\n")
}

// TestAskAboveTheBlock has somebody type while a run goes on.
func TestAskAboveTheBlock(t *testing.T) {
	s, v := screen(30, 6)
	s.Show([]string{"block"})
	keyboard, typed := io.Pipe()
	answered := make(chan bool)
	go func() {
		yes, _ := ui.Ask(keyboard, s, "go on?")
		answered <- yes
	}()
	typed.Write([]byte("y")) // returns once it is being read: the question stands
	fmt.Fprintln(s, "a message")
	s.Show([]string{"block 2"})
	io.WriteString(v, "yes\n") // the terminal's own echo
	typed.Write([]byte("es\n"))
	if !<-answered {
		t.Error("a yes is taken for a no")
	}
	s.Show([]string{"block 3"})
	sees(t, v, "go on? [yes/no]\na message\nyes\nblock 3\n")
}

// TestScreenIsResized makes the terminal narrower and wider with a block on it.
func TestScreenIsResized(t *testing.T) {
	s, v := screen(40, 10)
	fmt.Fprintln(s, "kept")
	lines := []string{strings.Repeat("a", 39), "b", strings.Repeat("c", 30)}
	s.Show(lines)
	v.Resize(20, 10)
	s.Show(lines)
	sees(t, v, "kept\n"+strings.Repeat("a", 18)+"…\nb\n"+strings.Repeat("c", 18)+"…\n")
	v.Resize(40, 10)
	s.Show(lines)
	sees(t, v, "kept\n"+strings.Join(lines, "\n")+"\n")
}

// closed is a terminal that goes away.
type closed struct {
	io.Writer
	err   error
	tried int
}

func (c *closed) Write(p []byte) (int, error) {
	c.tried++
	if c.err != nil {
		return 0, c.err
	}
	return c.Writer.Write(p)
}

func TestScreenGoesAway(t *testing.T) {
	out := &closed{Writer: io.Discard}
	s := ui.ScreenOf(out, func() (int, int) { return 80, 24 })
	s.Show([]string{"block"})
	out.err, out.tried = syscall.EIO, 0
	for range 3 {
		s.Show([]string{"block"})
		if _, err := fmt.Fprintln(s, "text"); !errors.Is(err, syscall.EIO) {
			t.Errorf("text is lost with %v", err)
		}
	}
	s.End("the end\n")
	_, resume := s.Suspend()
	resume()
	if out.tried != 1 {
		t.Errorf("%d writes to a terminal that is gone", out.tried)
	}
}

// TestScreenOnATerminal has a real one.
func TestScreenOnATerminal(t *testing.T) {
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := pty.Setsize(ptmx, &pty.Winsize{Cols: 20, Rows: 5}); err != nil {
		t.Fatal(err)
	}
	s := ui.NewScreen(tty)
	if w, h := s.Size(); w != 20 || h != 5 || !ui.IsTerminal(s) {
		t.Errorf("%d columns, %d lines, a terminal: %t", w, h, ui.IsTerminal(s))
	}
	s.Show([]string{"one", "two"})
	fmt.Fprintln(s, "above")
	s.Show([]string{"one", "2"})
	s.End("END\n")
	v := vt.New(20, 5)
	for buf := make([]byte, 100); !strings.Contains(v.Screen(), "END"); {
		n, err := ptmx.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		v.Write(buf[:n])
	}
	sees(t, v, "above\nEND\n")
	ptmx.Close()
	if _, err := fmt.Fprintln(s, "nobody reads this"); !errors.Is(err, syscall.EIO) {
		t.Errorf("writing to a terminal that is gone: %v", err)
	}
}

// TestScreenIsNoTerminal has no block in a file.
func TestScreenIsNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := ui.NewScreen(w)
	s.Show([]string{"block"})
	fmt.Fprintln(s, "text")
	s.End("the end\n")
	w.Close()
	if got, _ := io.ReadAll(r); string(got) != "text\n" || ui.IsTerminal(s) {
		t.Errorf("a pipe gets %q", got)
	}
}

// TestScreenShowsAll draws blocks and messages at random: what stands on the screen is
// all messages, in their order, and below them the last block.
func TestScreenShowsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, v := screen(rapid.IntRange(4, 30).Draw(t, "width"), rapid.IntRange(2, 8).Draw(t, "height"))
		line := rapid.StringMatching(`[a-z東é]{0,40}`)
		var told, block []string
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				block = rapid.SliceOfN(line, 0, 10).Draw(t, "block")
				s.Show(block)
			case 2:
				told = append(told, fmt.Sprintf("%d", len(told)))
				fmt.Fprintln(s, told[len(told)-1])
			case 3:
				width, height := v.Size()
				v.Resize(width+rapid.IntRange(0, 3).Draw(t, "wider"), height)
			}
		}
		s.Show(block)
		width, height := v.Size()
		var want []string
		for _, l := range block[:min(len(block), height-1)] {
			want = append(want, ui.Cut(l, width-1))
		}
		got := strings.TrimRight(v.All(), "\n")
		if all := strings.TrimRight(strings.Join(append(told, want...), "\n"), "\n"); got != all || v.Err() != nil || v.Wrapped > 0 {
			t.Fatalf("%v, %d wrapped\ngot\n%s\nwant\n%s", v.Err(), v.Wrapped, got, all)
		}
	})
}
