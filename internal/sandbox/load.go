package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fwpush/render"
)

// ErrUnavailable is a machine that cannot load rulesets: the rest of the message
// says what it lacks. It says nothing of the rulesets.
var ErrUnavailable = errors.New("rulesets cannot be loaded on this machine")

// Sandbox makes namespaces in the one way that works here.
type Sandbox struct {
	unshare []string
	small   bool // messages to the kernel have to be short
}

// New finds out how namespaces are made here.
func New(ctx context.Context) (*Sandbox, error) {
	s := &Sandbox{unshare: []string{"unshare", "-n", "--"}}
	if os.Geteuid() != 0 {
		// The user becomes root of the namespaces alone.
		s = &Sandbox{unshare: []string{"unshare", "-U", "-r", "-n", "--"}, small: true}
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		return nil, fmt.Errorf("%w: unshare is not installed: apt install util-linux", ErrUnavailable)
	}
	if out, err := run(s.command(ctx, "true")); err != nil {
		return nil, fmt.Errorf("%w: the kernel makes no namespace for this user (%s): run as root, or allow it with sysctl kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0",
			ErrUnavailable, firstLine(out, err))
	}
	return s, nil
}

func (s *Sandbox) command(ctx context.Context, program ...string) *exec.Cmd {
	args := append(s.unshare[1:len(s.unshare):len(s.unshare)], program...)
	cmd := exec.CommandContext(ctx, s.unshare[0], args...)
	// nft reads dates in the time zone it runs in, and messages in its language.
	cmd.Env = []string{"PATH=" + path(), "LC_ALL=C", "TZ=UTC0"}
	return cmd
}

// path has the directories of administrators, which users often lack.
func path() string {
	p := os.Getenv("PATH")
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		p += string(os.PathListSeparator) + dir
	}
	return strings.TrimPrefix(p, ":")
}

// RefusedError is a ruleset that does not load.
type RefusedError struct {
	Program string
	Said    string // its first line
	Line    int    // 1-based, of the ruleset's text; 0 where the program does not tell
}

func (e *RefusedError) Error() string { return e.Program + ": " + e.Said }

// Load loads a ruleset. The error is a *RefusedError, or wraps ErrUnavailable.
func (s *Sandbox) Load(ctx context.Context, rules render.Ruleset) error {
	if rules.Backend == render.BackendIptables {
		return s.loadTables(ctx, rules.Text)
	}
	nft, err := program("nft", "nftables")
	if err != nil {
		return err
	}
	pieces := []string{rules.Text}
	if s.small {
		pieces = render.Pieces(rules.Text, message)
	}
	dir, err := os.MkdirTemp("", "fwpush-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{"sh", "-c", `nft=$1; shift; for f; do "$nft" -f "$f" || exit; done`, "sh", nft}
	for i, text := range pieces {
		name := filepath.Join(dir, fmt.Sprintf("%d.nft", i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
		args = append(args, name)
	}
	out, err := run(s.command(ctx, args...))
	if err == nil {
		return nil
	}
	e := &RefusedError{Program: "nft", Said: firstLine(out, err)}
	if place, said, ok := strings.Cut(e.Said, ": "); ok && strings.HasPrefix(place, dir) {
		e.Said = strings.TrimPrefix(said, "Error: ")
		if len(pieces) == 1 {
			_, at, _ := strings.Cut(place, ".nft:")
			fmt.Sscanf(at, "%d", &e.Line)
		}
	}
	return e
}

// message is how much the kernel is told at once without root, in bytes. It takes a
// transaction in one message, which for others than root has to fit the buffer of a
// socket (net.core.wmem_default, 212,992 bytes unless somebody has changed it): about
// 5,000 elements of sets, or 300 rules.
const message = 120_000

// loadTables loads the sections of a text for iptables. Where the host has no ipset
// or none of the programs, that cannot be told here.
func (s *Sandbox) loadTables(ctx context.Context, text string) error {
	var script bytes.Buffer
	for _, section := range render.Sections(text) {
		tool := section.Tool + "-restore"
		if section.Tool == "ipset" {
			tool = "ipset"
		}
		if _, err := program(tool, map[bool]string{true: "ipset", false: "iptables"}[tool == "ipset"]); err != nil {
			return err
		}
		args := " --noflush"
		if tool == "ipset" {
			args = " restore"
		}
		// The delimiter cannot be in the text: no line of a ruleset begins so.
		fmt.Fprintf(&script, "%s%s <<'#: END' || exit\n%s#: END\n", tool, args, section.Text)
	}
	// XTABLES_LOCKFILE: legacy programs lock a file of the whole machine otherwise.
	cmd := s.command(ctx, "sh", "-s")
	cmd.Stdin = &script
	lock, err := os.CreateTemp("", "fwpush-lock-")
	if err != nil {
		return err
	}
	lock.Close()
	defer os.Remove(lock.Name())
	cmd.Env = append(cmd.Env, "XTABLES_LOCKFILE="+lock.Name())
	if out, err := run(cmd); err != nil {
		return &RefusedError{Program: "iptables", Said: firstLine(out, err)}
	}
	return nil
}

func program(name, pkg string) (string, error) {
	for _, dir := range filepath.SplitList(path()) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%w: %s is not installed: apt install %s", ErrUnavailable, name, pkg)
}

// run is CombinedOutput of which only the beginning is kept: the first line is what
// is told.
func run(cmd *exec.Cmd) ([]byte, error) {
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out, err
}

// head keeps the first 4 KiB of what is written.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), 4096-len(*h))]...)
	return len(p), nil
}

func firstLine(out []byte, err error) string {
	if line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n"); line != "" {
		return line
	}
	return err.Error()
}
