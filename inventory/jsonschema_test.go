package inventory

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// editor is the schema as an editor has it.
func editor(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(JSONSchema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("fleet.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("fleet.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// underlined tells whether an editor would find fault with a file.
func underlined(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v map[string]any
	if _, err := toml.Decode(text, &v); err != nil {
		return nil // TOML itself is not the schema's business
	}
	plain, err := json.Marshal(dates(v))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(plain)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// dates writes dates as editors hand them to a schema.
func dates(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = dates(v[k])
		}
	case []map[string]any:
		for i := range v {
			dates(v[i])
		}
	case []any:
		for i := range v {
			v[i] = dates(v[i])
		}
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return v
}

// An editor underlines nothing in a file that check takes, be it an example or in a
// test of the commands.
func TestJSONSchemaTakesWhatParseTakes(t *testing.T) {
	texts := map[string]string{}
	for _, pattern := range []string{"../fleet.toml.example", "testdata/*.toml", "../internal/e2e/testdata/*/*.toml", "../cmd/fwpush/testdata/script/*.txtar"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(path) != ".txtar" {
				texts[path] = string(text)
				continue
			}
			for part := range strings.SplitSeq(string(text), "\n-- ") {
				if head, body, _ := strings.Cut(part, "\n"); strings.HasSuffix(head, ".toml --") {
					texts[path+", "+head] = body
				}
			}
		}
	}
	s, taken := editor(t), 0
	for name, text := range texts {
		if _, problems := Parse(name, []byte(text)); len(problems.Errors()) > 0 {
			continue
		}
		taken++
		if err := underlined(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if taken < 20 {
		t.Errorf("only %d files are good", taken)
	}
}

// What the schema finds fault with, Parse refuses; and mistakes that can be seen in
// a file without knowing names are found by both.
func TestJSONSchemaAgreesWithParse(t *testing.T) {
	s := editor(t)
	const head = "version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n"
	for name, text := range map[string]string{
		"unknown key":           head + "form = 1\n",
		"unknown key in a set":  head + "[sets.a]\nadresses = []\n",
		"unknown key in ssh":    head + "[hosts.a]\nssh = { prot = 22 }\n",
		"no verb":               head + "[roles.a]\nin = [ { from = \"any\" } ]\n",
		"two verbs":             head + "[roles.a]\nin = [ { allow = \"http\", deny = \"ssh\" } ]\n",
		"port as a string":      head + "[hosts.a]\nssh = { port = \"22\" }\n",
		"port 0":                head + "[services.a]\ntcp = [0]\n",
		"inbound accept":        head + "[defaults]\ninbound = \"accept\"\n",
		"no management":         "version = 1\n",
		"integer duration":      head + "[rollout]\nwindow = 120\n",
		"rate as a number":      head + "[roles.a]\nin = [ { allow = \"http\", rate = 6 } ]\n",
		"date in quotes":        head + "[roles.a]\nin = [ { allow = \"http\", expires = 20270131 } ]\n",
		"two kinds of nat":      head + "[roles.a]\nnat = [ { masquerade = true, snat = \"192.0.2.1\" } ]\n",
		"rule that is a string": head + "[roles.a]\nin = [ \"http\" ]\n",
		"from in out":           head + "[roles.a]\nout = [ { allow = \"http\", from = \"any\" } ]\n",
		"set without header":    head + "sets = 1\n",
	} {
		if underlined(t, s, text) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
		if _, problems := Parse("fleet.toml", []byte(text)); len(problems.Errors()) == 0 {
			t.Errorf("%s: Parse takes it", name)
		}
	}
	for name, text := range map[string]string{
		"least":   head,
		"ports":   head + "[services.a]\ntcp = [22, \"80-90\"]\nproto = [112, \"gre\"]\n",
		"nets":    head + "[hosts.a]\naddresses = { lan = \"10.0.0.1\", wan = [\"192.0.2.7\"] }\n",
		"port":    head + "[services.a]\ntcp = \"5432\"\nudp = [\"53\", 123]\nsctp = 5000\n",
		"times":   head + "[rollout]\nwindow = \"+1.5m\"\nsoak = \"0\"\n[hosts.a]\nssh.connect_timeout = \".1m4000ms\"\n",
		"blanks":  head + "[roles.a]\nping = \"\\t2/s global\"\nin = [ { allow = \"http\", rate = \" 6/min\\tglobal \" } ]\n",
		"scalars": head + "[defaults]\nping = \"20/s\"\nlog = \"x\"\n[rollout]\nmax_failures = \"10%\"\nsoak = \"1m30s\"\n",
		"rule":    head + "[roles.a]\nin = [ { allow = [\"http\"], rate = \"6/min per source burst 3\", expires = 2027-01-31, log = true } ]\n",
	} {
		if err := underlined(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, problems := Parse("fleet.toml", []byte(text)); len(problems.Errors()) > 0 {
			t.Errorf("%s: Parse refuses it: %v", name, problems.Errors())
		}
	}
}
