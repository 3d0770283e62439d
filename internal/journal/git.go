package journal

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	gitTime = 2 * time.Second
	maxGit  = 1 << 20
)

// GitCommit is the commit that a file is at, with "+dirty" if the file, or one of the
// others that are in the same repository, is not as that commit has it. It is "" where
// there is no git, no repository, none that git trusts (safe.directory in git-config(1)),
// no commit yet, or no answer within two seconds.
//
// What a repository could have git run is turned off: hooks and fsmonitor. Nothing is
// written to it.
func GitCommit(ctx context.Context, file string, others ...string) string {
	ctx, cancel := context.WithTimeout(ctx, gitTime)
	defer cancel()
	file, err := resolved(file)
	if err != nil {
		return ""
	}
	dir := filepath.Dir(file)
	top, ok := git(ctx, dir, "rev-parse", "--show-toplevel")
	if !ok {
		return ""
	}
	top = strings.TrimSuffix(top, "\n")
	// Format 2 names the commit and the files in one answer (git-status(1)). A file that
	// git ignores is not in the commit either.
	args := []string{"status", "--porcelain=2", "--branch", "--untracked-files=all", "--ignored=matching", "--ignore-submodules=all", "--", file}
	for _, other := range others {
		if path, err := resolved(other); err == nil && strings.HasPrefix(path, top+string(filepath.Separator)) {
			args = append(args, path)
		}
	}
	answer, ok := git(ctx, dir, args...)
	if !ok {
		return ""
	}
	commit, dirty := "", ""
	for line := range strings.Lines(answer) {
		line = strings.TrimSuffix(line, "\n")
		if oid, ok := strings.CutPrefix(line, "# branch.oid "); ok {
			commit = oid
		} else if !strings.HasPrefix(line, "#") {
			dirty = "+dirty"
		}
	}
	if len(commit) < 40 || strings.Trim(commit, "0123456789abcdef") != "" { // "(initial)"
		return ""
	}
	return commit + dirty
}

// resolved is where a file really is, as git sees it.
func resolved(file string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

func git(ctx context.Context, dir string, args ...string) (string, bool) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--no-optional-locks", "--literal-pathspecs",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-C", dir}, args...)...)
	// GIT_DIR and its like, as a hook has them, would mean another repository.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "LC_ALL=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	cmd.WaitDelay = 100 * time.Millisecond
	var out limited
	cmd.Stdout = &out
	err := cmd.Run()
	return out.b.String(), err == nil
}

// limited takes maxGit bytes and then refuses, which ends whoever writes.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > maxGit {
		return 0, bytes.ErrTooLarge
	}
	return l.b.Write(p)
}
