package journal

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// brokenPipe is a listener that is gone.
type brokenPipe struct{ n int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	b.n++
	return 0, errors.New("broken pipe")
}

func TestEventsThatNobodyTakes(t *testing.T) {
	s := newStore(t)
	broken := &brokenPipe{}
	s.Events = broken
	r := begin(t, s, header(aRun, "web1"))
	for range 100 {
		write(t, r, Interrupted{Count: 1})
	}
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	if broken.n != 1 {
		t.Errorf("it was tried %d times", broken.n)
	}
	if got := loadRun(t, s, aRun); got.Broken != 100 || got.State != Finished {
		t.Errorf("the record suffers: %d, %s", got.Broken, got.State)
	}
}

// A pipe whose reader does not read blocks whoever writes to it. A run goes on, and the
// reader is told what it has missed.
func TestEventsThatNobodyReads(t *testing.T) {
	s := newStore(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	s.Events = writer
	r := begin(t, s, header(aRun, "web1"))
	const events = 60
	for range events { // 24 MB
		write(t, r, Wave{Name: strings.Repeat("x", 400_000)})
	}
	heard, missed := 0, 0
	stop := errors.New("stop")
	finished := make(chan error, 1)
	b := bufio.NewReaderSize(reader, maxLine)
	for err = nil; err == nil; {
		var line []byte
		if line, err = b.ReadSlice('\n'); err != nil {
			break
		}
		_, e, bad := decode(line)
		if bad != nil {
			t.Fatalf("no whole line: %.80q, %v", line, bad)
		}
		switch e := e.(type) {
		case Wave:
			heard++
		case lost:
			missed += e.Lines
			go func() { finished <- r.Finish(Done{}) }()
		case Done:
			err = stop
		}
	}
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if err := <-finished; err != nil {
		t.Error(err)
	}
	if missed == 0 || heard+missed != events {
		t.Errorf("%d heard, %d told to be missed, of %d", heard, missed, events)
	}
}

// The end of a run does not wait for ever.
func TestAReaderThatNeverReads(t *testing.T) {
	s := newStore(t)
	reader, writer := io.Pipe()
	defer reader.Close()
	s.Events = writer
	r := begin(t, s, header(aRun, "web1"))
	began := time.Now()
	if err := r.Finish(Done{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > sinkPatience+3*time.Second {
		t.Errorf("it took %s", took)
	}
}
