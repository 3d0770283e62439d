package hostiletest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// evil is all that no terminal shall get: a title, the clipboard (OSC 52), colours and cursor
// movements in their forms of seven and of eight bits, BEL, BS, DEL, NUL, CR, bidirectional
// controls, separators of lines and other invisible characters, and bytes that are no UTF-8.
const evil = "\x1b]0;pwned\x07\x1b]52;c;cHduZWQ=\x1b\\\x1b[2J\x1b[1;1H\x1b[31m\u009b31m\x9b31m\x90q\x9c\b\x7f\x00\r\u202e\u2066\u200f\u2028\u2029\u200b\ufeff\xff\xfe\xc3\x28\xed\xa0\x80\U000e0041"

// own is what fwpush itself sends to a terminal: colours, and the block of the live view.
var own = regexp.MustCompile(`\x1b\[(?:[0-9;]*m|[0-9]+A|[JK])|\r\x1b\[[0-9]+A|\r\n`)

// raw is what in a text a terminal would act on, beside line feeds and tabs; "" for nothing.
// On a terminal the program's own sequences may be there too.
func raw(text string, terminal bool) string {
	if terminal {
		text = own.ReplaceAllString(text, "\n")
	}
	for i, r := range text {
		bad := r == utf8.RuneError && strings.HasPrefix(text[i:], "\xef\xbf\xbd") == false
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) || bad {
			return fmt.Sprintf("byte %d: %q in %q", i, text[i:min(len(text), i+utf8.RuneLen(max(r, 0))+1)], text[max(0, i-60):min(len(text), i+60)])
		}
	}
	return ""
}

// TestScanner: the judge of all others sees every character of evil, and not the live view.
func TestScanner(t *testing.T) {
	for s := evil; s != ""; {
		_, n := utf8.DecodeRuneInString(s)
		if c := s[:n]; raw("a"+c+"b", false) == "" && !strings.Contains("]0;pwned52cHduZWQ=\\[2J1;1H31mq\x28", c) {
			t.Errorf("%q is not seen", c)
		}
		s = s[n:]
	}
	for _, text := range []string{"web1  ok\n\tchain \ufffd größer 日本\n"} {
		if got := raw(text, false); got != "" {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := raw("\x1b[32mok\x1b[0m\r\n\r\x1b[2Aall\x1b[K\r\n\x1b[J", true); got != "" {
		t.Errorf("the live view: %s", got)
	}
	for _, text := range []string{"\x1b[2J", "\x1b]52;c;x\x07", "a\rb", "\x1b[1;1H"} {
		if raw(text, true) == "" {
			t.Errorf("%q passes on a terminal", text)
		}
	}
}
