package roles

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// Names resolves words that a person asks about, in the language of a fleet file.
type Names struct{ fleet *inventory.Fleet }

// NamesOf are those of a fleet.
func NamesOf(fleet *inventory.Fleet) Names { return Names{fleet} }

// Ends are what a word of a question stands for: what a word of from or to of a test
// may be, "any", or the name of a host, a role, a set or a group by itself. The error
// says what is not known, and what may be meant.
func (n Names) Ends(word string) ([]End, error) {
	if word == "any" {
		return []End{{Word: word, Nets: []EndNet{{V4: addrs.All4(), V6: addrs.All6()}}}}, nil
	}
	c := newCompiler(n.fleet)
	ref, err := c.reference(word)
	if err != nil {
		return nil, err
	}
	ends, _ := c.end(inventory.At[string]{V: ref})
	return ends, c.firstError()
}

// reference is a word as a rule or a test would have it.
func (c *compiler) reference(word string) (string, error) {
	if word == "internet" || word == "controller" {
		return word, nil
	}
	if strings.HasPrefix(word, "!") {
		return "", fmt.Errorf("no negation in a question: %q; name those who are meant", word)
	}
	if !bare(word) {
		return word, inventory.CheckEnd(word)
	}
	name, _, ofNet := strings.Cut(word, "@")
	known := map[string][]string{"host": slices.Collect(maps.Keys(c.hosts)), "role": c.roleNames(), "group": slices.Collect(maps.Keys(c.fleet.Groups))}
	if !ofNet { // a set has no nets
		known["set"] = slices.Collect(maps.Keys(c.fleet.Sets))
	}
	var kinds []string
	all := []string{"any", "internet", "controller"}
	if slices.Contains(known["host"], name) && len(c.byRole[name]) == 0 {
		known["role"] = nil // a role that nobody has, such as a standard one, is nobody
	}
	for _, kind := range [...]string{"host", "role", "set", "group"} {
		all = append(all, known[kind]...)
		if slices.Contains(known[kind], name) {
			kinds = append(kinds, kind)
		}
	}
	switch len(kinds) {
	case 0:
		slices.Sort(all)
		msg := fmt.Sprintf("no host, role, set or group is called %q", name)
		if n := inventory.Nearest(name, all); n != "" {
			msg += fmt.Sprintf("; did you mean %q?", n)
		}
		return "", errors.New(msg)
	case 1:
		return kinds[0] + ":" + word, nil
	}
	return "", fmt.Errorf("%q is the name of a %s; write %s:%s if that is meant", name, strings.Join(kinds, " and of a "), kinds[0], word)
}

// bare tells a name by itself from references and addresses, right or wrong.
func bare(word string) bool {
	if _, err := inventory.ParseAddrRange(word); err == nil {
		return false
	}
	return !strings.ContainsAny(word, ":/!") && strings.Trim(word, "0123456789.-") != ""
}

// Traffic is what a service is about, or a literal such as "tcp/8443".
func (n Names) Traffic(word string) (Traffic, error) {
	c := newCompiler(n.fleet)
	s, _ := c.service(inventory.At[string]{V: word})
	return s.Traffic, c.firstError()
}

// Service is traffic under a name.
type Service struct {
	Name    string
	Traffic Traffic
}

// Services are all that rules can name, those of the file before the built-in ones.
func (n Names) Services() []Service {
	c := newCompiler(n.fleet)
	var own, standard []Service
	for _, name := range c.serviceNames() {
		s, _ := c.service(inventory.At[string]{V: name})
		if _, inFile := n.fleet.Services[name]; inFile {
			own = append(own, Service{name, s.Traffic})
		} else {
			standard = append(standard, Service{name, s.Traffic})
		}
	}
	return append(own, standard...)
}

// Iface checks a word for an interface of a host.
func (n Names) Iface(host, word string) error {
	c := newCompiler(n.fleet)
	c.askedIface(c.fleet.Hosts[c.hosts[host]], inventory.At[string]{V: word})
	return c.firstError()
}

func (c *compiler) firstError() error {
	list := c.sorted().Errors()
	switch {
	case len(list) == 0:
		return nil
	case list[0].Hint != "":
		return errors.New(list[0].Msg + "; " + list[0].Hint)
	}
	return errors.New(list[0].Msg)
}
