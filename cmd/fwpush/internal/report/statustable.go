package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"fwpush/internal/ui"
	"fwpush/inventory"
)

// WriteStatus prints a table, hosts that stand alike in one row.
func WriteStatus(w io.Writer, colour ui.Colour, hosts []Status) error {
	type row struct{ state, run, boot, fleet, note string }
	var order []row
	names, last := map[row][]string{}, map[row]time.Time{}
	whole := map[row]string{} // the note where one host has it
	for _, h := range hosts {
		r := row{state: h.Outcome, run: orDash(h.Run), boot: orDash(h.Boot), fleet: orDash(h.Fleet), note: h.remark(h.shared)}
		if names[r] == nil {
			order = append(order, r)
			whole[r] = h.remark(strings.TrimPrefix(strings.TrimSuffix(h.Error+"; "+h.Hint, "; "), "; "))
		}
		names[r] = append(names[r], h.Name)
		if h.deadline.After(last[r]) {
			last[r] = h.deadline
		}
	}
	var table ui.Table
	table.Row("STATE", "HOSTS", "CONFIRMED BY RUN", "BOOT", "FLEET", "")
	for _, r := range order {
		note := r.note
		if len(names[r]) == 1 {
			note = whole[r]
		}
		note = removing(note, names[r])
		if d := last[r]; !d.IsZero() {
			note = fmt.Sprintf("reverts by %s: %s", Clock(d), note)
		}
		table.Painted(stateColour(colour, r.state), r.state, fmt.Sprintf("%s (%d)", inventory.Fold(names[r]), len(names[r])), r.run, r.boot, r.fleet, note)
	}
	return table.Write(w)
}

// remark is what else there is to say of a host, with its trouble in these words.
func (h Status) remark(trouble string) string {
	var parts []string
	if p := h.Pending; p != nil {
		parts = append(parts, fmt.Sprintf("run %s by %s, %s", p.Run, p.By, p.State))
	}
	if trouble == "" {
		trouble = h.Hint
	}
	if trouble != "" {
		parts = append(parts, trouble)
	}
	if h.LastRevert != "" {
		parts = append(parts, "a revert fired "+h.LastRevert)
	}
	if d := h.LastDrill; d != nil { // by its day, which many hosts have in common
		day, _, _ := strings.Cut(d.When, "T")
		if d.Proved {
			parts = append(parts, "drilled "+day)
		} else {
			parts = append(parts, "a drill of "+day+" was not proven")
		}
	}
	return strings.Join(append(parts, h.Notes...), "; ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stateColour(colour ui.Colour, state string) func(string) string {
	switch state {
	case "ok":
		return colour.Green
	case "absent":
		return colour.Dim
	case "drift", "pending":
		return colour.Yellow
	}
	return colour.Red
}
