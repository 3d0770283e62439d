package journal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository makes one with a committed fleet file and a file that this one includes.
func repository(t *testing.T) (dir, commit string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("HOME", dir) // no configuration but that of the repository
	t.Setenv("XDG_CONFIG_HOME", "")
	save(t, filepath.Join(dir, "fleet.toml"), "version = 1\n")
	save(t, filepath.Join(dir, "sets", "offices.toml"), "# offices\n")
	save(t, filepath.Join(dir, "notes"), "notes\n")
	save(t, filepath.Join(dir, ".gitignore"), "*.local\n")
	runGit(t, dir, "init", "-q")
	runGit(t, dir, "add", ".")
	runGit(t, dir, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "a")
	return dir, strings.TrimSpace(runGit(t, dir, "rev-parse", "HEAD"))
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

func save(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		t.Fatal(err)
	}
}

func TestGitCommit(t *testing.T) {
	dir, commit := repository(t)
	fleet, offices := filepath.Join(dir, "fleet.toml"), filepath.Join(dir, "sets", "offices.toml")
	check := func(name, want string, others ...string) {
		t.Helper()
		if got := GitCommit(t.Context(), fleet, others...); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	check("as committed", commit, offices)
	save(t, filepath.Join(dir, "notes"), "other\n")
	save(t, filepath.Join(dir, "new"), "new\n")
	check("what the fleet is not made of does not matter", commit, offices)
	check("a file of no repository does not either", commit, "/etc/passwd")
	save(t, offices, "# another\n")
	check("an included file was edited", commit+"+dirty", offices)
	check("and is not asked for", commit)
	runGit(t, dir, "add", "sets")
	check("staged is not committed", commit+"+dirty", offices)
	check("an untracked file", commit+"+dirty", filepath.Join(dir, "new"))
	save(t, filepath.Join(dir, "secrets.local"), "x")
	check("a file that git ignores", commit+"+dirty", filepath.Join(dir, "secrets.local"))

	link := filepath.Join(t.TempDir(), "fleet.toml")
	if err := os.Symlink(fleet, link); err != nil {
		t.Fatal(err)
	}
	if got := GitCommit(t.Context(), link); got != commit {
		t.Errorf("through a link: %q", got)
	}
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "none")) // as in a hook of another repository
	check("GIT_DIR of somebody else", commit)
}

func TestGitCommitOfNothing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "fleet.toml")
	save(t, none, "version = 1\n")
	if got := GitCommit(t.Context(), none); got != "" {
		t.Errorf("no repository: %q", got)
	}
	if got := GitCommit(t.Context(), none+".gone"); got != "" {
		t.Errorf("no file: %q", got)
	}
	runGit(t, filepath.Dir(none), "init", "-q")
	if got := GitCommit(t.Context(), none); got != "" {
		t.Errorf("no commit yet: %q", got)
	}
	dir, commit := repository(t)
	t.Setenv("PATH", t.TempDir())
	if got := GitCommit(t.Context(), filepath.Join(dir, "fleet.toml")); got != "" {
		t.Errorf("no git, and %q instead of %q", got, commit)
	}
}

// What a repository has git run is not run, and nothing is written to it.
func TestGitCommitRunsNoHooks(t *testing.T) {
	dir, commit := repository(t)
	evil := filepath.Join(dir, "evil")
	save(t, evil, "#!/bin/sh\necho ran >>'"+dir+"/ran'\n")
	runGit(t, dir, "config", "core.fsmonitor", evil)
	for _, hook := range []string{"post-index-change", "fsmonitor-watchman"} {
		save(t, filepath.Join(dir, ".git", "hooks", hook), "#!/bin/sh\necho ran >>'"+dir+"/ran'\n")
	}
	// A time that the index does not have would make git write it anew.
	at := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "fleet.toml"), at, at); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	if got := GitCommit(t.Context(), filepath.Join(dir, "fleet.toml")); got != commit {
		t.Errorf("got %q, want %q", got, commit)
	}
	if after, err := os.ReadFile(filepath.Join(dir, ".git", "index")); err != nil || string(after) != string(before) {
		t.Errorf("the index was written (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); !os.IsNotExist(err) {
		t.Error("a hook was run")
	}
	runGit(t, dir, "status") // and git alone would have
	if _, err := os.Stat(filepath.Join(dir, "ran")); err != nil {
		t.Errorf("the test proves nothing: %v", err)
	}
}

// A git that hangs, as on a file system of the network, does not hold up a run.
func TestGitCommitOfAGitThatHangs(t *testing.T) {
	dir, _ := repository(t)
	bin := t.TempDir()
	save(t, filepath.Join(bin, "git"), "#!/bin/sh\nsleep 8\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	began := time.Now()
	if got := GitCommit(t.Context(), filepath.Join(dir, "fleet.toml")); got != "" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
