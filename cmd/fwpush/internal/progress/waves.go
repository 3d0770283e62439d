package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/internal/commit"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// row is one line of waves: one of them, or several that are summed up.
type row struct {
	label string
	waves []*wave
}

// rows are the waves as lines. A run of many shows the one under way; of those before
// and behind it some, or their sum.
func (b *board) rows(height int) []row {
	roomy := 3
	if height < 12 {
		roomy = 1
	}
	canaries := 0
	for _, w := range b.waves {
		if w.Canary {
			canaries++
		}
	}
	var rows []row
	for i := 0; i < len(b.waves); {
		alike := i + 1
		for alike < len(b.waves) && b.kind(alike) == b.kind(i) {
			alike++
		}
		if alike-i <= roomy || b.kind(i).under {
			for _, w := range b.waves[i:alike] {
				rows = append(rows, row{w.Name, []*wave{w}})
			}
		} else {
			label := fmt.Sprintf("waves %d-%d of %d", i-canaries+1, alike-canaries, len(b.waves)-canaries)
			if b.waves[i].Canary {
				label = fmt.Sprintf("canary %d-%d of %d", i+1, alike, canaries)
			}
			rows = append(rows, row{label, b.waves[i:alike]})
		}
		i = alike
	}
	return rows
}

// kind is what waves must have in common to be summed up.
type kind struct{ canary, under, over bool }

func (b *board) kind(i int) kind {
	w := b.waves[i]
	over := !w.ended.IsZero() || w.total() == 0
	return kind{w.Canary, !w.began.IsZero() && !over, over}
}

func (b *board) waveLines(colour ui.Colour, width, height int) []string {
	rows := b.rows(height)
	label, digits := 0, 0
	for _, r := range rows {
		label = max(label, len(r.label))
		_, all := r.progress()
		digits = max(digits, len(strconv.Itoa(all)))
	}
	var lines []string
	for _, r := range rows {
		done, all := r.progress()
		if all == 0 {
			continue // its hosts stand in for canaries
		}
		head := colour.Bold(r.label) + strings.Repeat(" ", label-len(r.label)) + fmt.Sprintf("  %*d/%-*d  ", digits, done, digits, all)
		lines = append(lines, head+b.rowText(colour, r, width-1-ui.Width(head)))
	}
	return lines
}

// progress is how many hosts have come as far as they can come now, of how many.
func (r row) progress() (done, total int) {
	for _, w := range r.waves {
		done += w.places[over] + w.places[isIn]
		total += w.total()
	}
	return done, total
}

// rowText is what stands behind the numbers, in as many columns.
func (b *board) rowText(colour ui.Colour, r row, columns int) string {
	if len(r.waves) == 1 && !r.waves[0].ended.IsZero() {
		w := r.waves[0]
		if text := w.endings(colour, true); ui.Width(text) <= columns {
			return text
		}
		return w.endings(colour, false)
	}
	parts := b.counts(colour, r)
	var began, ended time.Time
	for _, w := range r.waves {
		if !w.began.IsZero() && (began.IsZero() || w.began.Before(began)) {
			began = w.began
		}
		if w.ended.After(ended) {
			ended = w.ended
		}
	}
	switch {
	case !ended.IsZero():
		parts = append(parts, colour.Dim(" in "+span(ended.Sub(began))))
	case !began.IsZero():
		parts = append(parts, colour.Dim("  "+clock(b.now().Sub(began))))
	}
	return strings.TrimPrefix(strings.Join(parts, ""), "  ")
}

// counts are the numbers of hosts that are, or have ended, in the same way.
func (b *board) counts(colour ui.Colour, r row) []string {
	var parts []string
	add := func(n int, what string, paint func(string) string) {
		if n > 0 {
			parts = append(parts, "  "+paint(strconv.Itoa(n)+" "+what))
		}
	}
	var at [places]int
	outcomes, bad := map[commit.Outcome]int{}, map[commit.Outcome]int{}
	held := "pending"
	for _, w := range r.waves {
		for p, n := range w.places {
			at[p] += n
		}
		for o, n := range w.outcomes {
			outcomes[o] += n
			bad[o] += w.bad[o]
		}
		if left := w.soaking.Sub(b.now()); left > 0 {
			held = fmt.Sprintf("soaking %ds", int((left+time.Second-1)/time.Second))
		}
	}
	plain := func(s string) string { return s }
	add(at[connecting], "connecting", plain)
	add(at[ready], "ready", plain)
	if b.unwinding {
		add(at[applying]+at[applied]+at[probing]+at[isIn], "finishing", colour.Yellow)
	} else {
		add(at[applying], "applying", plain)
		add(at[applied]+at[probing], "proving", plain)
		add(at[isIn], held, colour.Yellow)
	}
	for _, o := range report.OutcomeOrder() {
		add(outcomes[o], string(o), report.Shade(colour, o, bad[o] > 0))
	}
	add(at[waiting], "waiting", colour.Dim)
	return parts
}

// endings is how a wave ended, with the names of its hosts or their numbers.
func (w *wave) endings(colour ui.Colour, named bool) string {
	var parts []string
	for _, o := range report.OutcomeOrder() {
		shade := report.Shade(colour, o, w.bad[o] > 0)
		switch n := w.outcomes[o]; {
		case n > 0 && named:
			parts = append(parts, shade(string(o))+" "+w.names[o])
		case n > 0:
			parts = append(parts, shade(strconv.Itoa(n)+" "+string(o)))
		}
	}
	text := strings.Join(parts, "  ")
	if w.began.IsZero() {
		return text
	}
	text += " in " + span(w.ended.Sub(w.began))
	if w.outcomes[commit.OutcomeConfirmed] == 0 {
		return text
	}
	if w.soak > 0 {
		text += fmt.Sprintf(" · soak %s ok", w.soak)
	}
	switch {
	case len(w.probes) == 1:
		text += " · probe " + ui.Safe(w.probes[0]) + " ok"
	case len(w.probes) > 1 && len(w.probes) <= 3:
		text += " · probes " + ui.Safe(strings.Join(w.probes, ", ")) + " ok"
	case len(w.probes) > 3:
		text += fmt.Sprintf(" · %d probes ok", len(w.probes))
	}
	return text
}

// named folds the hosts of a wave that has ended.
func (b *board) named(w *wave) map[commit.Outcome]string {
	lists := map[commit.Outcome][]string{}
	for _, s := range b.seats {
		if b.waves[s.wave] == w && s.result != nil {
			lists[s.result.Outcome] = append(lists[s.result.Outcome], s.name)
		}
	}
	folded := map[commit.Outcome]string{}
	for o, list := range lists {
		folded[o] = inventory.Fold(list)
	}
	return folded
}

// span is how long something took: 3.1s, 41s, 12m3s.
func span(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
