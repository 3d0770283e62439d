package probe

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/lab"
	"fwpush/internal/sshtest"
	"fwpush/inventory"
	"fwpush/transport"
)

// runs are probes of the kind run, and how they end on each kind of host.
var runs = []struct {
	name, text, want string
}{
	{"works", `run = "true"`, ""},
	{"fails", `run = "echo one; echo two >&2; exit 3"`, "exit status 3: two"},
	{"fails without a word", `run = "false"`, "exit status 1"},
	{"fails as it must", `run = "exit 7", expect = false`, ""},
	{"works and must not", `run = "true", expect = false`, "the command works, and must not"},
	{"is no command", `run = "no-such-command"`, "exit status 127: …no-such-command: …not found"},
	{"is no command and must fail", `run = "no-such-command", expect = false`, "?exit status 127: …a command that must fail exits with 1 to 125"},
	{"is killed and must fail", `run = "kill -9 $$", expect = false`, "?exit status 137"},
	{"is no shell", `run = "if"`, "exit status 2"},
	{"several lines, quotes, backslashes, per cent", "run = '''\n[ \"a'b\\\\c%d\" = 'a'\"'\"'b\\c%d' ] || exit 9\ncase é in [!a-z]*) exit 0;; esac\nexit 8'''", ""},
	{"as root that it is not", `run = "id -u >&2; exit $(id -u)", become = true`, "become"},
	{"reads its input", `run = "read x && exit 1; cat; exit 4"`, "exit status 4"},
	{"environment", `run = "env | grep -v '^\\(PATH\\|LC_ALL\\|PWD\\|SHLVL\\|OLDPWD\\|_\\)=' && exit 5; [ \"$PATH$LC_ALL\" = /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/binC ] || exit 6"`, ""},
	{"escapes", `run = "printf '\\033[2J\\007\\377\\n\\033]0;x\\007\\n'; exit 1"`, `exit status 1: \x1b]0;x\a`},
	{"much output", `run = "seq 3000000; echo last; exit 2", timeout = "14s"`, "exit status 2: last"},
	{"much output in one line", `run = "head -c 3000000 /dev/zero; exit 2", timeout = "14s"`, `exit status 2: \x00\x00`},
	{"leaves a child that has its output", `run = "sleep 61 & exit 0"`, ""},
	{"leaves a session that has its output", `run = "setsid sleep 62 & sleep 0.3; exit 0", timeout = "2s"`, ""},
	{"hangs", `run = "sleep 63; true", timeout = "1s"`, "?the command did not end within 1s; raise timeout (at most 30s), or bound what it waits for"},
	{"hangs and must fail", `run = "sleep 64; true", timeout = "1s", expect = false`, "?did not end within 1s"},
	{"hangs in a child and takes no signals", `run = "trap '' HUP INT TERM; (trap '' HUP INT TERM; sleep 65; sleep 66) | cat; sleep 67", timeout = "1s"`, "?did not end"},
	{"never stops writing", `run = "yes", timeout = "1s"`, "?did not end"},
}

func tryRuns(t *testing.T, h *lab.Host, entry inventory.Host, except map[string]string) {
	t.Helper()
	p := prober(t)
	conn := dial(t, entry)
	for _, tt := range runs {
		want, other := except[tt.name]
		if !other {
			want = tt.want
		}
		if want == "-" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			text := tt.text
			probe := read(t, "run = 'x'")
			if strings.Contains(text, "\n") {
				// No text of the command line, but one that a file may have.
				probe.Text = strings.TrimPrefix(strings.Trim(strings.TrimPrefix(text, "run = "), "'"), "\n")
			} else {
				probe = read(t, text)
			}
			began := time.Now()
			expect(t, p.Of(entry, []inventory.Probe{probe})[0].Try(t.Context(), conn), want)
			// Far from the minute of what is left behind.
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
	if err := conn.Alive(t.Context()); err != nil {
		t.Errorf("the connection to the host did not survive: %v", err)
	}
	// What made itself another session is not ours to end.
	const left = `for p in /proc/[0-9]*/cmdline; do tr '\0' ' ' <"$p"; echo; done 2>/dev/null | grep -E '^(busybox )?(sleep (6[013-9]|[1-5]?[0-9]) ?$|tail|sh -s --|sh -c)' || true`
	var remain string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if remain = sh(t, h, left); remain == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still running on the host:\n%s", remain)
		}
	}
}

