package adopt

import (
	"net/netip"
	"strconv"
	"strings"

	"fwpush/internal/ansible"
)

// endpoint is a host as it is typed: [user@]host[:port], an IPv6 address with a port in
// brackets.
func endpoint(word string) Host {
	user, host, ok := strings.Cut(word, "@")
	if !ok {
		user, host = "", word
	}
	port := ""
	if inside, rest, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok && strings.HasPrefix(host, "[") {
		host, port = inside, strings.TrimPrefix(rest, ":")
	} else if strings.Count(host, ":") == 1 {
		host, port, _ = strings.Cut(host, ":")
	}
	h := reached(host, host)
	h.Was = word
	if n, err := strconv.Atoi(port); port != "" && err == nil {
		h.Keys = append(h.Keys, Key{"ssh.port", n})
	} else if port != "" {
		h.Keys = append(h.Keys, Key{"ssh.port", port})
	}
	if user != "" {
		h.Keys = append(h.Keys, Key{"ssh.user", user})
	}
	return h
}

// reached is a host by its name, which is dialled at an address or another name.
func reached(name, at string) Host {
	h := Host{Name: ansible.HostName(name), Was: name}
	if a, err := netip.ParseAddr(at); err == nil {
		h.Keys = append(h.Keys, Key{"addresses", []string{a.String()}})
	} else if at != h.Name {
		h.Keys = append(h.Keys, Key{"ssh.address", at})
	}
	return h
}
