package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"fwpush/internal/ui"
)

// Bounds of what is written, and of what is read back.
const (
	maxLine = 1 << 20
	maxFile = 256 << 20
)

// stamp is how each line says when: RFC 3339 in UTC, with milliseconds.
const stamp = "2006-01-02T15:04:05.000Z"

// encode is an event as a line, line feed included.
func encode(at time.Time, e Event) ([]byte, error) {
	var body bytes.Buffer
	if err := ui.WriteJSON(&body, e); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.kind(), err)
	}
	line := at.UTC().AppendFormat([]byte(`{"at":"`), stamp)
	line = fmt.Appendf(line, `","event":%q,`, e.kind())
	if _, first := e.(Header); first {
		line = fmt.Appendf(line, `"schema":%d,`, schema)
	}
	line = append(line, body.Bytes()[1:]...)
	if len(line) > maxLine {
		return nil, fmt.Errorf("event %s: its line has %d bytes, %d at most", e.kind(), len(line), maxLine)
	}
	return line, nil
}

// head is what every line has.
type head struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Schema int       `json:"schema"`
}

// decode reads a line. An event that this version does not know is nil.
func decode(line []byte) (head, Event, error) {
	var h head
	if err := json.Unmarshal(line, &h); err != nil {
		return h, nil, err
	}
	var e Event
	var err error
	switch h.Event {
	case Header{}.kind():
		e, err = as[Header](line)
	case Host{}.kind():
		e, err = as[Host](line)
	case Wave{}.kind():
		e, err = as[Wave](line)
	case Applying{}.kind():
		e, err = as[Applying](line)
	case Applied{}.kind():
		e, err = as[Applied](line)
	case Proved{}.kind():
		e, err = as[Proved](line)
	case Extended{}.kind():
		e, err = as[Extended](line)
	case Decision{}.kind():
		e, err = as[Decision](line)
	case Stopped{}.kind():
		e, err = as[Stopped](line)
	case Interrupted{}.kind():
		e, err = as[Interrupted](line)
	case Ended{}.kind():
		e, err = as[Ended](line)
	case Again{}.kind():
		e, err = as[Again](line)
	case Done{}.kind():
		e, err = as[Done](line)
	case lost{}.kind():
		e, err = as[lost](line)
	}
	return h, e, err
}

func as[T Event](line []byte) (Event, error) {
	var e T
	err := json.Unmarshal(line, &e)
	return e, err
}

// errTorn is a last line without an end: whoever wrote it died over it, or is not done.
var errTorn = errors.New("the last line has no end")

// eachLine calls do for every line of r without its end. A line that is longer than
// maxLine is nil. A torn last one is not told, but errTorn is returned.
func eachLine(r io.Reader, do func(line []byte)) error {
	b := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	for over := false; ; {
		part, err := b.ReadSlice('\n')
		over = over || len(line)+len(part) > maxLine
		if !over {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(part) == 0 && len(line) == 0 && !over:
			return nil
		case errors.Is(err, io.EOF):
			return errTorn
		case err != nil:
			return err
		case over:
			do(nil)
		default:
			do(bytes.TrimSuffix(line, []byte("\n")))
		}
		line, over = line[:0], false
	}
}
