package hostkeys

import (
	"errors"
	"slices"
)

// Report is the one object that trust prints with -o json. Fields are only ever added.
type Report struct {
	Schema  int        `json:"schema"`
	Command string     `json:"command"`
	Exit    int        `json:"exit"`
	Error   string     `json:"error,omitempty"` // why it is not 0
	Hosts   []Reported `json:"hosts"`
}

// Reported is a host that was to show its keys.
type Reported struct {
	Name     string   `json:"name"`
	Address  string   `json:"address"`
	Outcome  string   `json:"outcome"`
	KnownAs  string   `json:"known_as"` // its name in known_hosts
	File     string   `json:"file"`     // where it is recorded, or would be
	Recorded bool     `json:"recorded"` // by this run
	Jump     bool     `json:"jump"`     // on the way to a host of the selection, and not of it
	Keys     []Key    `json:"keys"`
	Shared   []string `json:"shared"` // other hosts that show one of these keys
	Error    string   `json:"error"`
	Hint     string   `json:"hint"`
}

// Key is a key that a host has shown.
type Key struct {
	Type        string   `json:"type"`
	Fingerprint string   `json:"fingerprint"`
	Certificate bool     `json:"certificate"`
	Elsewhere   []string `json:"elsewhere"` // other names it is recorded under, with file and line
}

// ReportOf is hosts for programs.
func ReportOf(hosts []*Host) []Reported {
	list := []Reported{}
	shared := Shared(hosts)
	for _, h := range hosts {
		r := Reported{Name: h.Name, Address: h.Address, Outcome: string(h.Outcome), KnownAs: h.Showing.Name, File: h.File,
			Recorded: h.Recorded, Jump: h.OnTheWay, Keys: []Key{}, Shared: []string{}}
		for _, k := range h.Keys {
			r.Keys = append(r.Keys, Key{k.Type, k.Fingerprint, k.Certificate, append([]string{}, k.Elsewhere...)})
		}
		for _, group := range shared {
			for _, o := range group {
				if o != h && slices.Contains(group, h) && !slices.Contains(r.Shared, o.Name) {
					r.Shared = append(r.Shared, o.Name)
				}
			}
		}
		if h.Err != nil {
			r.Error = h.Err.Error()
			var hinting interface {
				error
				Hint() string
			}
			if errors.As(h.Err, &hinting) {
				r.Hint = hinting.Hint()
			}
		}
		list = append(list, r)
	}
	return list
}
