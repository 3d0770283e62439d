package vt

import (
	"io"
	"testing"
)

// TestTerminal is what terminals do with what fwpush writes.
func TestTerminal(t *testing.T) {
	tests := []struct {
		name, in, want string
		line, column   int
	}{
		{"text", "web01\nweb02", "web01\nweb02\n", 1, 5},
		{"overwritten", "web01\rWEB", "WEB01\n", 0, 3},
		{"up and cleared", "a\nbcd\n\x1b[2Ax\x1b[K\ny\x1b[J", "x\ny\n", 1, 1},
		{"up beyond the top", "a\n\x1b[9Ab", "b\n", 0, 1},
		{"colour", "\x1b[1;31mred\x1b[0m", "red\n", 0, 3},
		{"exactly as wide", "1234567890\nx", "1234567890\nx\n", 1, 1},
		{"cleared behind the last column", "1234567890\x1b[K\nx", "123456789\nx\n", 1, 1},
		{"wider", "1234567890ab", "1234567890\nab\n", 1, 2},
		{"scrolled", "1\n2\n3\n4\n5", "2\n3\n4\n5\n", 3, 1},
		{"two columns", "123456789東", "123456789\n東\n", 1, 2},
		{"combining", "e\u0301x", "e\u0301x\n", 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := New(10, 4)
			for _, b := range []byte(tt.in) { // in pieces of a byte
				v.Write([]byte{b})
			}
			line, column := v.Cursor()
			if v.Err() != nil || v.Screen() != tt.want || line != tt.line || column != tt.column {
				t.Errorf("%v, cursor at %d,%d\n%s", v.Err(), line, column, v.Screen())
			}
		})
	}
}

func TestTerminalRefuses(t *testing.T) {
	for _, in := range []string{"\x1b]0;title\x07", "\x1b[2K", "\x1b[?1049h", "\x07", "\x9b", "\u202e", "a\tb"} {
		v := New(10, 4)
		io.WriteString(v, in)
		if v.Err() == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

func TestResize(t *testing.T) {
	v := New(10, 4)
	io.WriteString(v, "top\n12345678\nab\n")
	v.Resize(5, 4)
	if line, column := v.Cursor(); v.All() != "top\n12345\n678\nab\n" || line != 3 || column != 0 {
		t.Errorf("cursor at %d,%d\n%s", line, column, v.All())
	}
	v.Resize(20, 4)
	if line, column := v.Cursor(); v.All() != "top\n12345678\nab\n" || column != 0 {
		t.Errorf("cursor at %d,%d\n%s", line, column, v.All())
	}
}
