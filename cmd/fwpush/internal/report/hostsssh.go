package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fwpush/internal/ui"
	"fwpush/inventory"
)

// ListedSettings are the rest of how a host is reached, known when ssh has been asked.
type ListedSettings struct {
	Identity       []string `json:"identity,omitempty"`
	OtherKeys      bool     `json:"other_keys"` // of the agent, beside those
	Certificates   []string `json:"certificates,omitempty"`
	IdentityAgent  string   `json:"identity_agent,omitempty"`
	KnownHosts     []string `json:"known_hosts,omitempty"`
	HostKeyAlias   string   `json:"host_key_alias,omitempty"`
	RevokedKeys    string   `json:"revoked_keys,omitempty"`
	AddressFamily  string   `json:"address_family,omitempty"`
	BindAddress    string   `json:"bind_address,omitempty"`
	BindInterface  string   `json:"bind_interface,omitempty"`
	ProxyCommand   string   `json:"proxy_command,omitempty"`
	ConnectTimeout float64  `json:"connect_timeout"` // seconds
	JumpLogins     int      `json:"jump_logins"`     // at a time through it, where it is a jump host
	// Through is every jump host on the way, the first one first.
	Through []ListedHop `json:"through,omitempty"`
	// From says of each setting that is no default where it comes from: a place in the fleet
	// file, or "ssh_config".
	From map[string]string `json:"from"`
}

// ListedHop is a jump host.
type ListedHop struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	User    string `json:"user"`
}

// Way is how a host is reached, and which of it ssh_config says: keys of ssh in the fleet
// file, and of ssh_config(5) beyond.
type Way struct {
	inventory.Endpoint
	Configured []string
}

// WithWays is ListOf with all that is known of how hosts are reached.
func WithWays(hosts []inventory.Host, ways []Way) []ListedHost {
	list := ListOf(hosts)
	for i, w := range ways {
		s := &ListedSettings{Identity: w.Identity, OtherKeys: w.OtherKeys || len(w.Identity) == 0, Certificates: w.Certificates, IdentityAgent: w.IdentityAgent,
			KnownHosts: w.KnownHosts, HostKeyAlias: w.HostKeyAlias, RevokedKeys: w.RevokedKeys, AddressFamily: w.AddressFamily, BindAddress: w.BindAddress,
			BindInterface: w.BindInterface, ProxyCommand: w.ProxyCommand, ConnectTimeout: w.ConnectTimeout.Seconds(), JumpLogins: w.JumpLogins, From: map[string]string{}}
		for hop := w.Via; hop != nil; hop = hop.Via {
			s.Through = slices.Insert(s.Through, 0, ListedHop{hop.Name, hop.Address, hop.Port, hop.User})
		}
		for key, place := range w.Written {
			s.From[key] = place.String()
		}
		for _, key := range w.Configured {
			s.From[key] = "ssh_config"
		}
		list[i].SSH.ListedSettings = s
	}
	return list
}

// values are the settings that are worth a line, by their names in From.
func (l ListedSSH) values() map[string]string {
	s := l.ListedSettings
	return map[string]string{
		"address": l.Address, "port": strconv.Itoa(int(l.Port)), "user": l.User, "become": l.Become, "jump": cmp.Or(l.Jump, inventory.NoJump),
		"identity": strings.Join(s.Identity, " "), "known_hosts": strings.Join(s.KnownHosts, " "), "connect_timeout": fmt.Sprintf("%gs", s.ConnectTimeout), "jump_logins": strconv.Itoa(s.JumpLogins),
		"ProxyCommand": s.ProxyCommand, "HostKeyAlias": s.HostKeyAlias, "CertificateFile": strings.Join(s.Certificates, " "),
		"IdentitiesOnly": map[bool]string{true: "no", false: "yes"}[s.OtherKeys], "IdentityAgent": s.IdentityAgent,
		"RevokedHostKeys": s.RevokedKeys, "HashKnownHosts": "yes", "AddressFamily": s.AddressFamily, "BindAddress": s.BindAddress, "BindInterface": s.BindInterface,
	}
}

// WriteWays prints a line for each host with how it is reached, and then where what is no
// default comes from, hosts with the same together.
func WriteWays(w io.Writer, colour ui.Colour, list []ListedHost) error {
	var table ui.Table
	table.Painted(colour.Dim, "HOST", "ADDRESS", "PORT", "USER", "BECOME", "JUMP")
	hosts := map[said][]string{}
	for _, l := range list {
		table.Row(l.Name, orDash(l.SSH.Address), strconv.Itoa(int(l.SSH.Port)), orDash(l.SSH.User), orDash(l.SSH.Become), orDash(l.SSH.hops()))
		if l.SSH.ListedSettings == nil {
			continue
		}
		values := l.SSH.values()
		for key, from := range l.SSH.From {
			s := said{key, values[key], from}
			hosts[s] = append(hosts[s], l.Name)
		}
	}
	if err := table.Write(w); err != nil || len(hosts) == 0 {
		return err
	}
	var from ui.Table
	from.Painted(colour.Dim, "SETTING", "VALUE", "FROM", "HOSTS")
	for _, s := range slices.SortedFunc(maps.Keys(hosts), said.compare) {
		from.Row(s.key, orDash(s.value), s.from, fmt.Sprintf("%s (%d)", inventory.Fold(hosts[s]), len(hosts[s])))
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return from.Write(w)
}

// said is a setting, and who says it.
type said struct{ key, value, from string }

func (s said) compare(other said) int {
	return cmp.Or(cmp.Compare(s.key, other.key), cmp.Compare(s.from, other.from), cmp.Compare(s.value, other.value))
}

// hops are the names of what a host is reached through, the first one first.
func (l ListedSSH) hops() string {
	if l.ListedSettings == nil {
		return l.Jump
	}
	var names []string
	for _, hop := range l.Through {
		names = append(names, hop.Name)
	}
	if len(names) == 0 && l.ProxyCommand != "" {
		return "ProxyCommand"
	}
	return strings.Join(names, " → ")
}
