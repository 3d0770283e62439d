package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/inventory/internal/syntax"
)

// Table is one kind of table of the fleet file.
type Table struct {
	Name string // as written in a header: "defaults", "hosts.NAME"; rules have none: "rule in in"
	Doc  string // one line
	Keys []Key
}

// Key is one key of a table.
type Key struct {
	Name    string
	Type    Type
	Default string // as written in TOML, or in words; "" if there is none
	Doc     string // one line

	Required bool
	Later    bool     // known, and refused until a later version supports it
	Values   []string // what a String may be; empty for anything
	Min, Max int64    // what an Integer or the items of Ports may be; seconds for a Duration
	NotEmpty bool     // a list must have an item
	Table    string   // for Sub, Named and List: the Name of the table kind within

	later   []string // values of a later version
	refused string   // why the key makes no sense here, though it does elsewhere
}

// Type is what a value may be, in words for people.
type Type string

const (
	typeString   Type = "a string"
	typeStrings  Type = "a string or a list of strings"
	typeInteger  Type = "a number"
	typeIntegers Type = "a list of numbers"
	typePorts    Type = `a list of ports and ranges such as "6000-6100"`
	typeBool     Type = "true or false"
	typeLog      Type = "true, false or a string"
	typeDuration Type = "a duration in a string"
	typeNets     Type = "a list of addresses, or a table of such lists"
	typeSub      Type = "a table"         // one table of kind Key.Table
	typeNamed    Type = "tables by name"  // any name, each of kind Key.Table
	typeList     Type = "a list of rules" // each of kind Key.Table
)

// Schema returns every kind of table of the fleet file, the top level first.
// Decoding goes by it, and so can whatever documents the file.
func Schema() []Table { return slices.Clone(schema[:]) }

func kind(name string) Table {
	for _, t := range schema {
		if t.Name == name {
			return t
		}
	}
	return Table{}
}

func (t Table) key(name string) (Key, bool) {
	i := slices.IndexFunc(t.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return t.Keys[i], true
}

// nearest returns what an unknown key was probably meant to be: a key of this
// table, or of a table within it.
func (t Table) nearest(name string) string {
	var here, within []string
	for _, k := range t.Keys {
		if k.refused == "" {
			here = append(here, k.Name)
		}
		if k.Type == typeSub && t.Name != "" {
			for _, sub := range kind(k.Table).Keys {
				if sub.Name == name {
					return k.Name + "." + name
				}
				within = append(within, sub.Name)
			}
		}
	}
	if n := syntax.Nearest(name, here); n != "" || len(within) == 0 {
		return n
	}
	n := syntax.Nearest(name, within)
	for _, k := range t.Keys {
		if _, ok := kind(k.Table).key(n); ok && k.Type == typeSub {
			return k.Name + "." + n
		}
	}
	return ""
}

// allowed says what a value must be, for "KEY must be ...".
func (k Key) allowed() string {
	switch {
	case len(k.Values) > 1:
		last := len(k.Values) - 1
		return strings.Join(k.Values[:last], ", ") + " or " + k.Values[last]
	case k.Type == typeDuration:
		return short(k.Min) + ".." + short(k.Max)
	case k.Max != 0 && k.Type == typeInteger:
		return fmt.Sprintf("%d..%d", k.Min, k.Max)
	}
	return string(k.Type)
}

// short writes seconds as people do: 15s, 60m.
func short(seconds int64) string {
	if seconds%60 == 0 {
		return fmt.Sprintf("%dm", seconds/60)
	}
	return (time.Duration(seconds) * time.Second).String()
}
