package commit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"fwpush/internal/inject"
	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/transport"
)

var world *lab.World

// The tests of this package run on real hosts: a world of namespaces with sshd,
// atd and nft of their own.
func TestMain(m *testing.M) {
	if err := inject.Main(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	os.Exit(lab.Tests(m, 200, func(w *lab.World) error {
		world = w
		// A draw is dozens of processes here: -rapid.checks says how many, or 25.
		if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
			return f.Value.Set("25")
		}
		return nil
	}))
}

// seats bound how many tests work at once: more of them would only slow each other down, past the
// seconds that some are about. Those that wait, for the minute of at or for a limit, have none: all
// of them are under way from the start.
var seats = make(chan struct{}, 5)

// making bounds how many hosts are made at once: all tests that wait want theirs when the package starts.
var making = make(chan struct{}, 4)

// busy is what a machine that runs other tests too may take beyond what something takes by itself.
const busy = 10 * time.Second

// working has a test run beside others, once it has a seat. One with subtests that work leaves the
// seats to these.
func working(t *testing.T) {
	t.Helper()
	t.Parallel()
	seats <- struct{}{}
	t.Cleanup(func() { <-seats })
}

// host is one lab host and the way to it.
type host struct {
	*lab.Host
	t      *testing.T
	dialer *transport.Dialer
	become string
	user   string
}

func newHost(t *testing.T, o lab.HostOptions) *host {
	t.Helper()
	if o.Name == "" {
		o.Name = hostName(t)
	}
	making <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	h, err := world.Host(ctx, o)
	cancel()
	<-making
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &host{Host: h, t: t, dialer: transport.New(transport.Options{}), become: "none", user: "root"}
}

func hostName(t *testing.T) string {
	sum := sha256.Sum256([]byte(t.Name()))
	return "h" + hex.EncodeToString(sum[:5])
}

func (h *host) endpoint() inventory.Endpoint { return h.endpointIn(10 * time.Second) }

// endpointIn is endpoint for a login that may take that long.
func (h *host) endpointIn(limit time.Duration) inventory.Endpoint {
	return inventory.Endpoint{
		Name: h.Name(), Address: h.Addr4().String(), Port: uint16(h.Port()), User: h.user, Become: h.become,
		Identity: []string{world.KeyFile()}, KnownHosts: []string{world.KnownHosts()}, ConnectTimeout: limit,
	}
}

func (h *host) dial() *transport.Conn {
	h.t.Helper()
	conn, err := h.dialer.Dial(h.t.Context(), h.endpoint())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}

