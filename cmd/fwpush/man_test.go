package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write the man pages to docs/man")

// The man pages say what --help says: they are made of the same texts, and a
// change of a verb or flag that is not in them fails here.
func TestManPages(t *testing.T) {
	const dir = "../../docs/man"
	want := manPages(t)
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range want {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("docs/man/%s is not what the help says (%v); run go test ./cmd/fwpush -run TestManPages -update", name, err)
		}
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if _, ok := want[f.Name()]; !ok {
			t.Errorf("docs/man/%s describes no verb there is", f.Name())
		}
	}
}

// manPages is a page for each verb and one for fwpush.
func manPages(t *testing.T) map[string]string {
	root := newRoot(&console{out: io.Discard, err: io.Discard, environ: func(string) (string, bool) { return "", false }})
	root.DisableAutoGenTag = true
	forMan(root)
	dir := t.TempDir()
	made := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "fwpush", Manual: "fwpush manual", Date: &made}, dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pages[f.Name()] = string(text)
	}
	return pages
}

var exitLine = regexp.MustCompile(`(?m)^ *([0-9]+)  (.*)$`)

// forMan makes a heading and a list of the exit codes: in the markdown that the
// pages are made of they would run together.
func forMan(cmd *cobra.Command) {
	text, codes, found := strings.Cut(cmd.Long, "\n\nEXIT STATUS\n")
	if found {
		cmd.Long = text + "\n\n# EXIT STATUS\n" + exitLine.ReplaceAllString(codes, "**$1** $2\n")
	}
	for _, sub := range cmd.Commands() {
		forMan(sub)
	}
}
