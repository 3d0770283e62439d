package ui

import (
	"regexp"
	"strings"
)

// Shell is a word as a POSIX shell takes it, quoted where it has to be: for commands that
// are shown to be typed. What a terminal could act on is escaped, too; such a word does
// not stand for itself any more, and does no harm.
func Shell(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(Safe(word), "'", `'\''`) + "'"
}

// plain is what no shell takes for anything else. Words that begin with "~" or "=" are
// not among them, and neither are brackets: zsh fails where no file is called so.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+-][A-Za-z0-9_./:@%+=,-]*$`)
