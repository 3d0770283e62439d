package commit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// TestPast confirms eight times, with one set of rules twice, and asks for what the host
// keeps of it.
func TestPast(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	ports := []int{80, 81, 82, 83, 84, 85, 86}
	for i, port := range ports {
		c := h.candidate(rules(false, port), time.Minute)
		c.Stamp.Run = "20260102T030405Z-0000000" + string(rune('1'+i))
		c.Policy = `{"port":` + strings.Repeat("8", i+1) + `}`
		h.mustApply(c)
	}
	before := h.sh("find /var/lib/fwpush /run/fwpush -printf '%p %s %T@ %i %n\\n' | sort; atq")
	conn := h.dial()
	defer conn.Close()
	for _, tt := range []struct {
		which  string
		number int
		port   string
		err    string
	}{
		{Previous, 6, "85", ""},
		{Before, 6, "85", ""},
		{"3", 3, "82", ""},
		{"7", 7, "86", ""},
		{"20260102T030405Z-00000004", 4, "83", ""},
		{"2", 0, "", "the host does not keep that generation: it keeps 3, 4, 5, 6, 7"},
		{"20260102T030405Z-00000009", 0, "", "the host does not keep that generation: it keeps 3, 4, 5, 6, 7"},
		{"$(reboot)", 0, "", "a generation is its number on the host"},
		{"-1", 0, "", "a generation is its number on the host"},
	} {
		g, r := Past(t.Context(), conn, tt.which)
		switch {
		case tt.err != "":
			if r.Err == nil || !strings.Contains(r.Err.Error(), tt.err) || strings.Contains(tt.err, "keep") != errors.Is(r.Err, ErrNoGeneration) {
				t.Errorf("%s: %v, want %s", tt.which, r.Err, tt.err)
			}
		case r.Err != nil:
			t.Errorf("%s: %v", tt.which, r.Err)
		case g.Number != tt.number || !strings.Contains(g.Rules.Text, "dport "+tt.port) || g.Policy != `{"port":`+strings.Repeat("8", tt.number)+`}` ||
			g.Meta["run"] != "20260102T030405Z-0000000"+string(rune('0'+tt.number)) || g.Newest != 7:
			t.Errorf("%s: generation %d of %d, policy %s, meta %v\n%s", tt.which, g.Number, g.Newest, g.Policy, g.Meta, g.Rules.Text)
		}
	}
	if after := h.sh("find /var/lib/fwpush /run/fwpush -printf '%p %s %T@ %i %n\\n' | sort; atq"); after != before {
		t.Errorf("asking changed the host:\n%s\nbefore:\n%s", after, before)
	}

	// The boot path was repaired: the same rules once more are no way back.
	h.sh("cp -r /var/lib/fwpush/gen/7 /var/lib/fwpush/gen/8")
	if g, r := Past(t.Context(), conn, Previous); r.Err != nil || g.Number != 6 {
		t.Errorf("previous of 8, which is as 7: %d, %v", g.Number, r.Err)
	}
	if g, r := Past(t.Context(), conn, Before); r.Err != nil || g.Number != 7 {
		t.Errorf("the one before 8: %d, %v", g.Number, r.Err)
	}
	h.sh("echo 'table ip x {}' >/var/lib/fwpush/gen/7/rules")
	if _, r := Past(t.Context(), conn, "7"); r.Err == nil || !strings.Contains(r.Err.Error(), "no ruleset of fwpush") {
		t.Errorf("foreign text: %v", r.Err)
	}
	h.sh("rm -r /var/lib/fwpush/gen")
	if _, r := Past(t.Context(), conn, Previous); !errors.Is(r.Err, ErrNoGeneration) {
		t.Errorf("nothing kept: %v", r.Err)
	}
}
