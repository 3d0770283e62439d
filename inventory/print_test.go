package inventory

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestPrint(t *testing.T) {
	at := func(line, col int) Place { return Place{File: "fleet.toml", Line: line, Col: col} }
	for name, tt := range map[string]struct {
		p    Problem
		want string
	}{
		"as it looks": {
			Problem{Place: at(12, 8), Key: "hosts.web1.ssh.port", Width: 4, Source: `port = "22"`, Msg: `port must be a number, not the string "22"`},
			"fleet.toml:12:8: port must be a number, not the string \"22\"\n" +
				"   12 | port = \"22\"\n" +
				"      |        ^^^^ hosts.web1.ssh.port\n",
		},
		"hint": {
			Problem{Place: at(13, 1), Width: 4, Source: `prot = 22`, Msg: `unknown key "prot" in [hosts.web03]`, Hint: `did you mean "port"?`},
			"fleet.toml:13:1: unknown key \"prot\" in [hosts.web03]; did you mean \"port\"?\n" +
				"   13 | prot = 22\n" +
				"      | ^^^^\n",
		},
		"warning, without a line": {Problem{Severity: Warning, Place: at(3, 1), Msg: "m"}, "fleet.toml:3:1: warning: m\n"},
		"note on a file":          {Problem{Severity: Note, Place: Place{File: "fleet.toml"}, Msg: "m"}, "fleet.toml: note: m\n"},
		"without a place":         {Problem{Msg: "m"}, "m\n"},
		"tabs": {
			Problem{Place: at(1, 4), Width: 2, Source: "\ta\tbc", Msg: "m"},
			"fleet.toml:1:4: m\n    1 |     a    bc\n      |          ^^\n",
		},
		"tab underlined": {
			Problem{Place: at(1, 1), Width: 2, Source: "\ta", Msg: "m"},
			"fleet.toml:1:1: m\n    1 |     a\n      | ^^^^^\n",
		},
		"characters of several bytes": {
			Problem{Place: at(1, 4), Width: 2, Source: "ü漢e\u0301éx", Msg: "m"},
			"fleet.toml:1:4: m\n    1 | ü漢e\u0301éx\n      |     ^\n",
		},
		"what does not print": {
			Problem{Place: Place{File: "f\x1b", Line: 1, Col: 4}, Width: 1, Source: "a\x1b\u202e\x00b\u009b", Msg: "bad \x07", Hint: "\u2028"},
			"f\\x1b:1:4: bad \\x07; \\u2028\n    1 | a\\x1b\\u202e\\x00b\\u009b\n      |            ^^^^\n",
		},
		"beyond the end of the line": {
			Problem{Place: at(1, 9), Width: 3, Source: "abc", Msg: "m"},
			"fleet.toml:1:9: m\n    1 | abc\n      |    ^\n",
		},
		"long line": {
			Problem{Place: at(1, 201), Width: 3, Source: strings.Repeat("a", 200) + "bcd" + strings.Repeat("e", 200), Msg: "m"},
			"fleet.toml:1:201: m\n    1 | …" + strings.Repeat("a", 60) + "bcd" + strings.Repeat("e", 60) + "…\n" +
				"      | " + strings.Repeat(" ", 61) + "^^^\n",
		},
		"long value": {
			Problem{Place: at(1, 2), Width: 1000, Source: "a" + strings.Repeat("b", 1000), Msg: "m"},
			"fleet.toml:1:2: m\n    1 | a" + strings.Repeat("b", 120) + "…\n      |  " + strings.Repeat("^", 120) + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := (Problems{tt.p}).Print(&b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestPrintTellsWhenItCannotWrite(t *testing.T) {
	if err := (Problems{{Msg: "m"}}).Print(full{}); err == nil {
		t.Error("no error")
	}
}

// A secret is told to be out of place and not repeated, not even for another
// mistake in its line.
func TestPrintHidesSecrets(t *testing.T) {
	_, ps := Parse("fleet.toml", []byte("\ufeffversion = 1\r\n[management]\r\nfrom = \"10.0.0.0/8\"\r\n[hosts.web1]\r\nssh = { usr = \"ü\", pasword = \"hünter2\", port = \"22\" }\r\n"))
	var b strings.Builder
	if err := ps.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := `fleet.toml:5:9: unknown key "usr" in [hosts.web1.ssh]; did you mean "user"?
    5 | ssh = { usr = "ü", pasword = ************************
      |         ^^^ hosts.web1.ssh.usr
fleet.toml:5:20: secrets are not read from inventory; use a key file or an agent
    5 | ssh = { usr = "ü", pasword = ************************
      |                    ^^^^^^^ hosts.web1.ssh.pasword
fleet.toml:5:48: port must be a number, not the string "22"
    5 | ssh = { usr = "ü", pasword = ************************
      |                                                ^^^^ hosts.web1.ssh.port
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSort(t *testing.T) {
	ps := Problems{
		{Place: Place{File: "b", Line: 1, Col: 1}, Msg: "6"}, {Place: Place{File: "a", Line: 10, Col: 1}, Msg: "5"}, {Place: Place{File: "a", Line: 2, Col: 3}, Msg: "4", Severity: Note},
		{Place: Place{File: "a", Line: 2, Col: 3}, Msg: "3"}, {Place: Place{File: "a", Line: 2, Col: 1}, Msg: "2"}, {Place: Place{File: "a", Line: 0, Col: 0}, Msg: "1", Severity: Warning},
	}
	ps.Sort()
	var got string
	for _, p := range ps {
		got += p.Msg
	}
	if got != "123456" || len(ps.Errors()) != 4 {
		t.Errorf("order %s, %d errors", got, len(ps.Errors()))
	}
}

func TestAnnotate(t *testing.T) {
	text := base + "[hosts.web1]\nroles = [\"wbe\", 'b']\nssh = { port = 22 }\nin = [\n  { allow = \"x\" },\n]\n"
	fleet, ps := Parse("fleet.toml", []byte(text))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	in := Problems{
		{Place: fleet.Hosts[0].Place, Msg: "key"}, {Place: fleet.Hosts[0].Roles[0].Place, Width: 1, Msg: "string"},
		{Place: fleet.Hosts[0].Roles[1].Place, Msg: "literal"}, {Place: fleet.Hosts[0].In[0].Place, Msg: "rule"},
		{Place: Place{File: "fleet.toml", Line: 7, Col: 6}, Msg: "list of lines"}, {Place: Place{File: "fleet.toml", Line: 99, Col: 1}, Msg: "no line"},
		{Place: Place{File: "other.toml", Line: 4, Col: 1}, Width: 7, Msg: "elsewhere"}, {Place: Place{File: "fleet.toml"}, Msg: "file"},
		{Place: Place{File: "fleet.toml", Line: 5, Col: 1}, Width: 2, Source: "own", Msg: "has its own"},
	}
	want := []struct {
		source string
		width  int
	}{
		{"[hosts.web1]", 4}, {`roles = ["wbe", 'b']`, 5}, {`roles = ["wbe", 'b']`, 3}, {`  { allow = "x" },`, 15},
		{"in = [", 1}, {"", 1}, {"", 7}, {"", 0}, {"own", 2},
	}
	for i, p := range fleet.Annotate(in) {
		if p.Source != want[i].source || p.Width != want[i].width {
			t.Errorf("%s: source %q, width %d, want %+v", p.Msg, p.Source, p.Width, want[i])
		}
	}
	if in[0].Source != "" {
		t.Error("the argument was changed")
	}
	if got := (&Fleet{Path: "fleet.toml"}).Annotate(in); len(got) != len(in) {
		t.Error("a fleet without a file loses problems")
	}
}

// FuzzParse: whatever stands in a file, every finding has words and a place in
// it, nothing unprintable is printed, and a fleet without errors holds only
// what the rules of names and numbers allow.
func FuzzParse(f *testing.F) {
	f.Add(base + "[hosts.web1]\nroles = [\"web\"]\naddresses = [\"10.0.0.1\"]\n")
	f.Add(rule(`{ allow = ["http", "tcp/1-2"], from = ["set:a", "10.0.0.0/8"], comment = "c" }`))
	f.Add(set(`"10.0.0.0/8", "::1-::2", "1.2.3.4"`) + "[defaults.ssh]\nuser = \"x\"\nport = 1\n[rollout]\nwindow = \"20s\"\n")
	f.Add("[a]\n[a]\nx = {y=1,\n}\n\"\\u001b\" = \"\x1b\"")
	f.Add(base + "[services.a]\ntcp = [1, \"2-3\"]\n[roles.b]\nextends = \"b\"\nlog = \"p\"\n[[roles.b.out]]\ndeny = \"all\"\nto = \"role:b@n\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		fleet, ps := Parse("fleet.toml", []byte(text))
		lines := strings.Count(text, "\n") + 1
		for _, p := range ps {
			if p.Msg == "" || p.Place.Line > lines || p.Place.Line > 0 && (p.Place.Col < 1 || p.Width < 1) {
				t.Errorf("%+v", p)
			}
		}
		var b strings.Builder
		if err := fleet.Annotate(ps).Print(&b); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("unprintable: %q", b.String()[i:])
		}
		if len(ps.Errors()) > 0 {
			return
		}
		if len(fleet.Management.From) == 0 || fleet.Rollout.Window < 2e9 || fleet.Rollout.Parallel < 1 {
			t.Errorf("%+v", fleet)
		}
		for _, h := range fleet.Hosts {
			if strings.ContainsAny(h.Name+h.SSH.User+h.SSH.Address, " \"';$`\\\n\x00") || h.Name[0] == '-' || h.SSH.Address[0] == '-' || h.SSH.Port == 0 || len(h.SSHDPorts) == 0 {
				t.Errorf("%+v", h)
			}
		}
		for _, s := range fleet.Sets {
			for i, a := range s.Addresses {
				if a.V.From.BitLen() != a.V.To.BitLen() || a.V.To.Less(a.V.From) || a.V.From.Is4In6() || a.V.From.Zone() != "" {
					t.Errorf("%+v", a)
				}
				if i > 0 && !s.Addresses[i-1].V.To.Less(a.V.From) {
					t.Errorf("%+v overlaps %+v", s.Addresses[i-1], a)
				}
			}
		}
		for _, r := range fleet.Roles {
			for _, rule := range append(r.In, r.Out...) {
				if len(rule.Services) == 0 || len(rule.Comment.V) > 128 || strings.ContainsAny(rule.Comment.V+rule.Owner.V+rule.Ticket.V, "\"\n\x00\x1b") {
					t.Errorf("%+v", rule)
				}
			}
		}
	})
}
