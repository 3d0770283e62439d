package transport

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzLines: a stream has the same lines however it is cut into packets.
func FuzzLines(f *testing.F) {
	f.Add("a\nb\n\nc", uint8(1))
	f.Add("\r\n\n\x00\n", uint8(2))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		var l lines
		var got []string
		for rest := stream; rest != ""; {
			n := min(len(rest), int(size)+1)
			if !l.add([]byte(rest[:n])) && len(stream) <= maxLine {
				t.Fatal("too long a line of a short stream")
			}
			rest = rest[n:]
			for line, ok := l.next(); ok; line, ok = l.next() {
				got = append(got, line)
			}
		}
		if whole := strings.Join(append(got, l.rest()), "\n"); whole != stream || strings.Contains(strings.Join(got, ""), "\n") {
			t.Fatalf("%q became %q", stream, got)
		}
	})
}

// FuzzQuestion: nothing that a host prints by itself is taken for sudo's question or for the
// command, since their marks are drawn; su is known by its own words alone.
func FuzzQuestion(f *testing.F) {
	for _, seed := range []string{"[sudo] password for x: ", "Password: ", "password:", "env: can't execute 'sudo'\n", "+ sudo -S -p %%\n", "", "assword:\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		for _, by := range []string{becomeSudo, becomeSu} {
			q := newQuestion(by)
			if q.reached(stream) || by == becomeSudo && q.asks(stream) {
				t.Fatalf("%s: %q is taken for what it is not", by, stream)
			}
			if asked := by == becomeSu && q.asks(stream); asked && strings.Contains(stream[strings.LastIndexByte(stream, '\n')+1:], "assword") != asked {
				t.Fatalf("su asks by %q", stream)
			}
			if !q.reached(stream + q.ready + "\r") {
				t.Fatalf("%s: %q hides the command", by, stream)
			}
			prompt := q.mark[:8] + "%" + q.mark[8:]
			if by == becomeSudo && !q.asks(stream+"\n"+prompt) {
				t.Fatalf("%q hides the question", stream)
			}
			// A shell that shows what it runs has two percent signs there.
			if by == becomeSudo && q.asks(stream+"\n+ "+q.command("sh -s")) {
				t.Fatal("the command is taken for the question")
			}
		}
	})
}

// FuzzPrintable: an error text that holds a host's words is bounded, and a terminal cannot act on it.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[2J\x9b\u202e\xff", strings.Repeat("\u202e", 300), "a\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if len(got) > maxErrorText+20 || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q became %q", s, got)
		}
		if len(s) < maxErrorText/2 && got != s && !strings.Contains(got, `\`) {
			t.Fatalf("%q became %q without a mark", s, got)
		}
		if printable(got) != got && len(got) <= maxErrorText {
			t.Fatalf("%q is not stable", got)
		}
		w := &lastWords{}
		_, _ = w.Write([]byte(s)) // never fails
		if last := w.String(); strings.Contains(last, "\n") || len(last) > maxErrorText {
			t.Fatalf("%q has the last words %q", s, last)
		}
	})
}
