package verbtest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// becoming is a fleet whose hosts are logged in to as ops, who is root by sudo with a
// password of its own on each host, and whose passwords lie in the files pw/HOST.
func becoming(t *testing.T, passwords map[string]string, names ...string) *fleet {
	t.Helper()
	f := newFleet(t, names...)
	f.rewrite(`user = "root"`, `user = "ops", become = "sudo"`)
	if err := os.Mkdir(filepath.Join(f.dir, "pw"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f.sh(name, `useradd -m -s /bin/sh ops
chpasswd <<'END'
ops:`+passwords[name]+`
END
cp -r /root/.ssh /home/ops/ && chown -R ops: /home/ops/.ssh
echo 'ops ALL=(ALL:ALL) ALL' >/etc/sudoers.d/ops`)
		f.file("pw/"+name, passwords[name]+"\nuser: ops\n")
	}
	return f
}

// rewrite replaces text in the fleet file.
func (f *fleet) rewrite(from, to string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.file("fleet.toml", strings.ReplaceAll(string(text), from, to))
}

const perHost = `cat "pw/$FWPUSH_HOST"`

// TestBecomePasswordIsNowhere has hosts pending with different passwords, and looks for
// these wherever one could be left: on the hosts, here, in what is printed.
func TestBecomePasswordIsNowhere(t *testing.T) {
	t.Parallel()
	passwords := map[string]string{"web41": `q"u'o%u $HOME \t ä`, "web42": "zweiundvierzig"}
	f := becoming(t, passwords, "web41", "web42")
	cmd := f.command("apply", "-y", "-v", "--window", "60s", "--soak", "4s", "--become-pass-command", perHost)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for name := range passwords {
		f.until(name, "ls /run/fwpush/S.*.applied.* 2>/dev/null")
	}
	for _, file := range []string{"cmdline", "environ"} {
		f.lacks(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file), passwords)
	}
	for name, word := range passwords {
		f.sh(name, "cat >/needle <<'END'\n"+word+"\nEND")
		found := f.sh(name, `for p in /proc/[0-9]*; do grep -aqFf /needle $p/cmdline $p/environ 2>/dev/null && echo $p; done
grep -raFlf /needle /var/spool /var/lib/fwpush /var/lib/sudo /var/log /run /home/ops /etc 2>/dev/null || true`)
		if found != "" {
			t.Errorf("%s: the password is in %s", name, found)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	f.lacksText("what apply printed", said.String(), passwords)
	files := 0
	_ = filepath.WalkDir(f.state, func(path string, e fs.DirEntry, _ error) error {
		if e.Type().IsRegular() {
			files++
			f.lacks(path, passwords)
		}
		return nil
	})
	if files == 0 {
		t.Error("nothing was recorded")
	}
	// The other verbs go the same way.
	for _, args := range [][]string{{"status"}, {"diff"}, {"doctor"}, {"remove", "-y", "web[41-42]"}} {
		f.run(0, append(args, "--become-pass-command", perHost)...)
	}
}

func (f *fleet) lacks(path string, passwords map[string]string) {
	f.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		f.t.Error(err)
	}
	f.lacksText(path, string(text), passwords)
}

func (f *fleet) lacksText(what, text string, passwords map[string]string) {
	f.t.Helper()
	for name, word := range passwords {
		if strings.Contains(text, word) {
			f.t.Errorf("%s has the password of %s", what, name)
		}
	}
}

// until waits for a command to print something on a host.
func (f *fleet) until(host, script string) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if f.sh(host, script+" || true") != "" {
			return
		}
		if time.Now().After(end) {
			f.t.Fatalf("%s: not within 20 s: %s", host, script)
		}
	}
}

// TestBecomePasswordRefused says what to do for each way not to get one, or to get a wrong
// one, and tries that on one host.
func TestBecomePasswordRefused(t *testing.T) {
	t.Parallel()
	f := becoming(t, map[string]string{"web43": "right", "web44": "right"}, "web43", "web44")
	for _, tt := range []struct {
		code int
		args []string
		want []string
	}{
		{3, nil, []string{"a password is required", "--ask-become-pass or --become-pass-command"}},
		{2, []string{"--ask-become-pass"}, []string{"exit 2: --ask-become-pass: there is no terminal to ask on; use --become-pass-command; no host was changed"}},
		{2, []string{"--ask-become-pass", "--become-pass-command", "x"}, []string{"one of them"}},
		{2, []string{"--become-pass-command", `printf 'no \033[31mvault' >&2; exit 3`}, []string{`--become-pass-command, for web[43-44]: exit status 3: no \x1b[31mvault; no host was changed`}},
		{2, []string{"--become-pass-command", "true"}, []string{"for web[43-44]: the password is empty"}},
		{2, []string{"--become-pass-command", `[ $FWPUSH_HOST = web43 ] || exit 1; echo right`}, []string{"for web44: exit status 1"}},
		{3, []string{"--forks", "1", "--become-pass-command", "echo wrong-one"}, []string{"does not accept the password", "has refused this password, and it is tried nowhere else"}},
	} {
		stdout, stderr := f.run(tt.code, append([]string{"status"}, tt.args...)...)
		for _, want := range tt.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("status %q without %q:\n%s%s", tt.args, want, stdout, stderr)
			}
		}
		if strings.Contains(stdout+stderr, "wrong-one") {
			t.Errorf("the password is printed:\n%s%s", stdout, stderr)
		}
	}
	// A host that asks for nothing needs none.
	f.sh("web44", "echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops")
	if stdout, _ := f.run(3, "status", "--become-pass-command", "echo wrong-one"); !strings.Contains(stdout, "absent") {
		t.Errorf("without a password:\n%s", stdout)
	}
}

// TestBecomePasswordAtATerminal asks once, for all hosts, and shows nothing of it.
func TestBecomePasswordAtATerminal(t *testing.T) {
	t.Parallel()
	f := becoming(t, map[string]string{"web45": "pass word", "web46": "pass word"}, "web45", "web46")
	terminal, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	cmd := f.command("status", "--ask-become-pass")
	cmd.Env = append(cmd.Env, "TERM=dumb")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, question := "", "Password for sudo on web[45-46]: "
	for b := make([]byte, 1); !strings.HasSuffix(seen, question); seen += string(b) {
		if _, err := terminal.Read(b); err != nil {
			t.Fatalf("no question: %v\n%s", err, seen)
		}
	}
	for mute := false; !mute; {
		stty := exec.Command("stty", "-a")
		stty.Stdin = slave
		modes, err := stty.Output()
		if err != nil {
			t.Fatal(err)
		}
		mute = strings.Contains(string(modes), " -echo ")
	}
	slave.Close()
	if _, err := io.WriteString(terminal, "pass word\n"); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(terminal) // ends with EIO
	_ = cmd.Wait()                  // the exit code is looked at
	if text := string(rest); cmd.ProcessState.ExitCode() != 0 || strings.Contains(text, "pass word") || strings.Contains(text, "Password") || !strings.Contains(text, "absent") {
		t.Errorf("exit %d\n%s", cmd.ProcessState.ExitCode(), text)
	}
}
