package inventory

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a directory; "-> x" is a link to x.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if to, link := strings.CutPrefix(files[name], "-> "); link {
			if err := os.Symlink(to, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, path, files[name], 0o600)
	}
	return dir
}

// What a fleet file names is read from its own directory or below, once, and what
// is wrong with it is told where it stands.
func TestBadFiles(t *testing.T) {
	inc := func(s string) string {
		return "version = 1\ninclude = " + s + "\n[management]\nfrom = \"10.0.0.0/8\"\n"
	}
	list := func(s string) string { return top("[sets.x]\nfile = " + s) }
	type files = map[string]string
	for _, tt := range []struct {
		name  string
		files files
		want  string
	}{
		{"include of a good file", files{"fleet.toml": inc(`"hosts/*.toml"`), "hosts/a.toml": "[hosts.a]\n", "hosts/b.toml": "version = 1\n[hosts.b]\n"},
			``},
		{"42 include escaping the root ../../etc", files{"fleet.toml": inc(`"../../etc/passwd"`)},
			`fleet.toml:2:11 include: path "../../etc/passwd" leaves the inventory directory; name a file beside the fleet file or below`},
		{"42 include of an absolute path", files{"fleet.toml": inc(`"/etc/passwd"`)},
			`fleet.toml:2:11 include: path "/etc/passwd" leaves the inventory directory; name a file beside the fleet file or below`},
		{"42 include by a pattern that climbs", files{"fleet.toml": inc(`"*/../../x.toml"`), "a/x": ""},
			`fleet.toml:2:11 include: path "*/../../x.toml" leaves the inventory directory; name a file beside the fleet file or below`},
		{"42 include of a link that leads out", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "-> /etc/passwd"},
			`fleet.toml:2:11 include: "a.toml" leaves the inventory directory by a link`},
		{"42 include of a link to a directory outside", files{"fleet.toml": inc(`"d/passwd"`), "d": "-> /etc"},
			`fleet.toml:2:11 include: "d/passwd" leaves the inventory directory by a link`},
		{"43 symlink loop in includes", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "-> b.toml", "b.toml": "-> a.toml"},
			`fleet.toml:2:11 include: "a.toml": loop of symbolic links`},
		{"43 symlink loop met by a pattern", files{"fleet.toml": inc(`"d/*.toml"`), "d/a.toml": "-> a.toml"},
			`fleet.toml:2:11 include: "d/a.toml": loop of symbolic links`},
		{"include of a file that is not there", files{"fleet.toml": inc(`"none.toml"`)},
			`fleet.toml:2:11 include: none.toml: no such file or directory`},
		{"include of nothing by a pattern", files{"fleet.toml": inc(`"hosts/*.toml"`)},
			`fleet.toml:2:11 include: note: no file is named like "hosts/*.toml"`},
		{"include of no pattern", files{"fleet.toml": inc(`"hosts/[.toml"`)},
			`fleet.toml:2:11 include: "hosts/[.toml" is no pattern; * and ? stand for parts of a name`},
		{"include empty", files{"fleet.toml": inc(`""`)},
			`fleet.toml:2:11 include: path is empty`},
		{"include of a number", files{"fleet.toml": inc(`7`)},
			`fleet.toml:2:11 include: include must be a string or a list of strings, not the number 7`},
		{"include of a directory", files{"fleet.toml": inc(`"d"`), "d/a.toml": ""},
			`fleet.toml:2:11 include: d: not a regular file; name a file in TOML`},
		{"include from home", files{"fleet.toml": inc(`"~bob/x.toml"`)},
			`fleet.toml:2:11 include: path "~bob/x.toml" leaves the inventory directory; name a file beside the fleet file or below`},
		{"include of itself", files{"fleet.toml": inc(`"fleet.toml"`)},
			`fleet.toml:2:11 include: cycle: fleet.toml → fleet.toml; take one of these includes out`},
		{"include cycle of two", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "include = \"b.toml\"\n", "b.toml": "include = \"a.toml\"\n"},
			`b.toml:1:11 include: cycle: a.toml → b.toml → a.toml; take one of these includes out`},
		{"include cycle back to the first", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "\ninclude = \"fleet.toml\"\n"},
			`a.toml:2:11 include: cycle: fleet.toml → a.toml → fleet.toml; take one of these includes out`},
		{"include cycle through a link", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "include = \"b.toml\"\n", "b.toml": "-> a.toml"},
			`a.toml:1:11 include: cycle: a.toml → b.toml; take one of these includes out`},
		{"include of one file by two ways", files{"fleet.toml": inc(`["a.toml", "b.toml", "*.toml"]`), "a.toml": "[hosts.a]\n", "b.toml": "include = \"a.toml\"\n[hosts.b]\n"},
			`fleet.toml:2:32 include[2]: cycle: fleet.toml → fleet.toml; take one of these includes out`},
		{"include by a pattern that holds the file itself", files{"fleet.toml": inc(`"*.toml"`), "a.toml": "[hosts.a]\n"},
			`fleet.toml:2:11 include: cycle: fleet.toml → fleet.toml; take one of these includes out`},
		{"include escaping from below", files{"fleet.toml": inc(`"d/a.toml"`), "d/a.toml": "include = \"../b.toml\"\n", "b.toml": ""},
			`d/a.toml:1:11 include: path "../b.toml" leaves the inventory directory; name a file beside the fleet file or below`},
		{"host twice across files", files{"fleet.toml": inc(`"a.toml"`) + "[hosts.web1]\n", "a.toml": "[hosts.web1]\n"},
			`a.toml:1:8 hosts.web1: host "web1" defined twice (fleet.toml:5, a.toml:1)`},
		{"set twice across two included files", files{"fleet.toml": inc(`["a.toml", "b.toml"]`), "a.toml": "[sets.x]\naddresses = \"10.0.0.1\"\n", "b.toml": "[sets.x]\naddresses = \"10.0.0.2\"\n"},
			`b.toml:1:7 sets.x: set "x" defined twice (a.toml:1, b.toml:1)`},
		{"management twice across files", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "[management]\nfrom = \"10.0.0.1\"\n"},
			`a.toml:1:2 management: "management" defined twice (fleet.toml:3, a.toml:1)`},
		{"version 2 of an included file", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "version = 2\n"},
			`a.toml:1:11 version: unknown schema version 2; this fwpush knows version 1`},
		{"mistake in an included file", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "[hosts.a]\nprot = 22\n"},
			`a.toml:2:1 hosts.a.prot: unknown key "prot" in [hosts.a]; did you mean "ssh.port"?`},
		{"syntax error in an included file", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "[hosts.a]\nroles = web\n"},
			`a.toml:2:9 : expected value but found "web" instead; strings stand in quotes`},
		{"mistake in a test of an included file", files{"fleet.toml": inc(`"a.toml"`) + "[[tests]]\nfrom = \"internet\"\nto = \"10.0.0.1\"\ndeny = \"ssh\"\n", "a.toml": "[[tests]]\nfrom = \"any\"\nto = \"10.0.0.1\"\ndeny = \"ssh\"\n"},
			`a.toml:2:8 tests[0].from: "any" is for rules, not for from of a test; write "internet", or who is meant`},
		{"one address of hosts of two files", files{"fleet.toml": inc(`"a.toml"`) + "[hosts.web1]\naddresses = \"10.0.0.1\"\n", "a.toml": "[hosts.web2]\naddresses = \"10.0.0.1\"\n"},
			`a.toml:2:13 hosts.web2.addresses: web1 and web2 are the same address, 10.0.0.1 (fleet.toml:6, a.toml:2); an address that several hosts may have stands in shared of each`},
		{"UTF-16 in an included file", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "\xff\xfev\x00"},
			`fleet.toml:2:11 include: a.toml: the file is UTF-16; save it as UTF-8`},
		{"Latin-1 in an included file", files{"fleet.toml": inc(`"a.toml"`), "a.toml": "# \xfc\n"},
			`a.toml:1:3 : byte 0xfc is not UTF-8; save the file as UTF-8`},
		{"set file of good addresses", files{"fleet.toml": list(`"l"`), "l": "\ufeff10.0.0.0/8 # all\r\n\n# none\n 10.1.0.0/16\n"},
			``},
		{"set file escaping the root", files{"fleet.toml": list(`"../l"`)},
			`fleet.toml:5:8 sets.x.file: path "../l" leaves the inventory directory; name a file beside the fleet file or below`},
		{"set file of an absolute path", files{"fleet.toml": list(`"/etc/hosts"`)},
			`fleet.toml:5:8 sets.x.file: path "/etc/hosts" leaves the inventory directory; name a file beside the fleet file or below`},
		{"set file by a link that leads out", files{"fleet.toml": list(`"l"`), "l": "-> /etc/hosts"},
			`fleet.toml:5:8 sets.x.file: "l" leaves the inventory directory by a link`},
		{"set file in a loop of links", files{"fleet.toml": list(`"l"`), "l": "-> l"},
			`fleet.toml:5:8 sets.x.file: "l": loop of symbolic links`},
		{"set file that is not there", files{"fleet.toml": list(`"l"`)},
			`fleet.toml:5:8 sets.x.file: l: no such file or directory`},
		{"set file that is a directory", files{"fleet.toml": list(`"d"`), "d/l": ""},
			`fleet.toml:5:8 sets.x.file: d: not a regular file; name a file in TOML`},
		{"set file empty name", files{"fleet.toml": list(`""`)},
			`fleet.toml:5:8 sets.x.file: path is empty`},
		{"set file from home", files{"fleet.toml": list(`"~bob/l"`)},
			`fleet.toml:5:8 sets.x.file: path "~bob/l" leaves the inventory directory; name a file beside the fleet file or below`},
		{"set file with host bits", files{"fleet.toml": list(`"l"`), "l": "10.0.0.1\n\n  10.0.0.5/24 # lan\n"},
			`l:3:3 sets.x.file: "10.0.0.5/24": host bits set; write 10.0.0.0/24 or 10.0.0.5/32`},
		{"set file with a name", files{"fleet.toml": list(`"l"`), "l": "www.example.net\n"},
			`l:1:1 sets.x.file: "www.example.net" is not an IPv4 or IPv6 address; a line is an address, a prefix or a range`},
		{"set file with a reference", files{"fleet.toml": list(`"l"`), "l": "set:y\n"},
			`l:1:1 sets.x.file: "set:y" is not an IPv4 or IPv6 address; a line is an address, a prefix or a range`},
		{"set file with two on a line", files{"fleet.toml": list(`"l"`), "l": "10.0.0.1, 10.0.0.2\n"},
			`l:1:1 sets.x.file: "10.0.0.1, 10.0.0.2" is not an IPv4 or IPv6 address; a line is an address, a prefix or a range`},
		{"set file of UTF-16", files{"fleet.toml": list(`"l"`), "l": "\xff\xfe1\x00"},
			`fleet.toml:5:8 sets.x.file: l: the file is UTF-16; save it as UTF-8`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(tree(t, tt.files))
			_, ps := Load("fleet.toml", LoadOptions{Named: true})
			var got []string
			for i, s := range keyed(ps) {
				got = append(got, ps[i].Place.File+":"+s)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
