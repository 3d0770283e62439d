package syntax

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ownName is what raw text declares, changes and jumps to. No name of fwpush
// begins so: text can neither add to its sets nor to its chains.
var ownName = regexp.MustCompile(`^x_[A-Za-z0-9_.-]{1,61}$`)

const ownHint = "raw declares, changes and jumps to names that begin with x_; other names may be matched"

// nftFiles are words of nft's scanner that need no statement to begin with: it reads
// files wherever include stands, and prints lines of them in its errors.
var nftFiles = []string{"include", "define", "undefine", "redefine"}

// nftCommands begin statements that reach beyond the place raw text stands in.
var nftCommands = []string{"flush", "destroy", "table", "list", "reset", "monitor",
	"import", "export", "create", "replace", "insert", "rename", "describe", "get"}

// hookWords begin statements that make something else of the chain they stand in,
// blockWords those that are no rules but blocks.
var (
	hookWords  = []string{"type", "policy", "device", "devices", "flags"}
	blockWords = []string{"set", "map", "chain", "flowtable"}
)

// blockHead opens a block of raw text at "table".
var blockHead = regexp.MustCompile(`^(set|map|chain|counter|quota|limit|ct helper|ct timeout|ct expectation) (\S+) \{$`)

// nftToken is what nft's own scanner tells apart (src/scanner.l): a text in quotes,
// a comment, blanks, a word, or one other character.
var nftToken = regexp.MustCompile(`"[^"]*"|#.*|[ \t]+|[A-Za-z0-9_./*-]+|.`)

// token is a piece of nft text that means something, and where it begins.
type token struct {
	text string
	at   int
}

// nftLine is a line of nft text.
type nftLine []token

// word is the text of a token without its quotes, "" where there is none.
func (l nftLine) word(i int) string {
	if i >= len(l) {
		return ""
	}
	return strings.Trim(l[i].text, `"`)
}

// String is the line with single blanks.
func (l nftLine) String() string {
	words := make([]string, len(l))
	for i, t := range l {
		words[i] = t.text
	}
	return strings.Join(words, " ")
}

// nftLines takes a text apart. Lines that say nothing are left out.
func nftLines(s string) []nftLine {
	var lines []nftLine
	at := 0
	for text := range strings.Lines(s) {
		var l nftLine
		for _, span := range nftToken.FindAllStringIndex(strings.TrimSuffix(text, "\n"), -1) {
			if t := text[span[0]:span[1]]; t[0] != '#' && t[0] != ' ' && t[0] != '\t' {
				l = append(l, token{t, at + span[0]})
			}
		}
		if len(l) > 0 {
			lines = append(lines, l)
		}
		at += len(text)
	}
	return lines
}

// RawNft checks nft text of [[raw]]: rules, one a line, or with table whole sets,
// maps and chains. It has to stay where it is put: every brace that it opens it
// closes, and what it changes has a name of its own. The text comes back without
// comments, in which whoever reads on might find quotes and braces.
func RawNft(s string, table bool) (string, *Error) {
	if e := raw(s); e != nil {
		return "", e
	}
	var out strings.Builder
	depth, chain := 0, !table // chain: the lines are rules
	for _, l := range nftLines(s) {
		outer, least := depth, depth
		for i, t := range l {
			bad := func(msg, hint string) (string, *Error) { return "", &Error{Msg: msg, Hint: hint, Char: t.at} }
			switch t.text {
			case "{":
				depth++
			case "}":
				depth--
				least = min(least, depth)
			case `"`:
				return bad("a quote is open at the end of a line", "")
			case `\`, "$", "`":
				return bad(fmt.Sprintf("%q is not allowed", t.text[0]), "")
			case ";":
				if depth == 0 {
					return bad(`';' is not allowed`, "one statement a line")
				}
			}
			if depth < 0 {
				return bad("a brace is closed that was not opened", "")
			}
			starts := i == 0 || l[i-1].text == ";"
			if msg, hint := l.reachesOut(i, starts, chain && !(table && outer == 0)); msg != "" {
				return bad(msg, hint)
			}
		}
		text := s[l[0].at : l[len(l)-1].at+len(l[len(l)-1].text)]
		bad := func(msg, hint string) (string, *Error) { return "", &Error{Msg: msg, Hint: hint, Char: l[0].at} }
		switch {
		case !table && depth > 0:
			return bad("a rule goes on in the next line", `one rule a line; sets and chains stand in raw with at = "table"`)
		case table && outer == 0:
			head := blockHead.FindStringSubmatch(l.String())
			if head == nil {
				return bad(Quote(text)+" begins no block", `with at = "table" a block begins with a line such as "set x_NAME {", or map, chain, counter, quota, limit or ct helper, and ends with the line "}"`)
			}
			if !ownName.MatchString(head[2]) {
				return bad(head[1]+" "+Quote(head[2])+" is not called x_NAME", ownHint)
			}
			text, chain = l.String(), head[1] == "chain"
		case table && least == 0 && text != "}":
			return bad(Quote(text)+" closes a block", `write "}" on a line of its own`)
		}
		out.WriteString(text + "\n")
	}
	if depth != 0 {
		return "", wrong("a brace is not closed", "")
	}
	return said(out.String())
}

// reachesOut tells what is wrong with a word of a line: that it touches what is not
// the text's own. Starts is whether it begins a statement, chain whether that is a
// rule.
func (l nftLine) reachesOut(i int, starts, chain bool) (msg, hint string) {
	const place = "raw adds to table inet fwpush and touches nothing else"
	w, next := l[i].text, l.word(i+1)
	named := next
	if next == "@" {
		named = l.word(i + 2)
	}
	switch {
	case slices.Contains(nftFiles, w), starts && slices.Contains(nftCommands, w), starts && chain && slices.Contains(hookWords, w), w == "hook":
		return Quote(w) + " is not allowed", place
	case starts && chain && slices.Contains(blockWords, w):
		return Quote(w) + " begins no rule", `sets and chains stand in raw with at = "table"`
	case w == "add" || w == "update" || w == "delete":
		if next != "@" {
			return Quote(w) + " is not allowed", "elements are added by " + w + " @x_NAME { ip saddr }"
		}
	case w == "jump", w == "goto", w == "meter":
	case w == "name" && i > 0 && slices.Contains([]string{"counter", "quota", "limit", "synproxy"}, l[i-1].text):
	default:
		return "", ""
	}
	if !ownName.MatchString(named) {
		return Quote(strings.TrimSpace(w+" "+named)) + " is not allowed", ownHint
	}
	return "", ""
}
