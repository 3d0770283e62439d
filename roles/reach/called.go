package reach

import (
	"slices"
	"strings"

	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/space"
)

// Service is what some packets are about.
type Service struct {
	Name string // of the fleet file or built in; "" where these have none for it
	What string // such as "tcp/5432" or "ping"
}

// String has both, such as "postgres (tcp/5432)".
func (s Service) String() string {
	if s.Name == "" || s.Name == s.What {
		return s.What
	}
	return s.Name + " (" + s.What + ")"
}

// called are the services there are, in the order in which they give their names:
// first those that are about more, and of two alike that of the file.
type called struct{ v4, v6 []service }

type service struct {
	name string
	keys space.Keys
}

func calledIn(names roles.Names) called {
	var c called
	for _, s := range names.Services() {
		if s.Traffic.All {
			continue // that is everything, which has its own word
		}
		c.v4 = append(c.v4, service{s.Name, s.Traffic.Keys(false)})
		c.v6 = append(c.v6, service{s.Name, s.Traffic.Keys(true)})
	}
	for _, list := range [...][]service{c.v4, c.v6} {
		slices.SortStableFunc(list, func(a, b service) int { return len(b.keys) - len(a.keys) })
	}
	return c
}

func (c called) of(v6 bool) []service {
	if v6 {
		return c.v6
	}
	return c.v4
}

// within are the names of services that keys have all of; none for everything.
func (c called) within(keys space.Keys, v6 bool) []string {
	if keys.Equal(space.AllKeys()) {
		return nil
	}
	var names []string
	for _, s := range c.of(v6) {
		if !s.keys.Empty() && keys.Covers(s.keys) {
			names = append(names, s.name)
		}
	}
	return names
}

// services are the words for what packets are about. A range of ports has names if
// these are for all of it: of a wide one they would only tell which services there
// are.
func (c called) services(keys space.Keys, v6 bool) []Service {
	open := keys
	for {
		found, rest := tile(open, c.of(v6), v6)
		wide := slices.DeleteFunc(slices.Clone(open), func(r space.Range[space.Key]) bool {
			one := space.Keys{r}
			return !rest.Meets(one) || rest.Covers(one)
		})
		if !wide.Empty() {
			open = open.Minus(wide)
			continue
		}
		for _, word := range words(keys.Minus(open).Union(rest), v6) {
			found = append(found, Service{What: word})
		}
		return found
	}
}

// tile covers keys with services, and returns what is left.
func tile(keys space.Keys, list []service, v6 bool) (found []Service, rest space.Keys) {
	for _, s := range list {
		if !s.keys.Empty() && keys.Covers(s.keys) {
			found = append(found, Service{s.name, strings.Join(words(s.keys, v6), ", ")})
			keys = keys.Minus(s.keys)
		}
	}
	return found, keys
}

// words are those for what packets are about, "everything" for all of it.
func words(k space.Keys, v6 bool) []string {
	if k.Equal(space.AllKeys()) {
		return []string{"everything"}
	}
	var list []string
	for _, r := range k {
		list = append(list, expect.KeyWord(r, v6))
	}
	return list
}
