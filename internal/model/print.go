package model

import (
	"fmt"
	"strings"
)

var controllerNames = [...]string{"controller A", "controller B", "controller C"}

var slotNames = func() (names [slots]string) {
	for c := range controllerNames {
		for i, what := range []string{"Begin of ", "finish of ", "second finish of "} {
			names[int(beginSlot(c))+i] = what + controllerNames[c][len("controller "):]
		}
	}
	for i := range timerSlots {
		names[firstTimer+i] = fmt.Sprintf("timer %d", i+1)
	}
	names[visitor] = "the next Begin"
	return names
}()

func (s Step) who() string {
	switch {
	case s.Who < slots:
		return slotNames[s.Who]
	case s.Who < whoController:
		return "load of " + slotNames[s.Who-whoLoader]
	case s.Who < whoTime:
		return controllerNames[s.Who-whoController]
	case s.Who == whoTime:
		return "-"
	}
	return "fault"
}

// String is what was found, with the way there if something is broken.
func (f Found) String() string {
	if f.Broken == Held && f.Why == "" {
		end := "to that depth"
		if f.Exhausted {
			end = "all there are"
		}
		return fmt.Sprintf("%d states and %d transitions, %d steps deep, %s", f.States, f.Transitions, f.Depth, end)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v is broken after %d steps", f.Broken, len(f.Trace)-1)
	if f.Why != "" {
		fmt.Fprintf(&b, ": %s", f.Why)
	}
	for i, step := range f.Trace {
		s := &step.To
		fmt.Fprintf(&b, "\n%3d %-18s %-48s", i, step.who(), step.What)
		if i == 0 || s.file != f.Trace[i-1].To.file {
			fmt.Fprintf(&b, " S.%d.%s.%d.%d", s.file.tx, stageNames[s.file.st], s.file.dl, s.file.owner)
		}
		if i == 0 || s.rules != f.Trace[i-1].To.rules || s.disk != f.Trace[i-1].To.disk {
			fmt.Fprintf(&b, " rules %d boot %d", s.rules, s.disk.boot)
		}
	}
	return b.String()
}
