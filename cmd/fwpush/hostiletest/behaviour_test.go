package hostiletest

import (
	"io"
	"strings"
	"sync/atomic"
	"time"

	"fwpush/internal/simhost"
	"fwpush/internal/sshtest"
)

// point is a step of the dialogue: what a host is about to say when it goes astray.
type point struct {
	program simhost.Program
	word    string // of the line, or the name of a section
}

func (p point) String() string { return string(p.program) + ":" + p.word }

// behaviour is what a host does in place of one line that it was to say.
type behaviour struct {
	name string
	do   func(h *hijack, line string)
}

// behaviours end at once, or as soon as the client has had enough.
var behaviours = []behaviour{
	{"cut", func(h *hijack, _ string) { h.x.Drop() }},
	{"exit 0", func(h *hijack, _ string) { h.end(sshtest.Exit{}) }},
	{"exit 255, escapes on stderr", func(h *hijack, _ string) {
		io.WriteString(h.x.Stderr, "sh: "+evil+"\n"+evil)
		h.end(sshtest.Exit{Status: 255})
	}},
	{"exit -1", func(h *hijack, _ string) { h.end(sshtest.Exit{Status: -1}) }},
	{"a signal nobody knows", func(h *hijack, _ string) { h.end(sshtest.Exit{Signal: evil}) }},
	{"ends and does not say how", func(h *hijack, _ string) { h.end(sshtest.Exit{Mute: true}) }},
	{"status after status", func(h *hijack, _ string) {
		for range 100 {
			h.x.Tell("exit-status", []byte{0, 0, 0, 0})
			h.x.Tell("exit-signal", []byte("\xff\xff\xff\xff"))
			h.x.Tell(evil, []byte(evil))
		}
		h.end(sshtest.Exit{})
	}},
	{"a word nobody knows", func(h *hijack, _ string) { h.tell(evil + " " + evil) }},
	{"escapes behind it", func(h *hijack, line string) { h.tell(line + " " + evil) }},
	{"escapes for it", func(h *hijack, line string) { word, _, _ := strings.Cut(line, " "); h.tell(word + " " + evil) }},
	{"nothing behind it", func(h *hijack, line string) { word, _, _ := strings.Cut(line, " "); h.tell(word) }},
	{"refused with escapes", func(h *hijack, _ string) { h.tell("refused check " + evil) }},
	{"dropped with escapes", func(h *hijack, _ string) { h.tell("dropped stop " + evil) }},
	{"held by escapes", func(h *hijack, _ string) {
		h.tell("held " + strings.Repeat("ab", 16) + " applied 3600 " + evil + "x no " + evil + " " + evil)
	}},
	{"stuck with escapes", func(h *hijack, _ string) { h.tell("stuck " + evil) }},
	{"negative", func(h *hijack, line string) { h.tell(numbers(line, "-1")) }},
	{"huge", func(h *hijack, line string) { h.tell(numbers(line, "9223372036854775807")) }},
	{"more than huge", func(h *hijack, line string) { h.tell(numbers(line, strings.Repeat("9", 400))) }},
	{"twice", func(h *hijack, line string) { h.tell(line); h.tell(line) }},
	{"a line of 2 MB", func(h *hijack, line string) { io.WriteString(h.out, h.mark+" "+line+strings.Repeat("x", 2<<20)) }},
	{"stdout without end", func(h *hijack, _ string) { flood(h.out, evil+"\n") }},
	{"words without end", func(h *hijack, line string) { flood(h.out, h.mark+" "+line+"\n") }},
	{"stderr without end", func(h *hijack, _ string) { flood(h.x.Stderr, evil+"\n") }},
	{"half a line", func(h *hijack, line string) { io.WriteString(h.out, h.mark+" "+line); h.end(sshtest.Exit{}) }},
}

// flood writes until nobody takes it, 64 MiB at most.
func flood(w io.Writer, text string) {
	block := []byte(strings.Repeat(text, 1+32<<10/len(text)))
	for sent := 0; sent < 64<<20; sent += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// drip writes a text byte by byte, or again and again if it is a whole line.
func drip(h *hijack, text string, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		part := text
		if !strings.HasSuffix(text, "\n") {
			part = text[i%len(text):][:1]
		}
		if _, err := io.WriteString(h.out, part); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-h.x.Context().Done():
			return
		}
	}
}

// numbers puts another number for each of a line.
func numbers(line, n string) string {
	words := strings.Split(line, " ")
	for i, w := range words {
		if i > 0 && w != "" && strings.Trim(w, "0123456789") == "" {
			words[i] = n
		}
	}
	return strings.Join(words, " ")
}

// fault has a host do something at a point, the first so many times that it comes there. Fired
// counts them.
func (b behaviour) fault(at point, times int, fired *atomic.Int64) simhost.Faults {
	return simhost.Faults{Command: func(p simhost.Program, x *sshtest.Exec, run func() sshtest.Exit) sshtest.Exit {
		if p != at.program {
			return run()
		}
		return stand(x, run, func(line string, ours bool) func(*hijack) {
			word, rest, _ := strings.Cut(line, " ")
			if !ours || word != at.word && (word != "section" || rest != at.word) || fired.Load() >= int64(times) {
				return nil
			}
			fired.Add(1)
			return func(h *hijack) { b.do(h, line) }
		})
	}}
}
