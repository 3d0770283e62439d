package roles

import (
	"fmt"
	"strconv"
	"strings"

	"fwpush/inventory"
)

// Info is what a listing says of a role.
type Info struct {
	Name     string
	Standard bool            // ships with fwpush and the fleet file does not replace it
	Place    inventory.Place // where it is defined
	Hosts    int             // how many hosts name it, defaults included
}

// List names every role a fleet file can use, sorted: its own and the standard
// ones it does not replace. An empty fleet lists the standard roles.
func List(fleet *inventory.Fleet) []Info {
	c := newCompiler(fleet)
	var list []Info
	for _, name := range c.roleNames() {
		info := Info{Name: name, Hosts: len(c.byRole[name])}
		role, inFile := fleet.Roles[name]
		if !inFile {
			role = c.standard[name]
		}
		info.Standard, info.Place = !inFile, role.Place
		list = append(list, info)
	}
	return list
}

// Show writes a role as a fleet file would, one rule a line, without what it
// extends; a standard one as it ships, with what it says of itself. The error
// names the role that is meant if the name is none.
func Show(fleet *inventory.Fleet, name string) (string, error) {
	c := newCompiler(fleet)
	if role, ok := fleet.Roles[name]; ok {
		return write(role), nil
	}
	if _, ok := c.standard[name]; ok {
		text, err := standardFiles.ReadFile(standardFile(name))
		return string(text), err
	}
	if n := inventory.Nearest(name, c.roleNames()); n != "" {
		return "", fmt.Errorf("role %q not defined; did you mean %q", name, n)
	}
	return "", fmt.Errorf("role %q not defined; roles are %s", name, strings.Join(c.roleNames(), ", "))
}

// write is a role in TOML.
func write(r inventory.Role) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[roles.%s]\n", r.Name)
	if len(r.Extends) > 0 {
		fmt.Fprintf(&b, "extends = %s\n", quoteList(r.Extends))
	}
	s := r.Settings
	if s.Inbound != nil {
		fmt.Fprintf(&b, "inbound = %s\n", quote(string(s.Inbound.V)))
	}
	if s.Outbound != nil {
		fmt.Fprintf(&b, "outbound = %s\n", quote(string(s.Outbound.V)))
	}
	if s.Log != nil {
		value := strconv.FormatBool(s.Log.V.On)
		if s.Log.V.Prefix != "" {
			value = quote(s.Log.V.Prefix)
		}
		fmt.Fprintf(&b, "log = %s\n", value)
	}
	for _, v := range []struct {
		key string
		at  *inventory.At[bool]
	}{{"ping", s.Ping}, {"dhcp_client", s.DHCPClient}, {"antispoof", s.Antispoof}} {
		if v.at != nil {
			fmt.Fprintf(&b, "%s = %t\n", v.key, v.at.V)
		}
	}
	writeRules(&b, "in", r.In)
	writeRules(&b, "out", r.Out)
	return b.String()
}

func writeRules(b *strings.Builder, key string, rules []inventory.Rule) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintf(b, "%s = [\n", key)
	for _, r := range rules {
		verb := "allow"
		if r.Deny {
			verb = "deny"
		}
		fields := []string{verb + " = " + quoteList(r.Services)}
		if len(r.From) > 0 {
			fields = append(fields, "from = "+quoteList(r.From))
		}
		if len(r.To) > 0 {
			fields = append(fields, "to = "+quoteList(r.To))
		}
		if r.AllowEmpty {
			fields = append(fields, "allow_empty = true")
		}
		for _, note := range []struct{ key, text string }{{"owner", r.Owner.V}, {"ticket", r.Ticket.V}, {"comment", r.Comment.V}} {
			if note.text != "" {
				fields = append(fields, note.key+" = "+quote(note.text))
			}
		}
		fmt.Fprintf(b, "  { %s },\n", strings.Join(fields, ", "))
	}
	b.WriteString("]\n")
}

// quoteList writes one value as a string and several as an array; both mean the
// same in a fleet file.
func quoteList(list []inventory.At[string]) string {
	quoted := make([]string, len(list))
	for i, v := range list {
		quoted[i] = quote(v.V)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a TOML basic string. What inventory lets in has no control
// characters, but this does not rely on it: the text goes to a terminal.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
