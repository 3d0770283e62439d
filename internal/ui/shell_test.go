package ui

import (
	"os/exec"
	"testing"
)

// TestShell asks a shell.
func TestShell(t *testing.T) {
	for _, word := range []string{"web1", "web[01-20]", "web*,db1", "", "my plan.json", "it's", "$(id)", "`id`", "a\\b", "~root", "=ls", "-l", "/srv/a=b", "ü", "a;b", "#x", "\"x\""} {
		out, err := exec.Command("sh", "-c", "printf %s "+Shell(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q as %s is %q, %v", word, Shell(word), out, err)
		}
	}
	for word, want := range map[string]string{"web1": "web1", "web[01-20]": "'web[01-20]'", "a\x1b[2J\nb": `'a\x1b[2J\x0ab'`} {
		if got := Shell(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
