package simhost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/transport"
)

// scenes are played on a real and on a simulated host. Most of want is what both must
// have seen; all of it they must have seen alike.
var scenes = []struct {
	name string
	play func(s *subject)
	want []string // parts of the story
}{
	{"first push, unchanged, change, removal", func(s *subject) {
		one, two := s.rules(false, 80), s.rules(false, 443)
		s.look(one)
		s.apply(s.candidate(1, one, 30*time.Second))
		s.look(one, two)
		s.apply(s.candidate(2, one, 30*time.Second))
		s.apply(s.candidate(3, two, 30*time.Second))
		s.look(one, two)
		c := s.candidate(4, one, 30*time.Second)
		c.Remove, c.Judge = true, func(commit.Facts) commit.Verdict { return commit.Verdict{Act: commit.Go} }
		s.apply(c)
		s.look(one)
		s.apply(s.candidate(5, one, 30*time.Second))
		s.look(one)
	}, []string{"absent true", "confirm: confirmed", "runs text 0: true", "begin: unchanged", "generation 2"}},

	{"rules that are refused", func(s *subject) {
		c := s.candidate(1, s.rules(false, 80), 30*time.Second)
		c.Rules.Text = strings.Replace(c.Rules.Text, "\n}\n", "\n", 1)
		p, r := commit.Begin(s.t.Context(), s.dial(), c)
		s.note("%t %s %s %t", p == nil, r.Outcome, r.Stage, strings.HasPrefix(r.Err.Error(), "new rules refused: "))
		s.look()
	}, []string{"true failed stage true"}},

	{"locked out", func(s *subject) {
		one := s.rules(false, 80)
		s.apply(s.candidate(1, one, 30*time.Second))
		p := s.begin(s.candidate(2, s.rules(true, 443), 20*time.Second))
		r := p.Confirm(s.t.Context(), s.dialer)
		s.note("%s at %s: %t", r.Outcome, r.Stage, strings.HasPrefix(r.Err.Error(), "no fresh connection got in: "))
		s.look(one)
	}, []string{"reverted at confirm: true", "runs text 0: true", "last revert"}},

	{"a drill, and nobody may confirm it", func(s *subject) {
		one := s.rules(false, 80)
		s.apply(s.candidate(1, one, 30*time.Second))
		marker := ""
		c := s.candidate(2, one, 4*time.Second)
		c.Drill = true
		c.Judge = func(f commit.Facts) commit.Verdict {
			rules, m, err := f.Marked()
			marker = m
			return commit.Verdict{Act: commit.Go, Rules: rules, Err: err}
		}
		p := s.begin(c)
		f := s.look(one)
		r := s.raw(s.dial(), commit.HostTexts().Finish, "confirm", f.Pending.TX)
		r.hear("refused", "ask")
		s.ended("drill", p.Drill(s.t.Context(), s.t.Context(), s.dialer, marker))
		f = s.look(one)
		s.note("last drill %s proved %t", f.LastDrill.Run, f.LastDrill.Proved())
	}, []string{"drill: reverted", "this is a drill", "runs text 0: true", "proved true"}},

	{"connections older than the rules", func(s *subject) {
		old := &dialled{}
		for range 3 {
			old.conns = append(old.conns, s.dial())
		}
		p := s.begin(s.candidate(1, s.rules(false, 80), 30*time.Second))
		s.ended("confirm", p.Confirm(s.t.Context(), old))
		s.look()
	}, []string{"reverted", "this connection is older than the rules"}},

	{"who was told the seal, and who guesses it", func(s *subject) {
		finish := commit.HostTexts().Finish
		s.begin(s.candidate(1, s.rules(false, 80), 30*time.Second))
		tx := s.look().Pending.TX
		s.raw(s.dial(), finish, "confirm", "nonsense").hear("refused", "over")
		r := s.raw(s.dial(), finish, "confirm", tx)
		r.hear("ask")
		r.say(draw() + " " + draw() + "\n")
		r.hear("refused", "fresh")

		told := s.dial()
		words := strings.Fields(s.raw(told, finish, "tell", tx).hear("state", "over", "refused"))
		if len(words) != 4 {
			s.t.Fatalf("told %q", words)
		}
		nonce, seal := words[2], words[3]
		r = s.raw(s.dial(), finish, "confirm", tx)
		r.hear("ask")
		r.say(nonce + " " + draw() + "\n")
		r.hear("refused", "fresh")
		r = s.raw(told, finish, "confirm", tx)
		r.hear("ask")
		r.say(nonce + " " + seal + "\n")
		r.hear("refused", "fresh")
		r = s.raw(s.dial(), finish, "confirm", tx)
		r.hear("ask")
		r.say(nonce + " " + seal + "\n")
		r.hear("refused", "fresh")
		r.say("perhaps\n")
		r.hear("refused", "over")
		s.raw(s.dial(), finish, "revert", tx).hear("over")
		s.raw(s.dial(), finish, "tell", tx).hear("over")
		s.raw(s.dial(), finish, "tell", draw()).hear("over")
	}, []string{"wrong nonce", "wrong seal", "this connection is not new", "protocol unknown word", "says over reverted", "says over none"}},

	{"extended", func(s *subject) {
		one := s.rules(false, 80)
		p := s.begin(s.candidate(1, one, 15*time.Second))
		proof := s.prove(p)
		s.note("timers %t", proof.Timers >= 2)
		for _, d := range []time.Duration{time.Second, 5 * time.Second, 60 * time.Second, 4000 * time.Second} {
			err := proof.Extend(s.t.Context(), d)
			left := time.Until(p.Deadline())
			s.note("extend by %s: %v, left %t %t", d, err, left > 40*time.Second, left > 5*time.Second)
			if err != nil { // which ends the dialogue
				proof.Close()
				proof = s.prove(p)
			}
		}
		s.note("left %t", s.look().Pending.Left > 40*time.Second)
		s.ended("commit", proof.Commit(s.t.Context(), s.dialer))
		s.look(one)
	}, []string{"extend by 1m0s: <nil>, left true", "bad number of seconds", "commit: confirmed"}},

	{"reverted on a word", func(s *subject) {
		one := s.rules(false, 80)
		s.apply(s.candidate(1, one, 30*time.Second))
		p := s.begin(s.candidate(2, s.rules(false, 443), 30*time.Second))
		s.ended("revert", s.prove(p).Revert(s.t.Context(), s.dialer, commit.StageProbe, errors.New("a probe failed")))
		s.look(one)
	}, []string{"revert: reverted at \"probe\": a probe failed", "runs text 0: true"}},

	{"left alone", func(s *subject) {
		one, two := s.rules(false, 80), s.rules(false, 443)
		s.apply(s.candidate(1, one, 30*time.Second))
		s.begin(s.candidate(2, two, 3*time.Second))
		s.look(one, two)
		s.over()
		s.look(one, two)
		s.apply(s.candidate(3, two, 30*time.Second))
	}, []string{"pending: applied", "last revert: X-00000002", "runs text 0: true"}},

	{"held by another run, and taken up", func(s *subject) {
		one := s.rules(false, 80)
		s.begin(s.candidate(1, one, 30*time.Second))
		p, r := commit.Begin(s.t.Context(), s.dial(), s.candidate(2, s.rules(false, 443), 30*time.Second))
		s.note("%t %s %s", p == nil, r.Outcome, r.Holder.Run)
		f := s.look()
		p, r = commit.Resume(s.t.Context(), s.dial(), f)
		s.ended("resume", r)
		s.ended("confirm", p.Confirm(s.t.Context(), s.dialer))
		s.look(one)
		p, r = commit.Resume(s.t.Context(), s.dial(), f)
		s.note("%t", p == nil)
		s.ended("resume again", r)
		s.ended("take back", commit.TakeBack(s.t.Context(), s.dial(), f))
	}, []string{"true locked X-00000001", "confirm: confirmed"}},

	{"taken back", func(s *subject) {
		s.begin(s.candidate(1, s.rules(false, 80), 30*time.Second))
		s.ended("take back", commit.TakeBack(s.t.Context(), s.dial(), s.look()))
		s.look()
	}, []string{"take back: reverted", "running false"}},

	{"edited by hand", func(s *subject) {
		one, two := s.rules(false, 80), s.rules(false, 443)
		s.apply(s.candidate(1, one, 30*time.Second))
		s.edit()
		s.look(one)
		s.apply(s.candidate(2, one, 30*time.Second))
		s.look(one)
		p := s.begin(s.candidate(3, two, 30*time.Second))
		s.edit()
		s.ended("confirm", p.Confirm(s.t.Context(), s.dialer))
		s.look(one, two)
	}, []string{"drifted true/true", "drifted false/true", "somebody else changed them"}},

	{"examined", func(s *subject) {
		one, two := s.rules(false, 80), s.rules(false, 443)
		bad := two
		bad.Text = strings.Replace(bad.Text, "\n}\n", "\n", 1)
		s.examine(one)
		s.examine(bad)
		s.apply(s.candidate(1, one, 30*time.Second))
		s.examine(one)
		s.edit()
		s.examine(two)
		p := s.begin(s.candidate(2, two, 30*time.Second))
		s.examine(one)
		s.ended("confirm", p.Confirm(s.t.Context(), s.dialer))
		s.look(one, two)
		doctor := commit.HostTexts().Doctor
		r := s.raw(s.dial(), doctor, "nftables", "none", "coexist")
		r.hear("ask")
		r.say("perhaps\n")
		r.hear()
		r = s.raw(s.dial(), doctor, "nftables", "none", "coexist")
		r.hear("ask")
		r.say("examine 3 0 0\nabcend nonsense\n")
		r.hear("home")
	}, []string{"rules ok", "rules refused", "timers at watchdog", "back 1", "pending true", "confirm: confirmed"}},

	{"words out of order", func(s *subject) {
		begin, revert, text := commit.HostTexts().Begin, commit.HostTexts().Revert, s.rules(false, 80).Text
		// say speaks after the facts were heard.
		say := func(words string) *raw {
			r := s.raw(s.dial(), begin, "nftables", "none", "coexist")
			r.hear("ask")
			r.say(words)
			return r
		}
		tx := draw()
		head := func(tx string) string {
			return fmt.Sprintf("go %s %s 30 nftables %d 0 %d 0 0 2\nrun\n1 lab host %s\ntester\n", tx, draw(), len(text), len(revert), draw())
		}
		say("stop\n").hear()
		say("go " + tx + "\n").hear()
		say(strings.Replace(head("nonsense"), "go nonsense", "go nonsense", 1)).hear("refused", "dropped")
		say(head(tx)+text+revert+"end "+draw()+"\n").hear("dropped", "checked")
		short := say(head(tx) + text)
		if err := short.exec.CloseWrite(); err != nil {
			s.t.Fatal(err)
		}
		short.hear("dropped", "checked")
		wrong := say(head(tx) + text + revert + "end " + tx + "\n")
		wrong.hear("dropped", "checked")
		wrong.say("hold\n")
		wrong.say("confirm\n")
		wrong.hear("dropped", "applied")
		gone := say(head(tx) + text + revert + "end " + tx + "\n")
		gone.hear("dropped", "checked")
		if err := gone.exec.CloseWrite(); err != nil {
			s.t.Fatal(err)
		}
		gone.hear("dropped", "applied")
		s.look()
	}, []string{"protocol bad go line", "the upload was cut short", "stop asked by the controller", "stop the controller did not answer", "absent true"}},
}

// dialled hands out connections that were made before.
type dialled struct{ conns []*transport.Conn }

func (d *dialled) Redial(context.Context, transport.Target) (*transport.Conn, error) {
	if len(d.conns) == 0 {
		return nil, errors.New("no connection is left")
	}
	conn := d.conns[0]
	d.conns = d.conns[1:]
	return conn, nil
}

// TestConformance plays each scene on both and compares.
func TestConformance(t *testing.T) {
	for _, scene := range scenes {
		t.Run(strings.ReplaceAll(scene.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			var got, want string
			t.Run("on", func(t *testing.T) {
				t.Run("real", func(t *testing.T) {
					t.Parallel()
					s := real(t)
					scene.play(s)
					want = strings.Join(s.story, "\n")
				})
				t.Run("simulated", func(t *testing.T) {
					t.Parallel()
					s := simulated(t)
					scene.play(s)
					got = strings.Join(s.story, "\n")
				})
			})
			if got != want {
				t.Errorf("simulated:\n%s\n\nreal:\n%s", got, want)
			}
			for _, part := range scene.want {
				if !strings.Contains(want, part) {
					t.Errorf("the story has no %q:\n%s", part, want)
				}
			}
		})
	}
}
