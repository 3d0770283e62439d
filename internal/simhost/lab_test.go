package simhost

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/transport"
)

var world *lab.World

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 8, func(w *lab.World) error { world = w; return nil }))
}

// subject is a host that a scene is played on, real or simulated, and what was seen.
type subject struct {
	t        *testing.T
	endpoint inventory.Endpoint
	dialer   *transport.Dialer
	from     string // the controller's address as the host sees it

	edit    func()      // inserts a rule by hand
	lockOut func() bool // new logins fail once the next candidate runs; false: by rules that do so

	story []string
}

// simulated and real are a host of either kind.
func simulated(t *testing.T) *subject {
	f := New(t, 1, Options{Name: func(int) string { return "host" }})
	h := f.Host(0)
	return &subject{
		t: t, endpoint: f.Endpoint(0), dialer: transport.New(transport.Options{}), from: f.Controller().String(),
		edit: func() {
			h.Edit(func(listing string) string {
				return strings.Replace(listing, "policy drop;\n", "policy drop;\n\t\ttcp dport 9999 accept\n", 1)
			})
		},
		lockOut: func() bool { h.SetFaults(Faults{LockOut: Hang}); return true },
	}
}

func real(t *testing.T) *subject {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name := fmt.Sprintf("h%x", sha256.Sum256([]byte(t.Name())))[:12]
	h, err := world.Host(ctx, lab.HostOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &subject{
		t: t, dialer: transport.New(transport.Options{}), from: world.Addr4().String(),
		endpoint: inventory.Endpoint{
			Name: h.Name(), Address: h.Addr4().String(), Port: uint16(h.Port()), User: "root", Become: "none",
			Identity: []string{world.KeyFile()}, KnownHosts: []string{world.KnownHosts()}, ConnectTimeout: 10 * time.Second,
		},
		edit: func() {
			if _, _, err := h.Exec(t.Context(), "", "nft", "insert rule inet fwpush input tcp dport 9999 accept"); err != nil {
				t.Fatal(err)
			}
		},
		lockOut: func() bool { return false },
	}
}

// moving is what differs from one host or run to another.
var moving = regexp.MustCompile(`[0-9a-f]{32}|\b[0-9]+(\.[0-9]+)? ?s\b|\b[0-9T:-]{10,}Z\b`)

// note writes down what was seen.
func (s *subject) note(format string, args ...any) {
	line := moving.ReplaceAllString(fmt.Sprintf(format, args...), "X")
	line = strings.NewReplacer(s.endpoint.Address, "HOST", s.from, "CONTROLLER").Replace(line)
	s.story = append(s.story, line)
}

func (s *subject) dial() *transport.Conn {
	s.t.Helper()
	conn, err := s.dialer.Dial(s.t.Context(), s.endpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// facts are those of now.
func (s *subject) facts() commit.Facts {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	f, r := commit.Inspect(s.t.Context(), conn, "", commit.ModeCoexist, "the policy")
	if r.Err != nil {
		s.t.Fatalf("inspect: %v", r.Err)
	}
	return f
}

// look notes the facts that matter.
func (s *subject) look(texts ...render.Ruleset) commit.Facts {
	s.t.Helper()
	f := s.facts()
	drifted, known := f.Drifted()
	s.note("facts: generation %d stored %t drifted %t/%t absent %t running %t boot %t unit %s policy %q/%t", f.Generation, f.Stored(),
		drifted, known, f.Absent(), f.Running != "", f.Boot != "", f.Unit, f.Policy, f.PolicySame)
	s.note("meta: run %s by %s", f.Meta["run"], f.Meta["by"])
	for i, rs := range texts {
		s.note("runs text %d: %t", i, f.Runs(rs.Text))
	}
	if o := f.Owner; o != nil {
		s.note("owner: %d %s %s", o.Protocol, o.Fleet, o.Host)
	}
	if p := f.Pending; p != nil {
		s.note("pending: %s %s %s from %s open %t", p.State, p.Run, p.Who, p.From, p.Open)
	}
	if r := f.LastRevert; r != nil {
		s.note("last revert: %s", r.Run)
	}
	return f
}

// examine notes what a doctor is told.
func (s *subject) examine(rs render.Ruleset) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	r := commit.Examine(s.t.Context(), conn, commit.Exam{Want: render.BackendNftables, Policy: "the policy",
		Rules: func(commit.Facts) (render.Ruleset, error) { return rs, nil }})
	if r.Health == nil {
		s.t.Fatalf("examine: %v", r.Err)
	}
	h, timers := r.Health, ""
	for _, t := range h.Timers {
		if t.Proved {
			timers += " " + t.Kind
		}
	}
	s.note("examined: rules %s timers%s proved %d back %d home %q lacks %d ip %t ss %t space %d pending %t generation %d", h.Candidate.State, timers, h.Proved(),
		len(h.Back), h.Home, len(h.Lacks), h.HasIP, h.HasSS, len(h.Space), r.Facts.Pending != nil, r.Facts.Generation)
}

// rules are a small candidate, as those of the tests of package commit.
func (s *subject) rules(locked bool, ports ...int) render.Ruleset {
	var b strings.Builder
	b.WriteString(header + "table inet fwpush {\n\tchain input {\n\t\ttype filter hook input priority -10; policy drop;\n")
	if !locked || s.lockOut() {
		fmt.Fprintf(&b, "\t\tip saddr %s tcp dport 22 accept\n", s.from)
	}
	b.WriteString("\t\tiifname \"lo\" accept\n\t\tct state established,related accept\n")
	for _, p := range ports {
		fmt.Fprintf(&b, "\t\ttcp dport %d accept\n", p)
	}
	b.WriteString("\t\tcounter drop\n\t}\n}\n")
	return render.Ruleset{Text: b.String(), Digest: sum(b.String())}
}

// candidate commits rules, by a run with a number, on a host that does not run them.
func (s *subject) candidate(run int, rs render.Ruleset, window time.Duration) commit.Candidate {
	return commit.Candidate{
		Rules: rs, Window: window, Policy: "the policy", Want: render.BackendNftables,
		Stamp: commit.Stamp{Run: fmt.Sprintf("20260102T030405Z-%08d", run), Fleet: "lab", Host: "host", Actor: "tester"},
		Judge: func(f commit.Facts) commit.Verdict {
			if f.Runs(rs.Text) {
				return commit.Verdict{Act: commit.Unchanged}
			}
			return commit.Verdict{Act: commit.Go}
		},
	}
}

// ended notes a result.
func (s *subject) ended(what string, r commit.Result) {
	s.note("%s: %s at %q: %v (%s)", what, r.Outcome, r.Stage, r.Err, r.Hint)
	if h := r.Holder; h != nil {
		s.note("holder: %s %s %s", h.State, h.Run, h.Who)
	}
}

// begin applies a candidate; nil where that failed.
func (s *subject) begin(c commit.Candidate) *commit.Pending {
	s.t.Helper()
	p, r := commit.Begin(s.t.Context(), s.dial(), c)
	s.ended("begin", r)
	return p
}

// apply takes a candidate all the way.
func (s *subject) apply(c commit.Candidate) {
	s.t.Helper()
	if p := s.begin(c); p != nil {
		s.ended("confirm", p.Confirm(s.t.Context(), s.dialer))
	}
}

// prove gets in by a fresh connection.
func (s *subject) prove(p *commit.Pending) *commit.Proof {
	s.t.Helper()
	proof, r := p.Prove(s.t.Context(), s.dialer)
	if proof == nil {
		s.t.Fatalf("not proved: %s: %v", r.Outcome, r.Err)
	}
	return proof
}

// over waits until nothing is pending any more.
func (s *subject) over() {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); s.facts().Pending != nil; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("still pending")
		}
	}
}