func TestRunAsRoot(t *testing.T) {
	tryRuns(t, web1(t), entry(web1(t), "root", "none"), map[string]string{"as root that it is not": ""})
}

func TestRunAsUser(t *testing.T) {
	tryRuns(t, web1(t), entry(web1(t), "guest", "none"), map[string]string{
		"as root that it is not": "?become = true, but web1 logs in as no root and its ssh.become is none",
	})
}

func TestRunBecomes(t *testing.T) {
	p := prober(t)
	admin, guest := entry(web1(t), "admin", "sudo"), entry(web1(t), "guest", "sudo")
	try := func(h inventory.Host, text string) error {
		return p.Of(h, []inventory.Probe{read(t, text)})[0].Try(t.Context(), dial(t, h))
	}
	expect(t, try(admin, `run = "exit $(id -u)", become = true`), "")
	expect(t, try(admin, `run = "[ $(id -un) = admin ]"`), "")
	expect(t, try(guest, `run = "[ $(id -un) = guest ]"`), "")
	expect(t, try(guest, `run = "true", become = true`), "?remote command: exit status 1: sudo: a password is required")
	expect(t, try(guest, `run = "false", become = true, expect = false`), "?sudo: a password is required")
	expect(t, try(admin, `run = "sleep 68; exit 0", become = true, timeout = "1s"`), "?did not end within 1s")
	for end := time.Now().Add(5 * time.Second); sh(t, web1(t), `pgrep -f '^sleep 68' || true`) != ""; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("root's command is still running")
		}
	}
}

// A probe that becomes root has the password of its host; a wrong one says so, and nothing
// of what was asked.
func TestRunBecomesWithAPassword(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "asking", Users: []lab.User{{Name: "ops", Password: "p w%u", Sudoers: "ops ALL=(ALL:ALL) ALL\n"}}})
	e := entry(h, "ops", "sudo")
	for _, tt := range []struct{ word, text, want string }{
		{"p w%u", `run = "exit $(id -u)", become = true`, ""},
		{"p w%u", `run = "[ $(id -un) = ops ]"`, ""},
		{"p w%u", `run = "read x && exit 1; exit 4", become = true, expect = false`, ""},
		{"p w%u", `run = "echo p w%u >&2; exit 3", become = true`, "exit status 3: [password]"},
		{"p w%u", `run = "sleep 70; exit 0", become = true, timeout = "1s"`, "?did not end within 1s"},
		{"wrong", `run = "true", become = true, timeout = "9s"`, "?does not accept the password"},
		{"wrong", `run = "true", become = true, expect = false, timeout = "9s"`, "?does not accept the password"},
		{"", `run = "true", become = true`, "?sudo: a password is required"},
	} {
		t.Run(tt.word+" "+tt.text, func(t *testing.T) {
			dialer := transport.New(transport.Options{})
			if tt.word != "" {
				if err := dialer.Password(e.Name, []byte(tt.word)); err != nil {
					t.Fatal(err)
				}
			}
			conn, err := dialer.Dial(t.Context(), e.SSH)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			expect(t, prober(t).Of(e, []inventory.Probe{read(t, tt.text)})[0].Try(t.Context(), conn), tt.want)
		})
	}
	for end := time.Now().Add(5 * time.Second); sh(t, h, `pgrep -f '^sleep 70' || true`) != ""; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("root's command is still running")
		}
	}
}

// A host without GNU: another sh, and other tools.
func TestRunOnBusybox(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "busy"})
	sh(t, h, `b=$(command -v busybox) && ln -sf "$b" /usr/bin/sh && for a in setsid env head tail cat sleep id seq grep sh; do ln -sf "$b" "/usr/local/sbin/$a"; done`)
	if got := sh(t, h, `readlink -f /usr/bin/sh; readlink -f /usr/local/sbin/setsid`); strings.Count(got, "busybox") != 2 {
		t.Fatalf("not busybox: %s", got)
	}
	tryRuns(t, h, entry(h, "root", "none"), map[string]string{"as root that it is not": ""})
}

// Dropbear closes the channel of a command that is started while the one before it is
// being closed from this side.
func TestRunOneAfterAnotherOnDropbear(t *testing.T) {
	tree, err := world.Root(t.Context(), "busybox")
	if err != nil {
		t.Fatal(err)
	}
	h := labHost(t, lab.HostOptions{Name: "router", Root: tree})
	p := prober(t)
	e := entry(h, "root", "none")
	probes := p.Of(e, []inventory.Probe{
		read(t, `run = "true"`), read(t, `run = "exit 3", expect = false`), read(t, `run = "exit $(id -u)", become = true`), read(t, `run = "sleep 69 & exit 0"`),
	})
	for round := range 5 {
		conn := dial(t, e)
		for range 3 {
			for _, probe := range probes {
				if err := probe.Try(t.Context(), conn); err != nil {
					t.Fatalf("round %d, %s: %v", round, probe, err)
				}
			}
		}
		conn.Close()
	}
}

