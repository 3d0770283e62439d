package commit

import (
	"embed"
	"strings"
	"sync"
)

//go:embed scripts/*.sh
var scripts embed.FS

// protocol is the version of the dialogue and of what is kept on a host.
const protocol = 1

// programs are those that were put together, and lines the form in which they travel: the
// same for thousands of hosts. Both are as many as there are verbs and modes.
var programs, lines sync.Map

// program joins script files, in order, with the line that starts them. Their comments
// stay here: they are a third of the bytes.
func program(start string, parts ...string) string {
	key := strings.Join(parts, " ") + "\n" + start
	if text, ok := programs.Load(key); ok {
		return text.(string)
	}
	var b strings.Builder
	for _, part := range parts {
		text, err := scripts.ReadFile("scripts/" + part + ".sh")
		if err != nil {
			// The files are part of this binary: a missing one is a typo here,
			// and every test of this package would see it.
			return "exit 70\n"
		}
		b.WriteString(bare(string(text)))
	}
	b.WriteString(start)
	text, _ := programs.LoadOrStore(key, b.String())
	return text.(string)
}

// bare is a script without the lines that are comments, but for what shellcheck is told. Lines
// that look like it in the middle of a quoted text are awk's comments, or those of the init
// script that unit.sh writes, which stay: a test has bash read both.
func bare(text string) string {
	if strings.Contains(text, "\nINITTEXT=") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		comment, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "#")
		if !ok || strings.HasPrefix(comment, " shellcheck disable") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// greeting ends a line that a login script left open, so that the marker stands
// at the beginning of the next.
const greeting = "echo\nMARK=$2 CONNECTION=$1\n"

// wanted is what of the backends to look at, one of them or auto, the digest of the
// policy that is known, or none for not to tell, and the mode.
const wanted = "WANT=$3 POLICY=$4 ADOPT=$5\n"

func beginProgram(m Mode) string {
	return program(greeting+wanted+"begin\n", m.with("base", "list", "others", "facts", "unit", "dialogue", "load", "watcher", "timer", "persist", "arm", "form", "begin")...)
}

// inspectProgram contains nothing that could change a host.
func inspectProgram(m Mode) string {
	return program(greeting+wanted+"myself\nfacts\nsay ask\nexit 0\n", m.with("base", "list", "others", "facts", "unit")...)
}

// pastProgram neither.
func pastProgram() string {
	return program(greeting+"myself\npast \"$3\"\nsay ask\nexit 0\n", "base", "list", "others", "facts", "unit", "past")
}

func finishProgram() string {
	return program(greeting+"T=$4\nfinish \"$3\"\n", "base", "list", "others", "facts", "dialogue", "load", "watcher", "timer", "persist", "arm", "finish")
}

// revertProgram stays on the host and is what the timers run. Only that of a host in
// mode exclusive can take home-made rules away and put them back.
func revertProgram(m Mode) string {
	return program("", append(m.with("base", "list", "load", "watcher", "timer", "persist"), m.adopt("revert")...)...)
}

// doctorProgram can load nothing and make no step of the state.
func doctorProgram(m Mode) string {
	return program(greeting+wanted+"doctor\n", m.with("base", "list", "others", "facts", "unit", "dialogue", "watcher", "arm", "doctor")...)
}

// canaryProgram is what the timers run that doctor tries.
func canaryProgram() string { return program("", "base", "watcher", "canary") }

// bootProgram stays on a host of the iptables backend or in mode exclusive: what its
// boot unit runs.
func bootProgram(m Mode) string {
	return program("", append(m.with("base", "list", "load"), m.adopt("boot")...)...)
}

// line is what travels for a program.
func line(text string) []byte {
	if b, ok := lines.Load(text); ok {
		return b.([]byte)
	}
	b, _ := lines.LoadOrStore(text, []byte(oneLine(text)))
	return b.([]byte)
}

// oneLine wraps a program so that it travels as the first line of standard
// input. A shell that meets only part of it, because a login script read some
// of its input, finds a syntax error or an open quote and runs none of it; and
// the rest of the input stays for the dialogue. The text is data for printf
// and eval: no part of it is put together here. A quote is written with all
// three octal digits of printf's \0ddd, or a digit behind it would join in.
func oneLine(text string) string {
	esc := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `'`, `\0047`).Replace(text)
	return `eval "$(printf %b '` + esc + `')"` + "\n"
}

// command is what the login shell is asked to run: plain words that every
// shell takes. sshd's SSH_CONNECTION is an argument because sudo drops it from
// the environment. The further words are random hex or fixed.
func command(words ...string) string {
	return `sh -s -- "$SSH_CONNECTION" ` + strings.Join(words, " ")
}