// raw is one program spoken with by hand.
type raw struct {
	s    *subject
	exec *transport.Exec
	mark string
}

func (s *subject) raw(conn *transport.Conn, program string, args ...string) *raw {
	s.t.Helper()
	r := &raw{s: s, mark: draw()}
	var err error
	if r.exec, err = conn.Start(s.t.Context(), `sh -s -- "$SSH_CONNECTION" `+r.mark+" "+strings.Join(args, " ")); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.exec.Close() })
	r.say(program)
	return r
}

func (r *raw) say(text string) {
	r.s.t.Helper()
	if _, err := r.exec.Write([]byte(text)); err != nil {
		r.s.t.Fatal(err)
	}
}

// hear notes the next words up to one of those, or the end.
func (r *raw) hear(until ...string) (rest string) {
	r.s.t.Helper()
	for {
		line, err := r.exec.ReadLine(r.s.t.Context())
		if err != nil {
			r.s.note("says no more")
			return ""
		}
		said, ours := strings.CutPrefix(line, r.mark+" ")
		word, rest, _ := strings.Cut(said, " ")
		for _, w := range until {
			if ours && word == w {
				if w != "state" && w != "fresh" {
					r.s.note("says %s", strings.TrimSpace(said))
				}
				return rest
			}
		}
	}
}
