package syntax

import (
	"fmt"
	"strings"
	"unicode"
)

// Shell checks text that is run by sh on a host. What it does is its writer's
// business; that it is text at all is not.
func Shell(s string) *Error {
	switch {
	case strings.TrimSpace(s) == "":
		return wrong("run is empty", "")
	case len(s) > 4096:
		return wrong(fmt.Sprintf("run is too long: %d bytes, at most 4096", len(s)), "put a script on the host and run that")
	}
	return text(s)
}

// text refuses what would not arrive as it looks.
func text(s string) *Error {
	for i, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return &Error{Msg: "character not allowed", Hint: fmt.Sprintf("remove %U", r), Char: i}
		}
	}
	return nil
}

// maxRaw bounds one text of [[raw]], in bytes.
const maxRaw = 64 << 10

// raw checks what holds for the text of either backend.
func raw(s string) *Error {
	if len(s) > maxRaw {
		return wrong(fmt.Sprintf("raw text is too long: %d bytes, at most %d", len(s), maxRaw), "")
	}
	return text(s)
}

// said is what is left of the text without comments; nothing is an error.
func said(clean string) (string, *Error) {
	if clean == "" {
		return "", wrong("raw text is empty", "leave the key out")
	}
	return clean, nil
}
