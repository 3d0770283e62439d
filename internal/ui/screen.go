package ui

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Screen is the one way to what a person reads while something runs: text, and on a
// terminal below it a block of lines that is redrawn in place. Whatever is written goes
// above the block. The cursor always stands below it, in the first column, and is never
// hidden: whichever way the program ends, the shell's prompt begins a line of its own.
//
// Once the terminal is gone every write returns the error that said so and nothing is
// tried any more. Methods may be called from any goroutine; they wait for a terminal
// that does not take its output.
type Screen struct {
	out  io.Writer
	size func() (width, height int)

	mu    sync.Mutex
	lines []string // of the block
	drawn []int    // how wide each line of the block is that stands on the screen
	open  bool     // the last text had no end of line: the block waits for it
	held  bool     // somebody has the terminal for a question
	asked bool     // whose line has not ended
	gone  error
}

// NewScreen is a Screen on a stream. Without a terminal it hands through what is written.
func NewScreen(out io.Writer) *Screen {
	s := &Screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.size = func() (width, height int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24 // a serial line tells 0
			}
			return width, height
		}
	}
	return s
}

// ScreenOf is a Screen on a stream that is a terminal of some size in columns and lines.
func ScreenOf(out io.Writer, size func() (width, height int)) *Screen {
	return &Screen{out: out, size: size}
}

// Fd is the descriptor of the stream, for IsTerminal; none if it has none.
func (s *Screen) Fd() uintptr {
	if f, ok := s.out.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// Size is the terminal's, in columns and lines.
func (s *Screen) Size() (width, height int) {
	if s.size == nil {
		return 80, 24
	}
	return s.size()
}

// Write writes text above the block. Text without an end of line hides the block until
// the line has ended.
func (s *Screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return 0, s.gone
	}
	if s.size == nil {
		return s.out.Write(text)
	}
	if len(text) == 0 {
		return 0, nil
	}
	frame := s.erase()
	if s.asked && text[0] != '\n' {
		frame += "\n"
	}
	frame += string(text)
	s.asked, s.open = false, text[len(text)-1] != '\n'
	if err := s.put(frame + s.block()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Show makes lines the block. They hold printable text and what Colour adds. What does
// not fit is cut: a line to the columns of the terminal but one, the block to its lines
// but one.
func (s *Screen) Show(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size == nil || s.gone != nil {
		return
	}
	s.lines = lines
	if s.open || s.held {
		return
	}
	// Whole frames: a person who presses Enter moves the block, and lines that were
	// left out because they had not changed would stay where they were.
	_ = s.put(s.up() + s.block() + eraseBelow)
}

// End takes the block away and leaves text in its place, which may be "". Where there is
// no terminal it does nothing, as Show does.
func (s *Screen) End(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size == nil || s.gone != nil {
		return
	}
	frame := s.erase()
	s.lines = nil
	if frame+text != "" {
		_ = s.put(frame + text)
	}
}

// Suspend takes the block off the screen until resume is called, for a question and the
// echo of its answer, which go to the terminal itself. What others write meanwhile comes
// on lines of its own: a question may be left without an answer.
func (s *Screen) Suspend() (terminal io.Writer, resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size == nil || s.gone != nil {
		return s.out, func() {}
	}
	s.held, s.asked = true, true
	if frame := s.erase(); frame != "" {
		_ = s.put(frame)
	}
	return s.out, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held, s.asked, s.open = false, false, false // the answer has ended the line
	}
}

// Resumed is for a program that was stopped and goes on: somebody else has written to the
// terminal since. The block is left where it is, and drawn anew below.
func (s *Screen) Resumed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = nil
}

// Functions of ECMA-48: CUU (8.3.22), ED and EL (8.3.39, 8.3.41).
const (
	eraseBelow = "\x1b[J"
	eraseRight = "\x1b[K"
)

// up is what takes the cursor to the first line of the block, "" if none is drawn.
func (s *Screen) up() string {
	if len(s.drawn) == 0 {
		return ""
	}
	width, _ := s.size()
	rows := 0
	for _, w := range s.drawn {
		// A terminal that has become narrower has wrapped what was wider.
		rows += max(1, (w+width-1)/width)
	}
	return "\r\x1b[" + strconv.Itoa(rows) + "A"
}

// erase is what takes the drawn block away.
func (s *Screen) erase() string {
	up := s.up()
	if up == "" {
		return ""
	}
	s.drawn = nil
	return up + eraseBelow
}

// block is what draws the block from where the cursor stands.
func (s *Screen) block() string {
	s.drawn = nil
	if s.open || s.held {
		return ""
	}
	width, height := s.size()
	var b strings.Builder
	for _, line := range s.lines[:min(len(s.lines), max(0, height-1))] {
		// Not the last column: erasing to the right of it takes it away on some terminals.
		line = Cut(line, max(1, width-1))
		s.drawn = append(s.drawn, Width(line))
		b.WriteString(line + eraseRight + "\n")
	}
	return b.String()
}

// put writes a frame in one piece.
func (s *Screen) put(frame string) error {
	_, err := io.WriteString(s.out, frame)
	if err != nil {
		s.gone = err
	}
	return err
}
