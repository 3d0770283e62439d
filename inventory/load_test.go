package inventory

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // past the umask
		t.Fatal(err)
	}
}

func TestLoadLooksAtTheFile(t *testing.T) {
	const good = base + "[hosts.web1]\nroles = [\"web\"]\n"
	named := LoadOptions{Named: true}
	for name, tt := range map[string]struct {
		text    string
		mode    fs.FileMode
		dirMode fs.FileMode
		opts    LoadOptions
		want    []string
	}{
		"fine":                      {good, 0o640, 0o755, LoadOptions{}, nil},
		"40 BOM and CRLF":           {"\ufeff" + strings.ReplaceAll(good, "\n", "\r\n"), 0o644, 0o755, LoadOptions{}, nil},
		"39 writable by all":        {good, 0o646, 0o755, LoadOptions{}, []string{"0:0 the file can be written by everybody; name it with -i if that is meant"}},
		"39 writable by all, named": {good, 0o646, 0o755, named, []string{"0:0 note: the file can be written by everybody"}},
		"39 directory open":         {good, 0o644, 0o757, LoadOptions{}, []string{"0:0 its directory can be written by everybody; name it with -i if that is meant"}},
		"39 directory sticky":       {good, 0o644, 0o1777, LoadOptions{}, []string{"0:0 its directory can be written by everybody; name it with -i if that is meant"}},
		"39 directory open, named":  {good, 0o644, 0o757, named, []string{"0:0 note: its directory can be written by everybody"}},
		"39 writable by a group":    {good, 0o664, 0o775, LoadOptions{}, []string{"0:0 note: its directory can be written by its group", "0:0 note: the file can be written by its group"}},
		"40 CRLF in raw and run": {strings.ReplaceAll(good+"probe = [ { run = '''\ntrue\nfalse\n''' } ]\n"+
			"[[raw]]\nhosts = \"web1\"\nat = \"before-allow\"\nchain = \"input\"\nnft = \"\"\"\nudp dport 9 accept\ntcp dport 9 accept\n\"\"\"\n", "\n", "\r\n"),
			0o644, 0o755, LoadOptions{}, nil},
		"40 4 MiB":                   {good + strings.Repeat("#\n", ((4<<20)-len(good))/2), 0o644, 0o755, LoadOptions{}, nil},
		"40 more":                    {good + strings.Repeat("#\n", (4<<20)/2), 0o644, 0o755, LoadOptions{}, []string{"0:0 too large, a fleet file has at most 4 MiB"}},
		"40 UTF-16 with BOM":         {"\xff\xfev\x00e\x00", 0o644, 0o755, LoadOptions{}, []string{"0:0 the file is UTF-16; save it as UTF-8"}},
		"40 UTF-16 of the other end": {"\xfe\xff\x00v", 0o644, 0o755, LoadOptions{}, []string{"0:0 the file is UTF-16; save it as UTF-8"}},
		"40 UTF-16 without BOM":      {"v\x00e\x00r\x00", 0o644, 0o755, LoadOptions{}, []string{"0:0 the file is UTF-16; save it as UTF-8"}},
		"40 Latin-1":                 {"\ufeff# c\n# \u00fc gr\xfcn\n", 0o644, 0o755, LoadOptions{}, []string{"2:7 byte 0xfc is not UTF-8; save the file as UTF-8"}},
		"40 program":                 {"#!/bin/sh\n", 0o755, 0o755, named, []string{"0:0 a program is no fleet file; one that prints an inventory is given with -i beside the fleet file, and may be run (chmod +x)"}},
		"mistakes inside":            {good + "[hosts.web1]\n", 0o664, 0o755, LoadOptions{}, []string{"0:0 note: the file can be written by its group", `6:8 host "web1" defined twice (line 4, 6)`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "fleet.toml")
			write(t, path, tt.text, tt.mode)
			if err := syscall.Chmod(dir, uint32(tt.dirMode)); err != nil { // os.Chmod spells sticky differently
				t.Fatal(err)
			}
			fleet, ps := Load(path, tt.opts)
			if diff := cmp.Diff(tt.want, told(ps)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, p := range ps {
				if p.Place.File != path {
					t.Errorf("problem in %q", p.Place.File)
				}
			}
			if len(ps.Errors()) == 0 && (len(fleet.Hosts) != 1 || fleet.Hosts[0].Name != "web1") {
				t.Errorf("hosts %v", fleet.Hosts)
			}
			if fleet == nil || fleet.Path != path {
				t.Error("no fleet, or not of this file")
			}
		})
	}
}

func TestLoadTakesFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                          "0:0 not a regular file; name a file in TOML",
		"/dev/zero":                  "0:0 not a regular file; name a file in TOML",
		filepath.Join(dir, "none"):   "0:0 no such file or directory",
		filepath.Join(fifo, "below"): "0:0 not a directory",
	} {
		if _, ps := Load(path, LoadOptions{Named: true}); len(ps) != 1 || told(ps)[0] != want {
			t.Errorf("%s: %q, want %s", path, told(ps), want)
		}
	}
	// A FIFO nobody named is not waited for.
	if _, ps := Load(fifo, LoadOptions{}); len(ps.Errors()) != 1 {
		t.Errorf("FIFO: %q", told(ps))
	}
	go func() {
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			fmt.Fprint(f, base+"[hosts.web1]\n")
			f.Close()
		}
	}()
	if fleet, ps := Load(fifo, LoadOptions{Named: true}); len(ps) != 0 || len(fleet.Hosts) != 1 {
		t.Errorf("named FIFO: %q", told(ps))
	}
}

