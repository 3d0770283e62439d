package roles

import (
	"errors"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// Names resolves words that a person asks about, in the language of a fleet file.
type Names struct{ fleet *inventory.Fleet }

// NamesOf are those of a fleet.
func NamesOf(fleet *inventory.Fleet) Names { return Names{fleet} }

// Ends are what a word of from or to of a test stands for, and "any". The error says
// what is not known, and what may be meant.
func (n Names) Ends(word string) ([]End, error) {
	if word == "any" {
		return []End{{Word: word, Nets: []EndNet{{V4: addrs.All4(), V6: addrs.All6()}}}}, nil
	}
	if err := inventory.CheckEnd(word); err != nil {
		return nil, err
	}
	c := newCompiler(n.fleet)
	ends, _ := c.end(inventory.At[string]{V: word})
	return ends, c.firstError()
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
