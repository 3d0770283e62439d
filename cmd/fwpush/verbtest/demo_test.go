package verbtest

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo runs the demo in a world of its own inside this one.
func TestDemo(t *testing.T) {
	f := &fleet{t: t, dir: t.TempDir()}
	began := time.Now()
	out, _ := f.run(0, "demo")
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("the demo took %s", took)
	}
	for _, want := range []string{
		"$ fwpush apply --role web -y\n",
		"confirmed  web[1-3] (3)",
		"3306 open", "3306 no answer",
		"unchanged  web[1-3] (3)",
		"would lock out ",
		"stopped by canary web1: no fresh connection got in", "untouched",
		"identical (", "$ kill -9 ", "open again, ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// TestDemoNeedsRoot has a plain user ask for a demo: one line says what is
// missing.
func TestDemoNeedsRoot(t *testing.T) {
	f := &fleet{t: t, dir: "/"}
	self, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := f.command("demo")
	cmd.Path, cmd.ExtraFiles = "/proc/self/fd/3", []*os.File{self} // its directory is root's
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code is looked at
	if got, want := stderr.String(), "exit 2: making hosts needs root: run it as root or with sudo\n"; got != want || stdout.Len() > 0 || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("exit %d, stderr %q, want exit 2 and %q", cmd.ProcessState.ExitCode(), got, want)
	}
}