// What a login script does to the command.
func TestRunAfterLoginScript(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "chatty"})
	sh(t, h, "usermod -s /bin/bash root")
	p := prober(t)
	for _, tt := range []struct{ rc, want string }{
		{"printf noise; printf more >&2", "exit status 3: told"},
		{"read -r line", "?the host ran something else than the command"},
		{"exit 4", "?remote command: exit status 4"},
	} {
		if err := h.WriteFile(t.Context(), "/root/.bashrc", tt.rc+"\n"); err != nil {
			t.Fatal(err)
		}
		err := p.Of(entry(h, "root", "none"), []inventory.Probe{read(t, `run = "echo; echo told; exit 3"`)})[0].Try(t.Context(), dial(t, entry(h, "root", "none")))
		expect(t, err, tt.want)
	}
}

func TestRunWithoutSetsid(t *testing.T) {
	h := labHost(t, lab.HostOptions{Name: "poor", Without: []string{"/usr/bin/setsid"}})
	expect(t, prober(t).Of(entry(h, "root", "none"), []inventory.Probe{read(t, `run = "false", expect = false`)})[0].
		Try(t.Context(), dial(t, entry(h, "root", "none"))), "?the host has no setsid, which is needed to end a command that hangs")
}

// A host that lies, or does not answer, costs the probe and no more.
func TestRunHostile(t *testing.T) {
	identity, key := sshtest.NewIdentity(t, "")
	for _, tt := range []struct {
		name   string
		handle func(x *sshtest.Exec, mark string) sshtest.Exit
		want   string
	}{
		{"another ending", func(x *sshtest.Exec, mark string) sshtest.Exit {
			fmt.Fprintf(x.Stdout, "%s ended \x1b[2J\n", mark)
			return sshtest.Exit{}
		}, `?the host told the end of the command as ended \x1b[2J`},
		{"a status that is none", func(x *sshtest.Exec, mark string) sshtest.Exit {
			fmt.Fprintf(x.Stdout, "%s ended -1\n", mark)
			return sshtest.Exit{}
		}, `?the host told the end of the command as ended -1`},
		{"a tool without a name", func(x *sshtest.Exec, mark string) sshtest.Exit {
			fmt.Fprintf(x.Stdout, "%s missing \x07\n", mark)
			return sshtest.Exit{}
		}, `?the host has no \a, which`},
		{"nothing", func(x *sshtest.Exec, _ string) sshtest.Exit {
			<-x.Context().Done()
			return sshtest.Exit{}
		}, `?did not end within 1s`},
		{"the connection cut", func(x *sshtest.Exec, _ string) sshtest.Exit {
			x.Drop()
			return sshtest.Exit{}
		}, `?connection lost while a command was running`},
		{"its word", func(x *sshtest.Exec, mark string) sshtest.Exit {
			fmt.Fprintf(x.Stdout, "%s ended 3\n", mark)
			<-x.Context().Done() // and the session open
			return sshtest.Exit{}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sshtest.New(t, sshtest.Config{Keys: []ssh.PublicKey{key}, Handler: func(x *sshtest.Exec) sshtest.Exit {
				io.Copy(io.Discard, x.Stdin)
				return tt.handle(x, strings.Fields(x.Command)[3])
			}})
			path := filepath.Join(t.TempDir(), "known_hosts")
			if err := os.WriteFile(path, []byte(s.KnownHosts(1)), 0o600); err != nil {
				t.Fatal(err)
			}
			h := inventory.Host{Name: "liar", SSH: inventory.Endpoint{Name: "liar", Address: "127.0.0.1", Port: s.Addr().Port(), User: "admin",
				Identity: []string{identity}, KnownHosts: []string{path}, ConnectTimeout: 5 * time.Second}}
			p := prober(t)
			began := time.Now()
			expect(t, p.Of(h, []inventory.Probe{read(t, `run = "exit 3", expect = false, timeout = "1s"`)})[0].Try(t.Context(), dial(t, h)), tt.want)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}
