package archtest

import (
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestScriptsAreClean(t *testing.T) {
	hold(t, scripts,
		broken{"an unquoted variable", map[string]string{"internal/lab/a.sh": "#!/bin/sh\nrm $1\n"},
			"internal/lab/a.sh: shellcheck"},
		broken{"a bashism without a suffix", map[string]string{"tools/a": "#!/bin/sh\n[[ -n \"$1\" ]]\n"},
			"tools/a: shellcheck"},
		broken{"no POSIX", map[string]string{"internal/commit/scripts/a.sh": "local=(1 2)\necho \"${local[0]}\"\n"},
			"internal/commit/scripts/a.sh: shellcheck"},
		broken{"a script of bash", map[string]string{".ci/a": "#!/bin/bash\nrm $1\n"},
			".ci/a: shellcheck"},
	)
}

// TestShellsParseTheScripts is apart from shellcheck, which any broken script fails as well.
func TestShellsParseTheScripts(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			hold(t, func(t *testing.T, tr tree) []string { return parse(t, tr, shell) },
				broken{"half a script", map[string]string{"a.sh": "if true; then\n"}, "a.sh: " + shell.name})
		})
	}
}

// shell is one that a host may have for /bin/sh.
type shell struct {
	name string
	args []string
	deb  string // the Debian package
}

var shells = []shell{
	{"dash", []string{"-n"}, "dash"},
	{"busybox", []string{"sh", "-n"}, "busybox-static"},
}

func scripts(t *testing.T, tr tree) []string {
	var found []string
	for _, p := range tr.paths {
		var args []string
		switch language(p, tr.text[p]) {
		case "":
			continue
		case "sh":
			// What travels to hosts has no first line that names a shell.
			args = []string{"--shell=sh"}
		}
		if out, err := run(t, tr, "shellcheck", "shellcheck", append(args, "--format=gcc", p)); err != nil {
			found = append(found, fmt.Sprintf("%s: shellcheck: %v\n%s", p, err, out))
		}
	}
	return found
}

func parse(t *testing.T, tr tree, sh shell) []string {
	var found []string
	for _, p := range tr.paths {
		if language(p, tr.text[p]) != "sh" {
			continue
		}
		if out, err := run(t, tr, sh.name, sh.deb, append(sh.args, p)); err != nil {
			found = append(found, fmt.Sprintf("%s: %s: %v\n%s", p, sh.name, err, out))
		}
	}
	return found
}

// run runs a tool in the tree. One that is not installed ends the test.
func run(t *testing.T, tr tree, tool, deb string, args []string) (out []byte, err error) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Fatalf("%v; install it with: apt-get install %s", err, deb)
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = filepath.FromSlash(tr.dir)
	return cmd.CombinedOutput()
}

// language is what a script is written in: sh, bash, or "" for no script.
func language(p, text string) string {
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case inTestdata(p):
		return ""
	case strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "bash"):
		return "bash"
	case strings.HasPrefix(first, "#!/bin/sh"), path.Ext(p) == ".sh":
		return "sh"
	}
	return ""
}
