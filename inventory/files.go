package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fwpush/inventory/internal/fleetfile"
	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// files is what a fleet file may name: whatever is in its directory or below.
type files struct {
	root  string                       // the directory, without links
	named bool                         // the user named the fleet file
	dir   string                       // the directory as people see it
	sums  map[string][sha256.Size]byte // of what was read, by path
}

// note keeps the digest of a file that was read.
func (fs *files) note(path string, src []byte) {
	if fs != nil {
		fs.sums[path] = sha256.Sum256(src)
	}
}

// digest is that of all files together, with their names within the directory.
func (fs *files) digest() string {
	if fs == nil {
		return ""
	}
	sum := sha256.New()
	var lines []string
	for path, of := range fs.sums {
		lines = append(lines, fmt.Sprintf("%q %x\n", fs.name(path), of))
	}
	slices.Sort(lines)
	for _, l := range lines {
		sum.Write([]byte(l))
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// name is a file seen from the directory, however it and the directory were named.
func (fs *files) name(path string) string {
	dir, err := filepath.Abs(fs.dir)
	if err != nil {
		return path
	}
	whole, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if name, err := filepath.Rel(dir, whole); err == nil {
		return name
	}
	return path
}

// paths are all files that were read.
func (fs *files) paths() []string {
	if fs == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(fs.sums))
}

// within turns a path that a file names into the paths it stands for, sorted.
func (fs *files) within(from, path string) ([]string, *syntax.Error) {
	if e := syntax.Inside(path); e != nil {
		return nil, e
	}
	matches, err := filepath.Glob(filepath.Join(glob(filepath.Dir(from)), path))
	if err != nil {
		return nil, &syntax.Error{Msg: syntax.Quote(path) + " is no pattern", Hint: "* and ? stand for parts of a name", Char: -1}
	}
	if len(matches) == 0 && !strings.ContainsAny(path, "*?[") {
		matches = []string{filepath.Join(filepath.Dir(from), path)} // opening it says why not
	}
	slices.Sort(matches)
	for _, m := range matches {
		if e := fs.inside(m); e != nil {
			return nil, e
		}
	}
	return matches, nil
}

// glob writes a directory so that filepath.Glob takes it as it is.
func glob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// inside reports a path that leads elsewhere through links.
func (fs *files) inside(path string) *syntax.Error {
	bad := func(why string) *syntax.Error { return &syntax.Error{Msg: syntax.Quote(path) + why, Char: -1} }
	real, err := filepath.EvalSymlinks(path)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrNotExist):
		return nil // opening it says so
	case strings.Contains(err.Error(), "too many links"):
		return bad(": loop of symbolic links")
	default:
		return bad(": " + fleetfile.Reason(err))
	}
	if real, err = filepath.Abs(real); err != nil {
		return bad(": " + fleetfile.Reason(err))
	}
	if rel, err := filepath.Rel(fs.root, real); err != nil || !filepath.IsLocal(rel) {
		return bad(" leaves the inventory directory by a link")
	}
	return nil
}

// read reads a file that a file names and reports what is wrong with it as such.
func (d *decoder) read(n *source.Node, path string) []byte {
	src, findings := fleetfile.Read(path, d.files.named)
	for _, f := range findings {
		severity := Note
		if f.Refused {
			severity = Error
		}
		if f.Line > 0 {
			d.tell(Problem{Severity: severity, Place: Place{File: path, Line: f.Line, Col: f.Col}, Width: 1, Msg: f.Msg, Hint: f.Hint})
			continue
		}
		d.report(severity, n.Val, path+": "+f.Msg, f.Hint)
	}
	d.files.note(path, src)
	return src
}

// noFiles is said of a fleet file that is not read from a directory.
const noFiles = "a file cannot be read from here"

// merging are the tables whose members may stand in several files.
func merging(name string) bool {
	k, ok := schema.Kind("").Key(name)
	return ok && k.Type == schema.Named
}

// include reads the files that a file includes into the tree. Chain are the files
// that lead here.
func (d *decoder) include(root *source.Node, chain []string) {
	from := chain[len(chain)-1]
	n := root.Kid("include")
	if n == nil {
		return
	}
	for _, item := range items(n) {
		if item.Kind != source.String {
			continue // told of when the table is checked
		}
		if d.files == nil {
			d.fail(item.Val, noFiles, "")
			return
		}
		paths, e := d.files.within(from, item.Text())
		if d.wrong(item, e) {
			continue
		}
		if len(paths) == 0 {
			d.report(Note, item.Val, fmt.Sprintf("no file is named like %s", syntax.Quote(item.Text())), "")
		}
		for _, path := range paths {
			d.includeFile(item, path, chain)
		}
	}
}

func (d *decoder) includeFile(n *source.Node, path string, chain []string) {
	same := func(name string) bool { return sameFile(name, path) }
	if i := slices.IndexFunc(chain, same); i >= 0 {
		cycle := append(slices.Clone(chain[i:]), path)
		d.fail(n.Val, "cycle: "+strings.Join(cycle, " → "), "take one of these includes out")
		return
	}
	for name := range d.docs {
		if same(name) {
			return // once is enough, however many ways lead there
		}
	}
	src := d.read(n, path)
	if src == nil {
		return
	}
	root := d.parse(path, src)
	if root == nil {
		return
	}
	d.include(root, append(slices.Clone(chain), path))
	if v := root.Kid("version"); v != nil {
		d.version(v)
	}
	for _, c := range d.root.Absorb(root, merging, "version", "include") {
		d.twice(c.Path, c.First, c.Second)
	}
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// twice reports what is defined at two places.
func (d *decoder) twice(path []string, first, second source.Span) {
	d.tell(Problem{Place: d.place(second), Key: dotted(path...), Width: second.Width, Source: d.line(second),
		Msg: fmt.Sprintf("%s defined twice (%s)", defined(path), both(d.place(first), d.place(second)))})
}
