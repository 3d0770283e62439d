package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
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
		// A switch takes nothing.
		pages[f.Name()] = strings.NewReplacer(`\fP[=false]`, `\fP`, `\fP[=]`, `\fP`).Replace(string(text))
	}
	return pages
}

var (
	exitLine = regexp.MustCompile(`(?m)^ *([0-9]+)  (.*)$`)
	markup   = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `<`, `\<`, `[`, `\[`, "`", "\\`")
)

// forMan makes markdown of texts, as the pages are made of that: no character of a
// text is markup, a list stays one, exit codes get a heading, and a flag has what it
// takes behind it.
func forMan(cmd *cobra.Command) {
	text, codes, found := strings.Cut(cmd.Long, "\n\nEXIT STATUS\n")
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "  "):
			lines[i] = "  " + line
		case !strings.HasPrefix(line, "\t"):
			lines[i] = markup.Replace(line)
		}
	}
	cmd.Long = strings.Join(lines, "\n")
	if found {
		cmd.Long += "\n\n# EXIT STATUS\n" + exitLine.ReplaceAllString(codes, "**$1** $2\n")
	}
	for _, flags := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			takes, usage := pflag.UnquoteUsage(f)
			if !slices.Contains([]string{"", "[]", "false"}, f.DefValue) {
				usage += " (default " + f.DefValue + ")"
			}
			f.DefValue, f.Usage = markup.Replace(takes), markup.Replace(usage)
		})
	}
	for _, sub := range cmd.Commands() {
		forMan(sub)
	}
}

// The pages have every placeholder that the help has.
func TestManPlaceholders(t *testing.T) {
	pages := manPages(t)
	for page, want := range map[string]string{
		"fwpush.1":        "given as FWPUSH_<FLAG> in the environment",
		"fwpush-apply.1":  "\\fB-l\\fP, \\fB--limit\\fP=PATTERN\n\tonly hosts that match PATTERN: a host, web[01-20], web*, role:web, a,b or all",
		"fwpush-check.1":  "\\fB--junit\\fP=FILE\n",
		"fwpush-diff.1":   "\\fB-i\\fP, \\fB--inventory\\fP=PATH\n\tfleet file PATH;",
		"fwpush-graph.1":  "\\fB--format\\fP=dot|mermaid|svg|html\n\tdot, mermaid, svg or html (default dot)\n",
		"fwpush-status.1": "\\fB--exit-code\\fP\n",
	} {
		if !strings.Contains(pages[page], want) {
			t.Errorf("%s: no %q in\n%s", page, want, pages[page])
		}
	}
}
