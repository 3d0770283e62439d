package schema

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
	Values   []string // what a String, or an item of Strings, may be; empty for anything
	Min, Max int64    // what an Integer, or an item of Integers, Ports and Protos, may be; seconds for a Duration
	NotEmpty bool     // a list must have an item
	Table    string   // for Sub, Named, List and Tables: the Name of the table kind within

	Refused string // why the key makes no sense here, though it does elsewhere
}

// Type is what a value may be, in words for people.
type Type string

const (
	String   Type = "a string"
	Strings  Type = "a string or a list of strings"
	Integer  Type = "a number"
	Integers Type = "a number or a list of numbers"
	Ports    Type = `a port, a range such as "6000-6100", or a list of them`
	Protos   Type = "a protocol by name or number, or a list of them"
	Bool     Type = "true or false"
	Log      Type = "true, false or a string"
	Ping     Type = `true, false or a rate such as "20/s"`
	Rate     Type = `a rate such as "6/min per source burst 3"`
	Budget   Type = `a number or a share such as "10%"`
	Expect   Type = "true, false or a number"
	Duration Type = "a duration in a string"
	Date     Type = "a date such as 2027-01-31, without quotes"
	Nets     Type = "a list of addresses, or a table of such lists"
	Words    Type = "a table of strings"
	Sub      Type = "a table"          // one table of kind Key.Table
	Named    Type = "tables by name"   // any name, each of kind Key.Table
	List     Type = "a list of rules"  // inline tables, each of kind Key.Table
	Tables   Type = "a list of tables" // tables under [[NAME]], each of kind Key.Table
)

// All returns every kind of table, the top level first.
func All() []Table {
	list := slices.Clone(tables[:])
	for i := range list {
		list[i].Keys = slices.Clone(list[i].Keys)
	}
	return list
}

// Kind returns the kind of table of that Name.
func Kind(name string) Table {
	for _, t := range tables {
		if t.Name == name {
			return t
		}
	}
	return Table{}
}

// Key returns a key of the table by name.
func (t Table) Key(name string) (Key, bool) {
	i := slices.IndexFunc(t.Keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return t.Keys[i], true
}

// elsewhere are words that other firewalls have for keys of rules.
var elsewhere = map[string]string{
	"accept": "allow", "permit": "allow", "block": "deny",
	"source": "from", "destination": "to", "interface": "iface",
}

// Services reports whether the key takes services.
func (k Key) Services() bool {
	return k.Name == "dport" || slices.ContainsFunc(Verbs, func(v Key) bool { return v.Name == k.Name })
}

// Nearest returns what an unknown key was probably meant to be: a key of this
// table, or one of a table within it, as in "ssh.port".
func (t Table) Nearest(name string) string {
	if k, known := t.Key(elsewhere[name]); known && k.Refused == "" {
		return k.Name
	}
	var words []string
	within := map[string]string{}
	for _, k := range t.Keys {
		if k.Refused == "" {
			words = append(words, k.Name)
		}
	}
	for _, k := range t.Keys {
		if k.Type != Sub || t.Name == "" {
			continue
		}
		for _, sub := range Kind(k.Table).Keys {
			if !slices.Contains(words, sub.Name) && sub.Refused == "" {
				words = append(words, sub.Name)
				within[sub.Name] = k.Name + "."
			}
		}
	}
	n := syntax.Nearest(name, words)
	return within[n] + n
}

// Allowed says what a value must be, for "KEY must be ...".
func (k Key) Allowed() string {
	switch {
	case k.Type == Named:
		return "tables such as [" + k.Table + "]"
	case k.Type == Tables:
		return "tables such as [[" + k.Table + "]]"
	case k.Type == List && k.Table == "probe":
		return "a list of probes"
	case len(k.Values) > 1:
		last := len(k.Values) - 1
		return strings.Join(k.Values[:last], ", ") + " or " + k.Values[last]
	case k.Type == Duration:
		return Short(k.Min) + ".." + Short(k.Max)
	case k.Max != 0 && k.Type == Integer:
		return fmt.Sprintf("%d..%d", k.Min, k.Max)
	}
	return string(k.Type)
}

// WhenEmpty says what to do about a list without items. Leaving a key out is no
// advice where that widens a rule or where it is needed.
func (k Key) WhenEmpty() string {
	switch {
	case k.Default == `"any"`:
		return `take the rule out, or write "any" if everybody is meant`
	case k.Default == "any interface":
		return "give it an item, or leave the key out if every interface is meant"
	case k.Required || k.Services():
		return "give it an item"
	}
	return "leave the key out, or give it an item"
}

// Short writes seconds as people do: 15s, 60m.
func Short(seconds int64) string {
	if seconds%60 == 0 && seconds > 0 {
		return fmt.Sprintf("%dm", seconds/60)
	}
	return (time.Duration(seconds) * time.Second).String()
}
