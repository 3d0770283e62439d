package inventory

import (
	"encoding/json"
	"os"
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

func TestJSONSchemaTakesTheExample(t *testing.T) {
	text, err := os.ReadFile("../fleet.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := underlined(t, editor(t), string(text)); err != nil {
		t.Error(err)
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
