package ui_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"

	"fwpush/internal/ui"
)

func TestColourFor(t *testing.T) {
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	defer tty.Close()
	tests := []struct {
		name string
		when ui.When
		out  any
		env  map[string]string
		want bool
	}{
		{"terminal", ui.Auto, tty, nil, true},
		{"pipe", ui.Auto, &bytes.Buffer{}, nil, false},
		{"NO_COLOR", ui.Auto, tty, map[string]string{"NO_COLOR": "1"}, false},
		{"empty NO_COLOR", ui.Auto, tty, map[string]string{"NO_COLOR": ""}, true},
		{"dumb", ui.Auto, tty, map[string]string{"TERM": "dumb"}, false},
		{"always into a pipe", ui.Always, &bytes.Buffer{}, map[string]string{"NO_COLOR": "1"}, true},
		{"never", ui.Never, tty, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ui.ColourFor(tt.when, tt.out, func(k string) string { return tt.env[k] })
			if got := c.Red("x") != "x"; got != tt.want {
				t.Errorf("coloured is %t, want %t", got, tt.want)
			}
		})
	}
}

func TestIsTerminalOfAFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ui.IsTerminal(f) {
		t.Error("a regular file is no terminal")
	}
}

func TestTable(t *testing.T) {
	var tab ui.Table
	tab.Row("HOST", "STATE", "NOTE")
	tab.Painted(func(s string) string { return "<" + s + ">" }, "web[01-13]", "ok", "")
	tab.Row("größe", "drift", "by \x1b[31mhand")
	var b bytes.Buffer
	if err := tab.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`HOST        STATE  NOTE`,
		`<web[01-13]>  ok`,
		`größe       drift  by \x1b[31mhand`,
		``,
	}, "\n")
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestAsk(t *testing.T) {
	for in, want := range map[string]bool{
		"yes\n": true, "YES \n": true, "yes": true,
		"y\n": false, "no\n": false, "\n": false, "": false, "yesyes\n": false,
		strings.Repeat("yes ", 1000) + "\n": false,
	} {
		var out bytes.Buffer
		got, err := ui.Ask(strings.NewReader(in), &out, "go on?")
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%.20q is taken for %t", in, got)
		}
		if !strings.HasPrefix(out.String(), "go on? [yes/no] ") {
			t.Errorf("asked %q", out.String())
		}
	}
}