func TestFind(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(deep, filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	if _, err := Find("."); err == nil || err.Error() != "no fleet.toml in "+deep+" or above; name one with -i" {
		t.Errorf("without a file: %v", err)
	}
	write(t, filepath.Join(top, "a", "fleet.toml"), base, 0o600)
	for dir, want := range map[string]string{
		".": "../fleet.toml", "..": filepath.Join(top, "a", "fleet.toml"), filepath.Join(top, "link"): filepath.Join(top, "a", "fleet.toml"),
	} {
		if got, err := Find(dir); err != nil || got != want {
			t.Errorf("Find(%s) = %s, %v; want %s", dir, got, err, want)
		}
	}
	t.Chdir(filepath.Join(top, "link"))
	if got, err := Find("."); err != nil || got != "../fleet.toml" {
		t.Errorf("through a link: %s, %v", got, err)
	}
	write(t, "fleet.toml", base, 0o600)
	if got, err := Find("."); err != nil || got != "fleet.toml" {
		t.Errorf("in the directory itself: %s, %v", got, err)
	}
}

// A file full of mistakes is told about in a bounded way.
func TestProblemsOfALargeFileAreBounded(t *testing.T) {
	for name, text := range wrongTexts(1 << 16) {
		if _, ps := Parse("fleet.toml", []byte(text)); len(ps) > 2*(maxProblems+1) { // errors and notes
			t.Errorf("%s: %d problems", name, len(ps))
		}
	}
}

// The time per byte is the same for a file four times as long.
func BenchmarkParseWrongTexts(b *testing.B) {
	for _, size := range []int{1 << 18, 1 << 20} {
		for name, text := range wrongTexts(size) {
			b.Run(fmt.Sprintf("%s/%dk", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					Parse("fleet.toml", []byte(text))
				}
			})
		}
	}
}

func wrongTexts(size int) map[string]string {
	var b strings.Builder
	b.WriteString(base)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "[hosts.h%d]\naddresses = [\"10.%d.%d.%d\", \"bad\"]\nroles = [\"a\", \"B\"]\nx = 1\n", i, i>>16, i>>8&255, i&255)
	}
	return map[string]string{
		"hosts":           b.String(),
		"one line":        base + "x = [" + strings.Repeat("1,", size/4) + "]\n" + "[sets.a]\naddresses = [" + strings.Repeat(`"x",`, size/12) + "]\n",
		"long list":       base + "controller = [" + strings.Repeat(`"10.0.0.1",`, size/16) + "]\n[hosts.a]\nroles = [" + strings.Repeat(`"a",`, size/4) + "]\n",
		"same address":    base + strings.ReplaceAll(b.String()[len(base):], "\"10.", "\"10.0.0.1\",\"10."),
		"unknown in line": base + "[hosts]\na = {" + strings.Repeat("\"p\\u0061ss\" = 1, ", size/16) + "z = 1}\n",
	}
}

// A link does not make a file trustworthy that everybody could replace.
func TestLoadLooksBehindALink(t *testing.T) {
	dir, open := t.TempDir(), filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(open, "fleet.toml"), base, 0o644)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "fleet.toml")
	if err := os.Symlink(filepath.Join(open, "fleet.toml"), link); err != nil {
		t.Fatal(err)
	}
	_, ps := Load(link, LoadOptions{})
	want := []string{"0:0 its directory can be written by everybody; name it with -i if that is meant"}
	if diff := cmp.Diff(want, told(ps)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestDigest: any byte of any file that a fleet is made of makes another digest, and
// where the directory lies does not.
func TestDigest(t *testing.T) {
	write := func(dir, main, part, list string) string {
		t.Helper()
		for name, text := range map[string]string{"fleet.toml": main, "part.toml": part, "list.txt": list} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fleet, problems := Load(filepath.Join(dir, "fleet.toml"), LoadOptions{Named: true})
		if errs := problems.Errors(); len(errs) > 0 {
			t.Fatal(errs)
		}
		var names []string
		for _, path := range fleet.Files {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		if got := strings.Join(names, " "); got != "fleet.toml list.txt part.toml" {
			t.Errorf("it is made of %s", got)
		}
		return fleet.Digest
	}
	const main = "version = 1\ninclude = \"part.toml\"\n[management]\nfrom = [\"192.0.2.1\"]\n[hosts.a]\naddresses = [\"192.0.2.2\"]\n"
	const part, list = "[sets.x]\nfile = \"list.txt\"\n", "192.0.2.3\n"
	dir := t.TempDir()
	first := write(dir, main, part, list)
	if !strings.HasPrefix(first, "sha256:") || len(first) != len("sha256:")+64 {
		t.Fatalf("digest %q", first)
	}
	if again := write(t.TempDir(), main, part, list); again != first {
		t.Error("another directory makes another digest")
	}
	for what, digest := range map[string]string{
		"the file":    write(dir, main+"# x\n", part, list),
		"an included": write(dir, main, part+"# x\n", list),
		"a list":      write(dir, main, part, list+"# x\n"),
	} {
		if digest == first {
			t.Errorf("%s: the digest stays", what)
		}
	}
}
