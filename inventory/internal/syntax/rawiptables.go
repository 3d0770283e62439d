package syntax

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// RawIptables checks iptables text of [[raw]]: rules without their chain, one a
// line. The text comes back without comments.
func RawIptables(s string, table bool) (string, *Error) {
	if e := raw(s); e != nil {
		return "", e
	}
	if table {
		return "", wrong(`iptables has nothing to say at "table"`, "write its rules at before-allow or before-default")
	}
	var out strings.Builder
	at := 0
	for line := range strings.Lines(s) {
		text := strings.Trim(line, " \t\n")
		if text != "" && text[0] != '#' {
			if msg, hint := xtRule(text); msg != "" {
				return "", &Error{Msg: msg, Hint: hint, Char: at + strings.Index(line, text)}
			}
			out.WriteString(text + "\n")
		}
		at += len(line)
	}
	return said(out.String())
}

// xtWord is a word of a rule as iptables-restore takes it: what stands in quotes is
// one, or a part of one.
var xtWord = regexp.MustCompile(`([^" \t]|"[^"]*")+`)

// xtRule tells what is wrong with one rule.
func xtRule(rule string) (msg, hint string) {
	const place = "raw adds rules to a chain of fwpush and touches nothing else"
	if i := strings.IndexAny(rule, "`$\\;"); i >= 0 {
		return fmt.Sprintf("%q is not allowed", rule[i]), ""
	}
	if strings.Count(rule, `"`)%2 > 0 {
		return "a quote is not closed", ""
	}
	before := ""
	for i, w := range xtWord.FindAllString(rule, -1) {
		w = strings.ReplaceAll(w, `"`, "")
		switch {
		case i == 0 && !strings.HasPrefix(w, "-") && w != "!":
			return Quote(rule) + " is no rule", "write matches and a target as iptables does, such as -p tcp --dport 9 -j ACCEPT"
		case strings.HasPrefix(w, "#"):
			return Quote(w) + " is not allowed", "a comment stands on a line of its own"
		case noPart(w):
			return Quote(w) + " is not allowed", place
		case strings.Contains(w, "FWPUSH-"), before != "--match-set" && ownSet.MatchString(w):
			return Quote(w) + " is a name of fwpush", "raw may match its sets, and neither change them nor jump to its chains"
		}
		before = w
	}
	return "", ""
}

// ownSet is how fwpush calls sets of ipset and tables of hashlimit.
var ownSet = regexp.MustCompile(`(^|=)fwp[46]?-`)

// parts are the short options that rules are made of. All others are commands, or
// would have iptables print its help and load nothing.
const parts = "psdiojgmf"

// commands are the long options that are no part of a rule.
var commands = []string{"--table", "--append", "--insert", "--delete", "--replace", "--check", "--flush", "--policy", "--new-chain",
	"--delete-chain", "--rename-chain", "--zero", "--list", "--list-rules", "--modprobe", "--help", "--version", "--ipv4", "--ipv6",
	"--wait", "--wait-interval", "--verbose", "--numeric", "--exact", "--line-numbers"}

// noPart reports whether a word is an option that is no part of a rule.
// getopt_long(3) takes a long one by its beginning too and a value behind "=", a
// short one with its value attached, and several short ones in one word.
func noPart(word string) bool {
	long, _, _ := strings.Cut(word, "=")
	switch {
	case long == "--pol": // of match policy, and then it is no abbreviation
		return false
	case strings.HasPrefix(long, "--"):
		return slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, long) })
	case len(word) < 2 || word[0] != '-':
		return false
	}
	return word[1] != ' ' && strings.IndexByte(parts, word[1]) < 0 || word[1] == 'f' && word != "-f"
}
