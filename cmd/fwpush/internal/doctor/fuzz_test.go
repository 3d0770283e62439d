package doctor

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"fwpush/internal/commit"
	"fwpush/internal/ui"
)

// FuzzOf: whatever a host tells when it is examined, each finding has its words and a remedy, and what is
// written of it can be printed.
func FuzzOf(f *testing.F) {
	const addresses, listen = "2: eth0    inet 192.0.2.10/24 scope global eth0\n", "LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=3,fd=3))\n"
	f.Add("192.0.2.1 40000 192.0.2.10 22", addresses, listen, "maxstartups 10:30:100\nport 22", "nft at", "systemd", "ok", int64(5))
	f.Add("fe80::1%eth0 1 fe80::2%eth0 22", "2: eth0 inet6 fe80::1/64\n\x1b[2J", "LISTEN x [::]:2222 y sshd\n", "maxstartups x:y\nusepam \x07", "", "busybox", "refused \x1b", int64(-9))
	f.Add("", "", "LISTEN\n", "maxsessions 0\nlogingracetime 99999999999999999999", "a b c", "\n", "slow", int64(1)<<62)
	f.Fuzz(func(t *testing.T, connection, addresses, listen, sshd, words, init, state string, number int64) {
		s := healthy()
		s.facts.Connection, s.facts.Engines, s.facts.Unit, s.facts.NFTError, s.facts.Probe = connection, words, init, state, state
		s.facts.Tools, s.facts.Tracked, s.facts.Trackable = strings.Fields(words), int(number), int(number/2)
		s.facts.Boot, s.facts.Running, s.facts.Canon = listen, addresses, listen
		s.health.Addresses, s.health.Listen, s.health.Home, s.health.Init, s.health.Leased = addresses, listen, state, init, words
		s.health.Lacks, s.health.Ifaces, s.health.Loaders = strings.Fields(words), strings.Fields(init), strings.Fields(state)
		s.health.SSHD = map[string]string{}
		for line := range strings.Lines(sshd) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			s.health.SSHD[key] = value
		}
		s.health.Candidate = &commit.Check{State: strings.Fields(state + " ok")[0], Text: state}
		s.health.Space = []commit.Space{{Path: init, Known: true, Bytes: max(number, 0), NoInodes: number%2 == 0}, {ReadOnly: true}}
		s.health.Timers = []commit.Trial{{Kind: "at", Proved: number > 0, Why: state}, {Kind: "systemd", Why: init + words}}
		r := s.result
		r.Facts, r.Health = &s.facts, &s.health
		report := Of(s.target, r)
		for _, c := range report.Checks {
			if c.ID == "" || c.Text == "" || c.State != OK && c.State != Unknown && c.Remedy == "" {
				t.Errorf("%+v", c)
			}
		}
		var out bytes.Buffer
		if err := Write(&out, ui.Colour{}, []Report{report}, true); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q", out.String())
		}
	})
}
