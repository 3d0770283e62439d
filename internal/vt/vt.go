package vt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Terminal is a screen with what has scrolled off it. A line feed goes to the first
// column, as the terminal driver has it (ONLCR). Its methods may be called from any
// goroutine.
type Terminal struct {
	mu            sync.Mutex
	width, height int
	rows          []row // what has scrolled off, then the screen
	top           int   // the first row of the screen
	y, x          int   // the cursor; y counts from the first of rows
	rest          string
	err           error

	Hidden  bool // the cursor is
	Wrapped int  // lines that went on in the next row because they did not fit
	Bytes   int  // that were written
	Writes  int
}

// row is the cells of a row. A character of two columns leaves the second one empty.
type row struct {
	cells []string
	soft  bool // the line goes on in the next row
}

// New is an empty terminal of so many columns and lines.
func New(width, height int) *Terminal {
	return &Terminal{width: width, height: height, rows: make([]row, 1)}
}

// Size is the columns and lines.
func (t *Terminal) Size() (width, height int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.width, t.height
}

// Err is the first thing that was written and is not understood.
func (t *Terminal) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Screen is the rows of the screen without what is empty below and to the right.
func (t *Terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return text(t.rows[t.top:])
}

// All is Screen with what has scrolled off before it.
func (t *Terminal) All() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return text(t.rows)
}

// Cursor is where the cursor stands on the screen, both counted from 0.
func (t *Terminal) Cursor() (line, column int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.y - t.top, t.x
}

func text(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.TrimRight(strings.Join(r.cells, ""), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// Resize makes the terminal that large. Lines are wrapped anew, as terminals with a
// scrollback do.
func (t *Terminal) Resize(width, height int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows []row
	var line []string
	y, x := 0, 0
	cursor := -1 // within the line
	for i, r := range t.rows {
		if i == t.y {
			cursor = len(line) + t.x
		}
		if line = append(line, r.cells...); r.soft {
			continue
		}
		for len(line) > 0 && strings.TrimSpace(line[len(line)-1]) == "" && len(line) > cursor {
			line = line[:len(line)-1]
		}
		if cursor >= 0 {
			y, x = len(rows)+cursor/width, cursor%width
		}
		for len(line) > width {
			rows = append(rows, row{slices.Clone(line[:width]), true})
			line = line[width:]
		}
		rows = append(rows, row{cells: slices.Clone(line)})
		line, cursor = nil, -1
	}
	t.rows, t.width, t.height, t.y, t.x = rows, width, height, y, x
	for len(t.rows) <= t.y {
		t.rows = append(t.rows, row{})
	}
	t.top = max(0, t.y+1-height, min(t.top, len(t.rows)-height))
}

// Write takes output.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Bytes, t.Writes = t.Bytes+len(p), t.Writes+1
	s := t.rest + string(p)
	t.rest = ""
	for s != "" {
		n := t.take(s)
		if n == 0 { // in the middle of something
			t.rest = s
			break
		}
		s = s[n:]
	}
	return len(p), nil
}

// take takes in what stands first and returns its length, 0 if that is not there yet.
func (t *Terminal) take(s string) int {
	switch {
	case s[0] == '\n':
		t.y, t.x = t.y+1, 0
		t.scroll()
		return 1
	case s[0] == '\r':
		t.x = 0
		return 1
	case s[0] == '\x1b':
		return t.control(s)
	case !utf8.FullRuneInString(s):
		return 0
	}
	r, size := utf8.DecodeRuneInString(s)
	if !unicode.IsPrint(r) || r == utf8.RuneError && size == 1 {
		t.fail("the character %q", s[:size])
		return size
	}
	t.print(r)
	return size
}

func (t *Terminal) fail(format string, args ...any) {
	t.err = errors.Join(t.err, fmt.Errorf("not understood: "+format, args...))
}

func (t *Terminal) scroll() {
	for len(t.rows) <= t.y {
		t.rows = append(t.rows, row{})
	}
	t.top = max(t.top, t.y+1-t.height)
}

// control takes a control sequence (ECMA-48, 5.4).
func (t *Terminal) control(s string) int {
	if len(s) < 3 {
		return 0
	}
	end := strings.IndexFunc(s[2:], func(r rune) bool { return r >= '@' && r <= '~' })
	if s[1] != '[' || end < 0 && len(s) > 20 {
		t.fail("the sequence %.20q", s)
		return 1
	}
	if end < 0 {
		return 0
	}
	parameters, final := s[2:2+end], s[2+end]
	n, err := strconv.Atoi(parameters)
	switch {
	case final == 'm':
	case final == 'A' && err == nil:
		t.y = max(t.top, t.y-max(1, n))
	case final == 'K' && parameters == "":
		t.clear()
	case final == 'J' && parameters == "":
		t.clear()
		t.rows = t.rows[:t.y+1]
	case parameters == "?25" && (final == 'l' || final == 'h'):
		t.Hidden = final == 'l'
	default:
		t.fail("the sequence %q", s[:3+end])
	}
	return 3 + end
}

// clear empties the row from the cursor on. With the cursor behind the last column it
// takes that one away, as xterm does.
func (t *Terminal) clear() {
	r := &t.rows[t.y]
	at := min(t.x, t.width-1)
	r.cells, r.soft = r.cells[:min(at, len(r.cells))], false
}

func (t *Terminal) print(r rune) {
	wide := columns(r)
	if wide == 0 {
		if cells := t.rows[t.y].cells; t.x > 0 && t.x <= len(cells) {
			cells[t.x-1] += string(r)
		}
		return
	}
	if t.x+wide > t.width {
		t.rows[t.y].soft = true
		t.Wrapped++
		t.y, t.x = t.y+1, 0
		t.scroll()
	}
	line := &t.rows[t.y]
	for len(line.cells) < t.x+wide {
		line.cells = append(line.cells, " ")
	}
	line.cells[t.x] = string(r)
	if wide == 2 {
		line.cells[t.x+1] = ""
	}
	t.x += wide
}

// columns is how many a character takes, by the blocks of Unicode that terminals agree on.
func columns(r rune) int {
	if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
		return 0
	}
	for _, block := range [][2]rune{{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0xa4cf},
		{0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x20000, 0x3fffd}} {
		if r >= block[0] && r <= block[1] {
			return 2
		}
	}
	return 1
}
