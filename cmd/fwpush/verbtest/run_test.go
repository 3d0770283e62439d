package verbtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// TestRow1HostUnreachable has one host that cannot be reached among others that can.
func TestRow1HostUnreachable(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3")
	if err := f.hosts["web2"].LinkDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := f.run(4, "apply", "-y")
	for _, want := range []string{"  confirmed    web[1,3] (2)", "  unreachable  web2 (1), untouched", "next: fwpush apply --resume 20"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	if !strings.HasSuffix(stderr, "exit 4: 1 host unreachable: web2\n") || !strings.Contains(stderr, "web2  unreachable: "+f.hosts["web2"].Addr4().String()+":22: ") {
		t.Errorf("stderr:\n%s", stderr)
	}
	out, _ := f.run(4, "diff")
	for _, want := range []string{"○ web[1,3] (2)   no change", "✗ web2 (1)  unreachable: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if o := f.json(4, "status"); o.outcomes()["web2"] != "unreachable" || o.outcomes()["web3"] != "ok" {
		t.Errorf("status: %v", o.outcomes())
	}
	// It was the cable, and nothing else.
	if err := f.hosts["web2"].LinkUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o := f.json(0, "apply", "-y"); o.outcomes()["web1"] != "unchanged" || o.outcomes()["web2"] != "confirmed" {
		t.Errorf("with its cable back: %v", o.outcomes())
	}
}

// TestNotInteractive has nobody to ask.
func TestNotInteractive(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	_, stderr := f.run(2, "apply")
	if want := "exit 2: refused: not interactive; 2 hosts need --yes or a terminal\n"; !strings.HasSuffix(stderr, want) {
		t.Errorf("stderr:\n%s", stderr)
	}
	f.run(0, "apply", "-l", "web1") // one host needs no yes
	_, stderr = f.run(2, "remove", "web1")
	if !strings.Contains(stderr, "not interactive; 1 host needs") {
		t.Errorf("stderr:\n%s", stderr)
	}
	if f.ruleset("web2") != "" {
		t.Error("web2 was changed")
	}
}

// TestApproval answers the question on a terminal, first with no, then with yes.
func TestApproval(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	for _, answer := range []struct {
		word string
		code int
		want []string
	}{
		{"no", 130, []string{"● web[1-2] (2)", "first push", "Change 2 hosts?", "exit 130: not approved, no host was changed"}},
		{"yes", 0, []string{"Change 2 hosts?", "confirmed  web[1-2] (2)"}},
	} {
		code, plain := f.converse(nil, answer.word, "apply")
		if code != answer.code {
			t.Errorf("%s: exit %d, want %d\n%s", answer.word, code, answer.code, plain)
		}
		for _, want := range answer.want {
			if !strings.Contains(plain, want) {
				t.Errorf("%s: no %q in:\n%s", answer.word, want, plain)
			}
		}
		if changed := f.ruleset("web1") != ""; changed != (answer.word == "yes") {
			t.Errorf("%s: changed is %t", answer.word, changed)
		}
	}
}

// converse runs fwpush on a terminal, does something while the question stands,
// and answers it. It returns the exit code and what was seen, without colours.
func (f *fleet) converse(meanwhile func(), answer string, args ...string) (code int, plain string) {
	f.t.Helper()
	cmd := f.command(args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	terminal, err := pty.Start(cmd)
	if err != nil {
		f.t.Fatal(err)
	}
	var seen strings.Builder
	in := bufio.NewReader(terminal)
	for !strings.HasSuffix(seen.String(), "[yes/no] ") {
		b, err := in.ReadByte()
		if err != nil {
			f.t.Fatalf("no question came: %v\n%s", err, seen.String())
		}
		seen.WriteByte(b)
	}
	if meanwhile != nil {
		meanwhile()
	}
	if _, err := io.WriteString(terminal, answer); err != nil {
		f.t.Fatal(err)
	}
	if !strings.HasSuffix(answer, "\x03") { // which ends the line by itself
		io.WriteString(terminal, "\n")
	}
	// The other end closed is EIO on Linux (tty_ioctl has no word for it).
	if _, err := io.Copy(&seen, in); err != nil && !errors.Is(err, syscall.EIO) {
		f.t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at
	plain = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "").Replace(seen.String())
	return cmd.ProcessState.ExitCode(), plain
}

// TestApprovalCoversWhatWasShown says yes after the fleet has become another one:
// a host that did not answer the review does now, and one is not as it was.
func TestApprovalCoversWhatWasShown(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3")
	f.run(0, "apply", "-l", "web3")
	f.append("[roles.web]\nin = [ { allow = \"https\" } ]\n")
	f.sh("web2", "pkill -STOP -o sshd")
	code, seen := f.converse(func() {
		f.sh("web2", "pkill -CONT -o sshd")
		f.sh("web3", "nft insert rule inet fwpush input tcp dport 9 drop")
	}, "yes", "apply", "--max-fail", "1")
	for _, want := range []string{"Change 2 hosts?", "confirmed    web1 (1)", "failed       web3 (1)", "unreachable  web2 (1)", "the host is not as it was when the change was shown"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in:\n%s", want, seen)
		}
	}
	if code != 3 {
		t.Errorf("exit %d, want 3", code)
	}
	if f.ruleset("web2") != "" || !strings.Contains(f.ruleset("web3"), "tcp dport 9 drop") {
		t.Error("a host was changed whose change nobody has seen")
	}
}

// TestInterruptAtTheQuestion has a person think better of it.
func TestInterruptAtTheQuestion(t *testing.T) {
	f := newFleet(t, "web1")
	code, seen := f.converse(nil, "\x03", "apply")
	if code != 130 || !strings.Contains(seen, "exit 130: interrupted at the question, no host was changed") {
		t.Errorf("exit %d\n%s", code, seen)
	}
	if f.ruleset("web1") != "" {
		t.Error("the host was changed")
	}
}

// TestInterrupt stops a run that takes one host at a time after its first host.
func TestInterrupt(t *testing.T) {
	f := newFleet(t, "web1", "web2", "web3", "web4")
	cmd := f.command("apply", "-y", "--forks", "1")
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		told.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "web1  confirmed") {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // the exit code is looked at
	if got := cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit %d, want 130", got)
	}
	text := told.String()
	for _, want := range []string{"interrupted: no new host is started, ", " in flight is finished", "exit 130: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if !strings.Contains(out.String(), "next: fwpush apply --resume 20") {
		t.Errorf("stdout:\n%s", out.String())
	}
	if f.ruleset("web1") == "" || f.ruleset("web4") != "" {
		t.Error("web1 shall be done and web4 not begun")
	}
	for _, host := range f.order {
		if got := f.leftovers(host); got != "" {
			t.Errorf("%s: left behind:\n%s", host, got)
		}
	}
}

