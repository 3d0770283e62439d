package schema

import (
	"regexp"
	"strings"
)

// JSON is the table of tables as a JSON Schema (draft 7, which editors of TOML read),
// a value for encoding/json. It says less than Parse checks: names are not looked up,
// and addresses are strings.
func JSON() map[string]any {
	definitions := map[string]any{}
	for _, t := range tables {
		if t.Name != "" {
			definitions[slug(t.Name)] = object(t)
		}
	}
	top := object(Kind(""))
	top["$schema"] = "http://json-schema.org/draft-07/schema#"
	top["title"] = "fleet.toml of fwpush"
	top["definitions"] = definitions
	return top
}

var notWord = regexp.MustCompile(`[^a-z]+`)

// slug names a kind of table: "hosts.NAME" is hosts, "rule in in" rule_in.
func slug(name string) string {
	name = strings.TrimSuffix(name, ".NAME")
	return strings.Trim(notWord.ReplaceAllString(strings.Replace(name, "rule in ", "rule_", 1), "_"), "_")
}

func ref(kind string) map[string]any { return map[string]any{"$ref": "#/definitions/" + slug(kind)} }

// object is one kind of table.
func object(t Table) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, k := range t.Keys {
		if k.Refused != "" {
			continue
		}
		value := k.json()
		if value["$ref"] == nil { // draft 7 ignores what stands beside a $ref
			value["description"] = k.Doc
		}
		properties[k.Name] = value
		if k.Required {
			required = append(required, k.Name)
		}
	}
	out := map[string]any{"type": "object", "description": t.Doc, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if verbs := oneOf(t); len(verbs) > 0 {
		out["oneOf"] = verbs
	}
	return out
}

// oneOf are the keys of a table of which it has exactly one.
func oneOf(t Table) []any {
	names := map[string][]string{
		ruleIn: verbNames(), ruleOut: verbNames(), ruleForward: verbNames(), rulePublished: verbNames(),
		ruleNAT: NATKinds,
		"probe": ProbeKinds,
	}[t.Name]
	var list []any
	for _, n := range names {
		list = append(list, map[string]any{"required": []string{n}})
	}
	return list
}

func verbNames() []string {
	names := make([]string, len(Verbs))
	for i, v := range Verbs {
		names[i] = v.Name
	}
	return names
}

// json is what a value may be.
func (k Key) json() map[string]any {
	text := map[string]any{"type": "string"}
	if len(k.Values) > 0 {
		text["enum"] = k.Values
	}
	number := map[string]any{"type": "integer"}
	if k.Max != 0 && k.Type != Duration {
		number["minimum"], number["maximum"] = k.Min, k.Max
	}
	matching := func(pattern string) map[string]any { return map[string]any{"type": "string", "pattern": pattern} }
	either := func(list ...map[string]any) map[string]any { return map[string]any{"anyOf": list} }
	flag := map[string]any{"type": "boolean"}
	object := func(of map[string]any) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": of}
	}
	switch k.Type {
	case Strings:
		return either(text, k.array(text))
	case Integer:
		return number
	case Integers:
		return either(number, k.array(number))
	case Ports:
		span := matching(`^[0-9]+(-[0-9]+)?$`)
		return either(number, span, k.array(either(number, span)))
	case Protos:
		return either(number, text, k.array(either(number, text)))
	case Bool:
		return flag
	case Log, Ping:
		return either(flag, text)
	case Rate:
		return matching(`^\s*[0-9]+/[a-z]+(\s.*)?$`)
	case Budget:
		return either(number, matching(`^[0-9]+%$`))
	case Expect:
		return either(flag, number)
	case Duration:
		// As time.ParseDuration has it.
		return matching(`^\+?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|m|s|ms|us|µs|μs|ns))+)$`)
	case Date:
		return map[string]any{"type": "string", "format": "date"}
	case Nets:
		return either(text, k.array(text), object(either(text, k.array(text))))
	case Words:
		return object(text)
	case Sub:
		return ref(k.Table)
	case Named:
		return object(ref(k.Table))
	case List, Tables:
		return map[string]any{"type": "array", "items": ref(k.Table)}
	}
	return text
}

func (k Key) array(of map[string]any) map[string]any {
	list := map[string]any{"type": "array", "items": of}
	if k.NotEmpty {
		list["minItems"] = 1
	}
	return list
}
