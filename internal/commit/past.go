package commit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwpush/render"
	"fwpush/transport"
)

// Which generation of a host is meant, where it is not a number or a run.
const (
	// Before is the generation before the newest one.
	Before = "before"
	// Previous is the newest generation that has other rules than the newest one.
	Previous = "previous"
)

// CheckGeneration says what is wrong with a generation that a person typed: a number, a
// run or Previous.
func CheckGeneration(which string) error {
	n, err := strconv.Atoi(which)
	run := len(which) == 25 && which[16] == '-' && strings.Trim(which, "0123456789abcdefTZ-") == ""
	if which == Previous || err == nil && n > 0 && strconv.Itoa(n) == which || run {
		return nil
	}
	return fmt.Errorf("%.64q: a generation is its number on the host, or the run that confirmed it", which)
}

// Generation is rules that a host confirmed and still keeps. They are the host's word,
// and good for nothing but going back to that host.
type Generation struct {
	Number int
	Rules  render.Ruleset
	Policy string // that they were made of, "" if it was not kept
	Meta   map[string]string
	Newest int
	Kept   []int // all that the host keeps, in their order
}

// ErrNoGeneration is a host that does not keep the generation that is asked for.
var ErrNoGeneration = errors.New("the host does not keep that generation")

// Past asks a host for a generation that it keeps, and changes nothing on it: the
// program holds no code that could. The Result says why there is none; its Err is an
// ErrNoGeneration if the host keeps no such generation.
func Past(ctx context.Context, conn *transport.Conn, which string) (Generation, Result) {
	if which != Before {
		if err := CheckGeneration(which); err != nil {
			return Generation{}, failed(StageInspect, err, "")
		}
	}
	d, err := start(ctx, conn, pastProgram(), which)
	if err != nil {
		return Generation{}, beginTrouble(StageInspect, err)
	}
	defer d.close()
	told, err := d.tell(ctx, time.Now().Add(factsTime))
	if err != nil {
		return Generation{}, beginTrouble(StageInspect, err)
	}
	var who Facts
	if who.UID, err = strconv.Atoi(told.words["uid"]); err == nil {
		who.Protocol, err = strconv.Atoi(told.words["proto"])
	}
	if err != nil {
		return Generation{}, failed(StageInspect, fmt.Errorf("the host did not say who it is: %w", err), "")
	}
	who.Pending = &Holder{} // which backends there are is no matter of this
	if r, ok := who.usable(""); !ok {
		return Generation{}, r
	}
	return told.generation(which)
}

// told is what a reading program said: words, and sections of raw text.
type told struct {
	words, sections map[string]string

	section string // whose raw lines are being heard, "" if none
	raw     strings.Builder
}

func newTold() *told { return &told{words: map[string]string{}, sections: map[string]string{}} }

// tell reads words and sections until the host asks.
func (d *dialogue) tell(ctx context.Context, end time.Time) (*told, error) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	t := newTold()
	for {
		line, err := d.line(ctx)
		if err != nil {
			return t, err
		}
		if done, err := t.hear(d.mark, line); done || err != nil {
			return t, err
		}
	}
}

// hear takes one line. done means that the host asks for a word; an error, that it will not.
func (t *told) hear(mark, line string) (done bool, err error) {
	said, ours := strings.CutPrefix(line, mark)
	if !ours {
		if t.section != "" {
			t.raw.WriteString(line + "\n")
		}
		return false, nil
	}
	if t.section != "" {
		t.sections[t.section] = t.raw.String()
		t.section = ""
		t.raw.Reset()
	}
	word, rest, _ := strings.Cut(strings.TrimPrefix(said, " "), " ")
	switch word {
	case "ask":
		return true, nil
	case "section":
		t.section = rest
	case "refused":
		return false, refusal(rest)
	default:
		t.words[word] = rest
	}
	return false, nil
}

func (t *told) generation(which string) (Generation, Result) {
	g := Generation{Meta: map[string]string{}}
	for word := range strings.FieldsSeq(t.words["kept"]) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return g, failed(StageInspect, fmt.Errorf("the host said %q for the generations it keeps", clip(t.words["kept"])), "")
		}
		g.Kept = append(g.Kept, n)
	}
	var err error
	if g.Number, err = strconv.Atoi(t.words["generation"]); err != nil || g.Number < 0 {
		return g, failed(StageInspect, fmt.Errorf("the host said %q for a generation", clip(t.words["generation"])), "")
	}
	g.Newest, _ = strconv.Atoi(t.words["newest"])
	if g.Number == 0 {
		return g, g.none(which)
	}
	if g.Rules, err = render.Stored(t.sections["rules"]); err != nil {
		return g, failed(StageInspect, fmt.Errorf("generation %d: %w", g.Number, err), "")
	}
	g.Policy = strings.TrimSuffix(t.sections["policy"], "\n")
	for line := range strings.Lines(t.sections["meta"]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		g.Meta[key] = value
	}
	return g, Result{}
}

// none is why there is no such generation.
func (g Generation) none(which string) Result {
	switch {
	case len(g.Kept) == 0:
		return failed(StageInspect, fmt.Errorf("%w: nothing was ever confirmed here", ErrNoGeneration), "")
	case which == Previous || which == Before:
		return failed(StageInspect, fmt.Errorf("%w: it keeps no rules other than those it has", ErrNoGeneration),
			"fwpush remove takes rules off a host")
	}
	words := make([]string, len(g.Kept))
	for i, n := range g.Kept {
		words[i] = strconv.Itoa(n)
	}
	return failed(StageInspect, fmt.Errorf("%w: it keeps %s", ErrNoGeneration, strings.Join(words, ", ")), "")
}