// TestReaderGoesAway has whoever reads the output end in the middle of a run,
// and the terminal too: that must not kill it.
func TestReaderGoesAway(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	cmd := f.command("apply", "-y", "-v")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for lines := bufio.NewScanner(r); lines.Scan() && !strings.HasSuffix(lines.Text(), "  connecting"); {
	}
	r.Close()
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // what it says nobody reads
	for _, host := range f.order {
		if !strings.Contains(f.ruleset(host), "tcp dport { 80, 443 } accept") {
			t.Errorf("%s is not confirmed: fwpush ended with %s", host, cmd.ProcessState)
		}
	}
}

// TestResultCannotBePrinted has a full disk under stdout: what is true on the
// hosts decides the exit of a run, and a diff without its text has failed.
func TestResultCannotBePrinted(t *testing.T) {
	f := newFleet(t, "web1")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, tt := range []struct {
		args []string
		code int
	}{{[]string{"apply", "-y"}, 0}, {[]string{"apply", "-y", "-o", "json"}, 0}, {[]string{"diff"}, 2}, {[]string{"status", "-o", "json"}, 2}} {
		cmd := f.command(tt.args...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		_ = cmd.Run() // the exit code is looked at
		if got := cmd.ProcessState.ExitCode(); got != tt.code || !strings.Contains(stderr.String(), "cannot print the result: ") {
			t.Errorf("%s: exit %d, want %d\n%s", tt.args[0], got, tt.code, stderr.String())
		}
	}
	if f.ruleset("web1") == "" {
		t.Error("web1 is not confirmed")
	}
}

// TestTextOfAnApply is what a person reads.
func TestTextOfAnApply(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	stdout, stderr := f.run(0, "apply", "-y")
	lines := strings.Split(stdout, "\n")
	if !strings.HasPrefix(lines[0], "Done in ") || !strings.Contains(lines[0], " · run 20") || lines[1] != "  confirmed  web[1-2] (2)" {
		t.Errorf("stdout:\n%s", stdout)
	}
	if !strings.HasPrefix(stderr, "run 20") || !strings.Contains(stderr, ": web[1-2] (2), window 30s\n") {
		t.Errorf("stderr:\n%s", stderr)
	}
	for _, want := range []string{"\nweb[1-2] (2)  applied, reverts by ", "\nweb[1-2] (2)  confirmed in "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in:\n%s", want, stderr)
		}
	}
	if _, stderr := f.run(0, "apply", "-y", "-q"); stderr != "" {
		t.Errorf("-q prints %q", stderr)
	}
}
