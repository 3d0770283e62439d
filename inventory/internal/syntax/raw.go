package syntax

import (
	"fmt"
	"regexp"
	"slices"
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

// nftWords are commands and statements of an nft script that reach beyond the
// place raw text stands in, or read files: nft prints lines of those in its errors.
var nftWords = []string{"include", "define", "undefine", "redefine", "flush", "delete", "destroy", "table", "list", "reset", "monitor", "import", "export", "hook", "policy", "device", "flags owner"}

// RawNft checks nft text of [[raw]]: rules, or with table whole sets, maps and
// chains. It has to stay where it is put: every brace that it opens it closes.
func RawNft(s string, table bool) *Error {
	if e := raw(s); e != nil {
		return e
	}
	depth, quoted := 0, false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '\n' && quoted:
			return &Error{Msg: "a quote is open at the end of a line", Char: i}
		case quoted:
		case r == '{':
			depth++
		case r == '}':
			depth--
		case r == ';' && depth == 0, r == '\\', r == '$', r == '`':
			return &Error{Msg: fmt.Sprintf("%q is not allowed in raw", r), Hint: "one statement a line", Char: i}
		}
		if depth < 0 {
			return &Error{Msg: "a brace is closed that was not opened", Char: i}
		}
	}
	if depth != 0 || quoted {
		return wrong("a brace or a quote is not closed", "")
	}
	bare := quotedText.ReplaceAllString(comment.ReplaceAllString(s, ""), `""`)
	for _, w := range nftWords {
		if regexp.MustCompile(`(^|[^A-Za-z0-9_@-])` + w + `($|[^A-Za-z0-9_-])`).MatchString(bare) {
			return wrong(Quote(w)+" is not allowed in raw", "raw adds to table inet fwpush and touches nothing else")
		}
	}
	if table {
		for line := range strings.Lines(bare) {
			if l := strings.TrimSpace(line); strings.HasSuffix(l, "{") && indent(line) == 0 && !blockHead.MatchString(l) {
				return wrong(Quote(l)+" is not allowed in raw", "with at = \"table\" a set, a map, a chain, a counter, a quota or a limit of a name of its own")
			}
		}
		return nil
	}
	if depthLine.MatchString(bare) {
		return wrong("raw holds a block", `sets and chains stand in raw with at = "table"`)
	}
	return nil
}

var (
	quotedText = regexp.MustCompile(`"[^"\n]*"`)
	comment    = regexp.MustCompile(`(?m)#.*$`)
	blockHead  = regexp.MustCompile(`^(set|map|chain|counter|quota|limit|ct helper|ct timeout|ct expectation) [A-Za-z][A-Za-z0-9_.-]{0,63} \{$`)
	depthLine  = regexp.MustCompile(`(?m)^\s*(set|map|chain|counter|quota|limit) \S+ \{\s*$`)
)

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// RawIptables checks iptables text of [[raw]]: rules without their chain, or with
// table whole chains of their own.
func RawIptables(s string, table bool) *Error {
	if e := raw(s); e != nil {
		return e
	}
	if table {
		return wrong(`iptables has nothing to say at "table"`, "write its rules at before-allow or before-default")
	}
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if line[0] != '-' && line[0] != '!' {
			return wrong(Quote(line)+" is no rule of iptables", "write matches and a target, such as -p tcp --dport 9 -j ACCEPT")
		}
		for _, w := range words {
			if reachesOut(w) {
				return wrong(Quote(w)+" is not allowed in raw", "raw adds rules to a chain of fwpush and touches nothing else")
			}
		}
		if i := strings.IndexAny(line, "`$\\;"); i >= 0 {
			return wrong(fmt.Sprintf("%q is not allowed in raw", line[i]), "")
		}
	}
	return nil
}

// commands are the options of iptables that say which chain or table is meant, or
// do something else than add a rule.
var commands = []string{"--table", "--append", "--insert", "--delete", "--replace", "--flush", "--policy", "--new-chain",
	"--delete-chain", "--rename-chain", "--zero", "--list", "--list-rules", "--modprobe"}

// reachesOut reports whether a word is such an option. getopt_long(3) takes a long
// one by its beginning too and a value behind "=", a short one with its value
// attached.
func reachesOut(word string) bool {
	long, _, _ := strings.Cut(word, "=")
	switch {
	case long == "--pol": // of match policy, and then it is no abbreviation
		return false
	case len(long) > 2 && strings.HasPrefix(long, "--"):
		return slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, long) })
	}
	return len(word) > 1 && word[0] == '-' && strings.IndexByte("AIDRFXNPEZLStM", word[1]) >= 0
}

func raw(s string) *Error {
	switch {
	case strings.TrimSpace(s) == "":
		return wrong("raw text is empty", "leave the key out")
	case len(s) > maxRaw:
		return wrong(fmt.Sprintf("raw text is too long: %d bytes, at most %d", len(s), maxRaw), "")
	}
	return text(s)
}
