package report

import (
	"io"
	"strings"

	"fwpush/internal/ui"
	"fwpush/inventory"
)

// HostList is the one object that hosts prints with -o json. Fields are only ever added.
type HostList struct {
	Schema  int          `json:"schema"`
	Command string       `json:"command"`
	Exit    int          `json:"exit"`
	Error   string       `json:"error,omitempty"` // why it is not 0
	Hosts   []ListedHost `json:"hosts"`
}

// ListedHost is a host of a selection.
type ListedHost struct {
	Name      string          `json:"name"`
	Roles     []string        `json:"roles"`
	Addresses []ListedAddress `json:"addresses"`
	SSH       ListedSSH       `json:"ssh"`
}

// ListedAddress is an address and the net of the fleet file that it is in, "" for none.
type ListedAddress struct {
	Net     string `json:"net"`
	Address string `json:"address"`
}

// ListedSSH is how a host is reached; "" is what the fleet file leaves to ssh's defaults.
type ListedSSH struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	User    string `json:"user"`
	Become  string `json:"become"`
	Jump    string `json:"jump"`
	*ListedSettings
}

// ListOf is hosts for programs.
func ListOf(hosts []inventory.Host) []ListedHost {
	list := make([]ListedHost, len(hosts))
	for i, h := range hosts {
		l := ListedHost{Name: h.Name, Roles: []string{}, Addresses: []ListedAddress{},
			SSH: ListedSSH{h.SSH.Address, h.SSH.Port, h.SSH.User, h.SSH.Become, h.SSH.Jump, nil}}
		for _, r := range h.Roles {
			l.Roles = append(l.Roles, r.V)
		}
		for _, net := range h.Addresses {
			for _, a := range net.Addresses {
				l.Addresses = append(l.Addresses, ListedAddress{net.Name, a.V.String()})
			}
		}
		list[i] = l
	}
	return list
}

// WriteHosts prints a line for each host: its roles and addresses.
func WriteHosts(w io.Writer, colour ui.Colour, hosts []inventory.Host) error {
	var table ui.Table
	table.Painted(colour.Dim, "HOST", "ROLES", "ADDRESSES")
	for _, l := range ListOf(hosts) {
		var addresses []string
		for _, a := range l.Addresses {
			text := a.Address
			if a.Net != "" {
				text = a.Net + " " + text
			}
			addresses = append(addresses, text)
		}
		table.Row(l.Name, orDash(strings.Join(l.Roles, ", ")), orDash(strings.Join(addresses, ", ")))
	}
	return table.Write(w)
}
