package source

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Doc is a text that was read. Root is nil if the text is not TOML.
type Doc struct {
	Root *Node

	file   string
	text   string
	starts []int // byte offset of each line
	tree   *Node // what the scanner saw, also of a text that is not TOML
	hide   func() [][2]int
}

// Again is what reads the same text anew: a Doc takes many times the memory of its text, and most are
// not asked again.
func (d *Doc) Again() func() *Doc {
	file, text := d.file, d.text
	return func() *Doc {
		doc, _ := Read(file, text)
		return doc
	}
}

// Fault is something wrong with the text as TOML.
type Fault struct {
	Span
	Msg string // lower case, no full stop; "" for a duplicate

	// Path and First are set for a key or table that was defined before: what
	// it is, and where it was defined first.
	Path  []string
	First Span
}

// Read parses TOML 1.0. A later definition of the same key or table is a fault
// and is left out of the tree, so that the rest can still be checked; any other
// fault of syntax ends the reading. The text must be valid UTF-8; a byte order
// mark is skipped, and a line may end as on Windows: TOML leaves it to the reader
// what such an end is inside of a string, and shells and nft want a line feed.
// Spans carry the name of the file.
func Read(file, text string) (*Doc, []Fault) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	doc := &Doc{file: file, text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			doc.starts = append(doc.starts, i+1)
		}
	}
	s := newScanner(file, text)
	whole := s.document()
	doc.tree, doc.hide = s.root, sync.OnceValue(doc.secrets)
	if s.tooDeep {
		return doc, s.faults
	}
	values, err := decode(s.blanked())
	switch lone := strings.IndexByte(text, '\r'); {
	case err == nil && lone >= 0: // of two before a line feed: the parser takes it for a part of the line end
		return doc, append(s.faults, Fault{Span: s.span(lone, lone+1), Msg: noControl('\r')})
	case err != nil:
		// The scanner forgives what the parser does not: what it found behind
		// the mistake may be an echo of it.
		fault := doc.syntaxFault(err)
		var before []Fault
		for _, f := range s.faults {
			if f.off < fault.off {
				before = append(before, f)
			}
		}
		return doc, append(before, fault)
	case !whole || !s.root.bind(values):
		// A second byte order mark, which the parser skips too, is the only text
		// known for which this happens. If there is another, refusing it is right:
		// a key without a place would be a key nobody checks.
		msg := "cannot make sense of the file from here on"
		if strings.HasPrefix(text, "\ufeff") {
			msg = "the file begins with two byte order marks"
		}
		return doc, append(s.faults, Fault{Span: s.span(s.pos, s.pos), Msg: msg})
	}
	doc.Root = s.root
	return doc, s.faults
}

// decode runs the parser. It panics on nothing known, but it is not ours, and a
// fleet file must not be able to end the program.
func decode(text string) (values map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file cannot be parsed: %v", r)
		}
	}()
	_, err = toml.Decode(text, &values)
	if values == nil {
		values = map[string]any{}
	}
	return values, err
}

func (d *Doc) syntaxFault(err error) Fault {
	msg, off, width := err.Error(), 0, 1
	var pe toml.ParseError
	if errors.As(err, &pe) {
		msg = strings.TrimSuffix(pe.Message, ".")
		off = min(max(pe.Position.Start, 0), len(d.text))
		width = max(pe.Position.Len, 1)
	}
	if first, n := utf8.DecodeRuneInString(msg); n > 0 {
		msg = string(unicode.ToLower(first)) + msg[n:]
	}
	// The parser names the place before a control character.
	for i := off; i < min(off+2, len(d.text)); i++ {
		if c := d.text[i]; c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			msg, off, width = noControl(c), i, 1
			break
		}
	}
	s := newScanner(d.file, d.text)
	span := s.span(off, min(off+width, len(d.text)))
	if d.Line(span.Line) != d.raw(span.Line) {
		msg = "syntax error" // the parser's words may repeat the value
	}
	return Fault{Span: span, Msg: msg}
}

func noControl(c byte) string { return fmt.Sprintf("control character %U is not allowed", c) }

// maxLine bounds the lines that are repeated to people, in bytes.
const maxLine = 16 << 10

// Line returns a line of the text without its end, "" if there is none or it is
// too long to be shown. Secrets in it are asterisks, see secrets.
func (d *Doc) Line(n int) string {
	line := d.raw(n)
	if len(line) > maxLine {
		return ""
	}
	return d.mask(line, n)
}

func (d *Doc) raw(n int) string {
	if n < 1 || n > len(d.starts) {
		return ""
	}
	line := d.text[d.starts[n-1]:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	return line
}
