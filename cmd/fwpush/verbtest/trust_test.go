package verbtest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// rekey gives a host another host key, as who takes its address would have. It returns
// when its sshd shows that.
func (f *fleet) rekey(host string) {
	f.t.Helper()
	f.sh(host, `
rm /etc/ssh/ssh_host_ed25519_key*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
kill -HUP 1
n=0
until ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -qF "$(cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub)"; do
	n=$((n + 1))
	[ $n -lt 100 ]
	sleep 0.05
done
`)
}

// fresh is a known_hosts file that does not exist, for all hosts.
func (f *fleet) fresh() string {
	f.t.Helper()
	known := filepath.Join(f.t.TempDir(), "ssh", "known_hosts")
	text, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.file("fleet.toml", strings.ReplaceAll(string(text), world.KnownHosts(), known))
	return known
}

// TestTrustAtATerminal gets to know two real sshds, and refuses one of them when its key
// has changed: by the verbs that log in, whatever --host-key says, and by trust itself.
func TestTrustAtATerminal(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web31", "web32")
	known := f.fresh()
	code, plain := f.converse(nil, "no", "trust")
	if code != 130 || !strings.Contains(plain, "● web31 (1)   new") || !strings.Contains(plain, "Trust these 2 hosts? ") ||
		!strings.Contains(plain, "exit 130: not approved, not recorded: web[31-32]") {
		t.Errorf("no: exit %d\n%s", code, plain)
	}
	if _, err := os.Stat(known); err == nil {
		t.Error("something was recorded without a yes")
	}
	_, stderr := f.run(2, "status") // strict, and the file that the fleet names does not exist
	if !strings.Contains(stderr, known+" does not exist") || !strings.Contains(stderr, "fwpush trust") {
		t.Errorf("status:\n%s", stderr)
	}
	code, plain = f.converse(nil, "yes", "trust")
	if code != 0 || !strings.Contains(plain, "recorded in "+known+": web[31-32] (2)") {
		t.Errorf("yes: exit %d\n%s", code, plain)
	}
	f.run(0, "status")
	out, err := exec.Command("ssh", "-F", "none", "-i", world.KeyFile(), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+known, "root@"+f.hosts["web32"].Addr4().String(), "true").CombinedOutput()
	if err != nil {
		t.Errorf("ssh does not know the host: %v\n%s", err, out)
	}

	f.rekey("web32")
	before, _ := os.ReadFile(known)
	for _, policy := range []string{"strict", "accept-new"} {
		stdout, _ := f.run(4, "status", "--host-key", policy)
		for _, want := range []string{"web32", "host key has changed", "another machine may have taken the address", "&& fwpush trust -l web32"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in:\n%s", policy, want, stdout)
			}
		}
	}
	stdout, _ := f.run(3, "trust", "-y")
	if !strings.Contains(stdout, "✗ web32 (1)   CHANGED, nothing is recorded") || !strings.Contains(stdout, "○ web31 (1)   known") {
		t.Errorf("trust:\n%s", stdout)
	}
	if after, _ := os.ReadFile(known); string(after) != string(before) {
		t.Errorf("known_hosts was changed:\n%s", after)
	}
}

// TestAcceptNewIsToldOnce has a run meet all of its hosts for the first time.
func TestAcceptNewIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web33", "web34")
	known := f.fresh()
	_, stderr := f.run(0, "status", "--host-key", "accept-new")
	if want := "new, recorded in " + known + ": web[33-34] (2)\n"; strings.Count(stderr, want) != 1 {
		t.Errorf("not once %q in:\n%s", want, stderr)
	}
	if _, stderr = f.run(0, "status"); strings.Contains(stderr, "recorded") {
		t.Errorf("stderr:\n%s", stderr)
	}
}

