package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Command prepares a command that runs as root in all namespaces and the root directory of the
// host, with a clean environment. It does not pass through the host's network or sshd. When ctx
// ends, so does the command on the host, though not what it left in the background.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	b, err := h.current()
	if err != nil {
		cmd := exec.CommandContext(ctx, "nsenter")
		cmd.Err = err
		return cmd
	}
	// Joining a PID namespace takes a fork. nsenter's own stops whenever its child is stopped, which
	// is what systemd does to all processes at the end of a shutdown. It would then never reap the
	// child, and the host never end: a PID namespace goes when its last process is reaped.
	args := append([]string{"-t", strconv.Itoa(b.pid), "-a", "-r", "-w", "--no-fork", "--", "unshare", "--fork", "--kill-child", "--"}, argv...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	// A command that leaves a daemon behind would otherwise keep Wait waiting for its output.
	cmd.WaitDelay = time.Second
	return cmd
}

// Exec runs a command on the host like Command and returns what it wrote. The error of a command
// that fails names the host and the command and has its stderr.
func (h *Host) Exec(ctx context.Context, stdin string, argv ...string) (stdout, stderr string, err error) {
	cmd := h.Command(ctx, argv...)
	var out, msg bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &msg
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("lab: %s: %s: %w: %s", h.name, strings.Join(argv, " "), err, strings.TrimSpace(msg.String()))
	}
	return out.String(), msg.String(), err
}

// Files is where the root directory of the host stands in the world, as the host's processes see it:
// for looking without a process on the host. It is another one after each boot. An absolute link leads
// out of it.
func (h *Host) Files() (string, error) {
	b, err := h.current()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/proc/%d/root", b.pid), nil
}

// ReadFile reads a file of the host, with links resolved as the host resolves them.
func (h *Host) ReadFile(ctx context.Context, path string) (string, error) {
	text, _, err := h.Exec(ctx, "", "cat", "--", path)
	return text, err
}

// ReadDir lists a directory of the host without a process there: a test that waits may look as often
// as it likes. Links on the way are not followed as the host would.
func (h *Host) ReadDir(path string) ([]string, error) {
	root, err := h.Files()
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(root + path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// WriteFile writes a file of the host. A new one gets mode 0644.
func (h *Host) WriteFile(ctx context.Context, path, text string) error {
	_, _, err := h.Exec(ctx, text, "sh", "-c", `umask 022; exec cat >"$1"`, "sh", path)
	return err
}
