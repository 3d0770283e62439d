package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// WriteJSON writes v as one line of JSON that is safe to look at on a terminal:
// encoding/json escapes C0 controls and replaces what is no UTF-8; here C1
// controls, DEL, bidirectional and other invisible characters become \uNNNN as
// well. A reader of JSON gets the very same strings.
func WriteJSON(w io.Writer, v any) error {
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false) // rules are full of < > &, and no browser reads this
	if err := e.Encode(v); err != nil {
		return err
	}
	// Outside of strings JSON is ASCII, so whatever is found here is in one.
	var safe bytes.Buffer
	for _, r := range plain.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			safe.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&safe, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	_, err := w.Write(safe.Bytes())
	return err
}
