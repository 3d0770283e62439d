package simhost

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/sshtest"
)

// shell is one program running on a host, with its dialogue.
type shell struct {
	*Host
	x          *sshtest.Exec
	in         *bufio.Reader
	mark       string
	args       []string // $3 and what follows
	connection string   // SSH_CONNECTION
	root       bool
	lie        func(string) string
	exit       sshtest.Exit
}

// maxProgram is the longest first line that is read, in bytes.
const maxProgram = 1 << 20

// run is what the login shell does with a command line.
func (h *Host) run(x *sshtest.Exec) sshtest.Exit {
	h.mu.Lock()
	h.counts.Execs++
	s := &shell{Host: h, x: x, lie: h.faults.Lie}
	h.mu.Unlock()
	s.connection = fmt.Sprintf("%s %d %s %d", h.fleet.options.Controller, x.Client.Port(), x.Host, h.addr.Port())
	if !s.parse(x.Command) {
		return s.answer(Other, func() { s.exit = s.unknown(x.Command) })
	}
	s.in = bufio.NewReaderSize(x.Stdin, 4<<10)
	program, ok := s.read(maxProgram)
	if !ok {
		return sshtest.Exit{} // nothing to run, or half a line: an open quote
	}
	// dash reads stdin in blocks: what came with the program it has swallowed.
	if n := s.in.Buffered(); n > 0 {
		h.fleet.tb.Errorf("simhost: %s was sent %d bytes before it asked for them", h.name, n)
		return sshtest.Exit{Status: 2}
	}
	texts := h.fleet.texts
	switch {
	case oneOf(program, texts, func(t commit.Texts) string { return t.Inspect }) && len(s.args) == 3:
		return s.answer(Inspect, s.inspect)
	case oneOf(program, texts, func(t commit.Texts) string { return t.Begin }) && len(s.args) == 3:
		return s.answer(Begin, s.begin)
	case oneOf(program, texts, func(t commit.Texts) string { return t.Doctor }) && len(s.args) == 3:
		return s.answer(Doctor, s.doctor)
	case program == texts[0].Finish && len(s.args) == 2:
		return s.answer(Program(s.args[0]), func() { s.finish(s.args[0], s.args[1]) })
	case program == texts[0].Past && len(s.args) == 1:
		return s.answer(Past, s.past)
	}
	return s.unknown("that program")
}

// oneOf says whether a program is the one for either mode.
func oneOf(program string, texts []commit.Texts, which func(commit.Texts) string) bool {
	return slices.ContainsFunc(texts, func(t commit.Texts) bool { return program == which(t) })
}

// answer runs a program, behind whoever stands before it.
func (s *shell) answer(p Program, run func()) sshtest.Exit {
	honest := func() sshtest.Exit {
		run()
		return s.exit
	}
	if stands := s.fault().Command; stands != nil {
		return stands(p, s.x, honest)
	}
	return honest()
}

// texts are those of the mode that the host shall be in.
func (s *shell) texts() commit.Texts {
	if s.args[2] == string(commit.ModeExclusive) {
		return s.fleet.texts[1]
	}
	return s.fleet.texts[0]
}

// parse takes the command line apart; false where it is none of ours.
func (s *shell) parse(command string) bool {
	command, sudo := strings.CutPrefix(command, "sudo -n ")
	s.root = sudo || s.x.User == "root"
	words, ok := strings.CutPrefix(command, `sh -s -- "$SSH_CONNECTION" `)
	if !ok {
		return false
	}
	s.args = strings.Split(words, " ")
	for _, w := range s.args {
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789TZ-") != "" {
			return false
		}
	}
	s.mark, s.args = s.args[0], s.args[1:]
	return isHex(s.mark)
}

// unknown is what sh says of a word that it does not know. Real ones would run
// whatever they are sent, so a test should hear of it.
func (s *shell) unknown(what string) sshtest.Exit {
	s.fleet.tb.Logf("simhost: %s does not know %.200q", s.name, what)
	word, _, _ := strings.Cut(what, " ")
	fmt.Fprintf(s.x.Stderr, "sh: 1: %.100s: not found\n", word)
	return sshtest.Exit{Status: 127}
}

// read takes a line with its newline; false at the end of input or after too much.
func (s *shell) read(limit int) (string, bool) {
	var b strings.Builder
	for b.Len() < limit {
		part, err := s.in.ReadSlice('\n')
		b.Write(part)
		switch err {
		case nil:
			return b.String(), true
		case bufio.ErrBufferFull:
		default:
			return "", false
		}
	}
	return "", false
}

// ask hears one line; false at the end of input, of the time or for an empty line.
// After the time is over nothing can be heard any more.
func (s *shell) ask(limit time.Duration) (word string, ok bool) {
	heard := make(chan string, 1)
	go func() {
		line, _ := s.read(64 << 10)
		heard <- strings.TrimSuffix(line, "\n")
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case word = <-heard:
		return word, word != ""
	case <-timer.C:
	case <-s.x.Context().Done():
	}
	return "", false
}

// receive hears exactly so many bytes; false if there are fewer.
func (s *shell) receive(n int) (string, bool) {
	b := make([]byte, n)
	_, err := io.ReadFull(s.in, b)
	return string(b), err == nil
}

// say tells one line.
func (s *shell) say(words ...string) {
	line := strings.Join(words, " ")
	if s.lie != nil {
		line = s.lie(line)
	}
	// One that cannot be sent is to a controller that went away: the next ask tells.
	io.WriteString(s.x.Stdout, s.mark+" "+line+"\n")
}

// refuse says why not; the program ends with it.
func (s *shell) refuse(text string) { s.say("refused", text) }

func isHex(w string) bool { return len(w) == 32 && strings.Trim(w, "0123456789abcdef") == "" }