// TestJumpHostChanged has somebody in the place of the jump host: nothing goes through it,
// and the hosts behind it are not asked for their keys by that way.
func TestJumpHostChanged(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web35", "bastion35")
	f.append("[hosts.web35.ssh]\njump = \"bastion35\"\n")
	known := f.fresh()
	f.run(0, "trust", "-y", "-l", "web35")
	if text, _ := os.ReadFile(known); strings.Count(string(text), "\n") != 2 {
		t.Errorf("known_hosts:\n%s", text)
	}
	f.run(0, "status", "-l", "web35")
	f.rekey("bastion35")
	stdout, _ := f.run(4, "status", "-l", "web35")
	for _, want := range []string{"through bastion35", "host key has changed", "&& fwpush trust -l bastion35"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	stdout, _ = f.run(3, "trust", "-y", "-l", "web35")
	for _, want := range []string{"✗ bastion35 (1)   CHANGED", "✗ web35 (1)   not asked: its jump host bastion35 is changed"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	if console, err := f.hosts["web35"].Console(); err != nil || strings.Count(console, "Accepted publickey") != 1 {
		t.Errorf("%v, web35 was reached again:\n%s", err, console)
	}
}

// TestPassphraseAtATerminal types a passphrase, once for two hosts, wrong at first. It is
// neither shown nor kept.
func TestPassphraseAtATerminal(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web36", "web37")
	key, err := os.ReadFile(world.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(f.dir, "locked")
	f.file("locked", string(key))
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		t.Fatal(err)
	}
	f.file("fleet.toml", strings.ReplaceAll(string(text), world.KeyFile(), locked))

	_, stderr := f.run(2, "apply", "-y")
	if !strings.Contains(stderr, locked+" is encrypted, and SSH_AUTH_SOCK is not set; type: ssh-add "+locked) {
		t.Errorf("without a terminal:\n%s", stderr)
	}
	code, plain := f.answer([]string{"wrong", "open sesame"}, "Passphrase for "+locked+": ", "apply", "-y")
	if code != 0 || !strings.Contains(plain, "wrong passphrase; tries left: 2") || !strings.Contains(plain, "confirmed  web[36-37] (2)") {
		t.Errorf("exit %d\n%s", code, plain)
	}
	if strings.Contains(plain, "sesame") || strings.Count(plain, "Passphrase for ") != 2 {
		t.Errorf("shown, or asked for too often:\n%s", plain)
	}
	if out, err := exec.Command("grep", "-rl", "sesame", f.state, f.dir).CombinedOutput(); err == nil {
		t.Errorf("kept in:\n%s", out)
	}
	code, plain = f.answer([]string{"a", "b", "c"}, "Passphrase for "+locked+": ", "diff")
	if code != 2 || !strings.Contains(plain, locked+" is encrypted, 3 passphrases were wrong, and SSH_AUTH_SOCK is not set; type: ssh-add "+locked) {
		t.Errorf("exit %d\n%s", code, plain)
	}
	code, plain = f.answer([]string{"\x03"}, "Passphrase for "+locked+": ", "diff")
	if code != 130 || !strings.Contains(plain, "exit 130: interrupted at the question, no host was changed") {
		t.Errorf("exit %d\n%s", code, plain)
	}
}

// answer runs fwpush on a terminal and types a line at each question.
func (f *fleet) answer(lines []string, question string, args ...string) (code int, plain string) {
	f.t.Helper()
	cmd := f.command(args...)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	terminal, err := pty.Start(cmd)
	if err != nil {
		f.t.Fatal(err)
	}
	defer terminal.Close()
	var seen strings.Builder
	in := bufio.NewReader(terminal)
	for _, line := range lines {
		from := seen.Len()
		for !strings.HasSuffix(seen.String()[from:], question) {
			b, err := in.ReadByte()
			if err != nil {
				f.t.Fatalf("no question came: %v\n%s", err, seen.String())
			}
			seen.WriteByte(b)
		}
		if line != "\x03" {
			line += "\n"
		}
		if _, err := io.WriteString(terminal, line); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := io.Copy(&seen, in); err != nil && !errors.Is(err, syscall.EIO) {
		f.t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at
	return cmd.ProcessState.ExitCode(), seen.String()
}