// sh runs a shell command at the host's console and returns its output.
func (h *host) sh(script string) string {
	h.t.Helper()
	// By stdin, so that the script does not find itself in the process list.
	out, _, err := h.Exec(h.t.Context(), script, "sh", "-s")
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

func (h *host) table() string { return h.sh("nft -s list table inet fwpush 2>/dev/null || true") }

// state is the state of the transaction that stands in the state file, or "none".
func (h *host) state() string {
	h.t.Helper()
	// A turn may come between two entries of the listing: then it names none.
	for range 50 {
		names, err := h.ReadDir("/run/fwpush")
		if err != nil {
			return "none"
		}
		for _, name := range names {
			if words := strings.Split(name, "."); len(words) == 6 && words[0] == "S" {
				return words[2]
			}
		}
	}
	return "none"
}

// until waits for an event on the host, looking ten times a second, or once a second for one that
// may take minutes. Past the limit it is given what a busy machine may need.
func (h *host) until(what string, limit time.Duration, happened func() bool) {
	h.t.Helper()
	pause := min(max(limit/100, 100*time.Millisecond), time.Second)
	for end := time.Now().Add(limit + busy); ; time.Sleep(pause) {
		if happened() {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("not within %s: %s\nstate %s\n%s", limit+busy, what, h.state(), h.sh("cat /run/fwpush/tx/*/log 2>/dev/null; atq; ps ax -o pid,ppid,sid,etimes,args"))
		}
	}
}

// rules is a small candidate: SSH from the controller unless locked, and the
// ports. It has what every rendered ruleset has: management first, an explicit
// drop last.
func rules(locked bool, ports ...int) render.Ruleset {
	var b strings.Builder
	b.WriteString("add table inet fwpush\ndelete table inet fwpush\ntable inet fwpush {\n\tchain input {\n")
	b.WriteString("\t\ttype filter hook input priority -10; policy drop;\n")
	if !locked {
		fmt.Fprintf(&b, "\t\tip saddr %s tcp dport { 22, 2222 } accept\n", world.Addr4())
	}
	b.WriteString("\t\tiifname \"lo\" accept\n\t\tct state established,related accept\n")
	for _, p := range ports {
		fmt.Fprintf(&b, "\t\ttcp dport %d accept\n", p)
	}
	b.WriteString("\t\tcounter drop\n\t}\n}\n")
	return ruleset(b.String())
}

func ruleset(text string) render.Ruleset {
	sum := sha256.Sum256([]byte(text))
	return render.Ruleset{Text: text, Digest: "sha256:" + hex.EncodeToString(sum[:])}
}

// candidate commits rules on any host that does not run them.
func (h *host) candidate(rs render.Ruleset, window time.Duration) Candidate {
	return Candidate{
		Rules: rs, Window: window,
		Stamp: Stamp{Run: "20260102T030405Z-00000001", Fleet: "lab", Host: h.Name(), Actor: "tester"},
		Judge: func(f Facts) Verdict {
			if f.Runs(rs.Text) {
				return Verdict{Act: Unchanged}
			}
			return Verdict{Act: Go}
		},
	}
}

// removal takes everything of ours away.
func (h *host) removal() Candidate {
	c := h.candidate(ruleset(""), time.Minute)
	c.Remove = true
	c.Judge = func(Facts) Verdict { return Verdict{Act: Go} }
	return c
}

// wrap puts a program in the place of another one that runs a shell fragment
// before it, with the other's arguments at hand. The other one keeps its name, which
// tells some programs what they are.
func (h *host) wrap(program, fragment string) {
	h.t.Helper()
	for _, name := range names(program) {
		h.sh(`p=$(command -v ` + name + `) && r=${p%/*}/real && mkdir -p $r &&
if [ -L "$p" ]; then ln -s "$(readlink -f "$p")" "$r/${p##*/}" && mv "$p" "$r/${p##*/}.link"; else mv "$p" $r; fi && cat >"$p" <<X
#!/bin/sh
real=$r/${p##*/}
` + strings.NewReplacer("$", `\$`, "`", "\\`").Replace(fragment) + `
exec $r/${p##*/} "\$@"
X
chmod 755 "$p"`)
	}
}

// names are what a program is called: one of iptables once for each variant.
func names(program string) []string {
	family, tool, _ := strings.Cut(program, "-")
	if tool != "save" && tool != "restore" {
		return []string{program}
	}
	return []string{family + "-nft-" + tool, family + "-legacy-" + tool}
}

// unwrap undoes wrap.
func (h *host) unwrap(program string) {
	h.t.Helper()
	for _, name := range names(program) {
		h.sh(`p=$(command -v ` + name + `) && r=${p%/*}/real/${p##*/} &&
if [ -L "$r" ]; then rm "$r" && mv -f "$r.link" "$p"; else mv -f "$r" "$p"; fi`)
	}
}

// begin applies a candidate and leaves it pending.
func (h *host) begin(c Candidate) *Pending {
	h.t.Helper()
	p, r := Begin(h.t.Context(), h.dial(), c)
	if p == nil {
		h.t.Fatalf("not applied: %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	return p
}

// apply takes a candidate all the way.
func (h *host) apply(c Candidate) Result {
	h.t.Helper()
	p, r := Begin(h.t.Context(), h.dial(), c)
	if p == nil {
		return r
	}
	return p.Confirm(h.t.Context(), h.dialer)
}

func (h *host) mustApply(c Candidate) Result {
	h.t.Helper()
	r := h.apply(c)
	if r.Outcome != OutcomeConfirmed {
		h.t.Fatalf("outcome %s at %s: %v", r.Outcome, r.Stage, r.Err)
	}
	return r
}

// leftovers are the jobs, timers and units of fwpush on the host.
func (h *host) leftovers() string {
	return h.sh(`atq; ps ax -o args | grep -E '[r]evert.sh|sleep [0-9]{1,4}$' || true; ls -d /run/fwpush.* 2>/dev/null || true; ` +
		`ls -d /var/lib/fwpush/gen/.[0-9a-f]* /var/lib/fwpush/boot.[0-9a-f]* 2>/dev/null || true; ` +
		`[ ! -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend 'fwpush-*'`)
}

// clean waits until nothing is left. What guarded a process that was killed
// ends within 5 s.
func (h *host) clean() {
	h.t.Helper()
	h.until("no job, timer or staged file is left", 10*time.Second, func() bool { return h.leftovers() == "" })
}
