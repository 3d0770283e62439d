package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tree is a repository: this one, or a small one that breaks a rule.
type tree struct {
	dir   string
	paths []string // of every file, with slashes, sorted
	text  map[string]string
	code  []source
}

// source is a Go file. It is read whatever its build constraints say, so that no rule depends on
// the tags and the platform of the test.
type source struct {
	path string
	file *ast.File
	fset *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }
func (s source) test() bool  { return strings.HasSuffix(s.path, "_test.go") }

// at is where a node stands, as path:line.
func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return s.path + ":" + strconv.Itoa(p.Line)
}

// repository is this repository, read once: no rule changes what it is given.
var repository = sync.OnceValues(func() (tree, error) { return readTree("../..") })

// thisTree is the repository that the test stands in.
func thisTree(t *testing.T) tree {
	t.Helper()
	tr, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// readTree reads what a repository has in dir. What git keeps for itself and what builds leave is
// no part of it.
func readTree(dir string) (tree, error) {
	tr := tree{dir: dir, text: map[string]string{}}
	fset := token.NewFileSet()
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		if slices.Contains([]string{".git", "bin", "fwpush"}, rel) {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		tr.paths = append(tr.paths, rel)
		tr.text[rel] = string(text)
		if path.Ext(rel) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tr.code = append(tr.code, source{rel, parsed, fset})
		return nil
	})
	slices.Sort(tr.paths)
	return tr, err
}

func inTestdata(p string) bool { return slices.Contains(strings.Split(p, "/"), "testdata") }

// rule returns what is wrong with a tree, one line each, beginning with a path.
type rule func(*testing.T, tree) []string

// broken is a tree that breaks a rule. Its files are those of the map.
type broken struct {
	name  string
	files map[string]string
	want  string // begins the only finding
}

// hold runs a rule on this repository and on trees that break it.
func hold(t *testing.T, r rule, samples ...broken) {
	t.Helper()
	for _, found := range r(t, thisTree(t)) {
		t.Error(found)
	}
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			tr, err := readTree(plant(t, s.files))
			if err != nil {
				t.Fatal(err)
			}
			found := r(t, tr)
			if len(found) != 1 || !strings.HasPrefix(found[0], s.want) {
				t.Errorf("found %q; want one that begins with %q", found, s.want)
			}
		})
	}
}

// plant writes a tree.
func plant(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
