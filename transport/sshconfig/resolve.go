package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"fwpush/inventory"
)

// keys are what is taken of an answer, with the names of the fleet file, else those of
// ssh_config(5).
var keys = map[string]string{
	"hostname": "address", "port": "port", "user": "user", "identityfile": "identity", "userknownhostsfile": "known_hosts",
	"globalknownhostsfile": "known_hosts", "proxyjump": "jump", "connecttimeout": "connect_timeout", "proxycommand": "ProxyCommand",
	"hostkeyalias": "HostKeyAlias", "certificatefile": "CertificateFile", "identitiesonly": "IdentitiesOnly", "identityagent": "IdentityAgent",
	"addressfamily": "AddressFamily", "bindaddress": "BindAddress", "bindinterface": "BindInterface", "revokedhostkeys": "RevokedHostKeys", "hashknownhosts": "HashKnownHosts",
}

// host resolves a host of the fleet.
func (r *Resolver) host(ctx context.Context, ep inventory.Endpoint) (Resolved, error) {
	out, err := r.resolve(ctx, ep, "", nil)
	if err != nil {
		var refused *RefusedError
		if errors.As(err, &refused) || ctx.Err() != nil {
			return Resolved{}, err
		}
		return Resolved{}, fmt.Errorf("%s: ssh_config: %w", ep.Name, err)
	}
	return out, nil
}

// resolve resolves an endpoint that is reached through others, as -J of ssh has them; ""
// for those that it has itself. On the way to it are the hosts of trail.
func (r *Resolver) resolve(ctx context.Context, ep inventory.Endpoint, jumps string, trail []string) (Resolved, error) {
	none := Resolved{}
	defaults, err := r.unconfigured(ctx)
	if err != nil {
		return none, err
	}
	q := question{name: ep.Name, jumps: jumps}
	_, jumpWritten := ep.Written["jump"]
	_, fixed := ep.Written["address"]
	if ep.Outside || fixed {
		q.name = ep.Address
	}
	if fixed {
		q.hostname = ep.Address
	}
	if _, written := ep.Written["user"]; written {
		q.user = ep.User
	}
	if _, written := ep.Written["port"]; written {
		q.port = ep.Port
	}
	if jumpWritten && jumps == "" {
		q.jumps = "none"
	}
	a, err := r.ask(ctx, q)
	if err != nil {
		return none, err
	}
	// A name that ssh leaves as it is has an address in the fleet file.
	if !fixed && !ep.Outside && strings.EqualFold(a.one("hostname"), q.name) && !strings.EqualFold(ep.Address, q.name) {
		q.hostname = ep.Address
		if a, err = r.ask(ctx, q); err != nil {
			return none, err
		}
	}
	out := Resolved{Endpoint: ep, Configured: configured(a, defaults, keys)}
	out.Configured = slices.DeleteFunc(out.Configured, func(name string) bool {
		_, written := ep.Written[name]
		return written || name == "address" && strings.EqualFold(a.one("hostname"), ep.Address)
	})
	if err := r.fill(&out.Endpoint, a, defaults, q); err != nil {
		return none, err
	}
	if jumpWritten && jumps == "" {
		err = r.written(ctx, &out.Endpoint, trail)
	} else {
		err = r.proxy(ctx, &out.Endpoint, a, q, trail)
	}
	return out, err
}

// fill takes over what ssh says of an endpoint by itself.
func (r *Resolver) fill(ep *inventory.Endpoint, a, defaults answer, q question) error {
	free := func(key string) bool { _, written := ep.Written[key]; return !written }
	ep.Address = a.one("hostname")
	if err := harmless("host name", ep.Address); err != nil {
		return err
	}
	if free("port") {
		port, err := strconv.ParseUint(a.one("port"), 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("%q is no port", a.one("port"))
		}
		ep.Port = uint16(port)
	}
	if user := a.one("user"); free("user") && user != defaults.one("user") {
		if err := harmless("user", user); err != nil {
			return err
		}
		ep.User = user
	}
	if free("become") && !ep.Outside {
		ep.Become = "sudo"
		if a.one("user") == "root" {
			ep.Become = "none"
		}
	}
	if seconds, err := strconv.Atoi(a.one("connecttimeout")); free("connect_timeout") && err == nil && seconds > 0 {
		ep.ConnectTimeout = time.Duration(seconds) * time.Second
	}
	ep.HostKeyAlias = a.one("hostkeyalias")
	ep.BindAddress, ep.BindInterface = a.one("bindaddress"), a.one("bindinterface")
	if family := a.one("addressfamily"); family != "any" {
		ep.AddressFamily = family
	}
	return r.keys(ep, a, defaults, r.tokens(q.name, a))
}

// keys takes over which keys are offered, and where those of hosts are looked up. Files
// that do not exist are left out, as ssh does without a word.
func (r *Resolver) keys(ep *inventory.Endpoint, a, defaults answer, t tokens) error {
	files := func(key string) (list []string, err error) {
		for _, value := range a[key] {
			if value == "none" {
				continue
			}
			path, err := r.path(value, t)
			if err != nil {
				return nil, err
			}
			list = append(list, path)
		}
		return list, nil
	}
	only := a.yes("identitiesonly")
	usual := slices.Equal(a["identityfile"], defaults["identityfile"])
	if _, written := ep.Written["identity"]; !written && (!usual || only) {
		named, err := files("identityfile")
		if err != nil {
			return err
		}
		ep.Identity = slices.DeleteFunc(slices.Clone(named), func(path string) bool { return absent(path) && absent(path+".pub") })
		if len(ep.Identity) == 0 && only && len(named) > 0 {
			ep.Identity = named[:1] // there is nothing to offer, and this says so
		}
		ep.OtherKeys = !only
	}
	certificates, err := files("certificatefile")
	if err != nil {
		return err
	}
	ep.Certificates = slices.DeleteFunc(certificates, absent)
	if ep.IdentityAgent, err = r.agent(a.one("identityagent"), t); err != nil {
		return err
	}
	ep.HashNames = a.yes("hashknownhosts")
	if revoked := a.one("revokedhostkeys"); revoked != "" && revoked != "none" {
		// It stays though it does not exist: then no host key can be trusted.
		if ep.RevokedKeys, err = r.path(revoked, t); err != nil {
			return err
		}
	}
	same := func(key string) bool { return slices.Equal(a[key], defaults[key]) }
	if _, written := ep.Written["known_hosts"]; !written && !(same("userknownhostsfile") && same("globalknownhostsfile")) {
		ep.KnownHosts = knownHosts(words(a.one("userknownhostsfile")), words(a.one("globalknownhostsfile")))
	}
	return nil
}

// agent is the socket of the agent: "" for the usual one, "none" for none.
func (r *Resolver) agent(value string, t tokens) (string, error) {
	switch {
	case value == "", value == "SSH_AUTH_SOCK":
		return "", nil
	case value == "none":
		return "none", nil
	case strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "${"):
		if socket := os.Getenv(value[1:]); socket != "" {
			return socket, nil
		}
		return "none", nil
	}
	return r.path(value, t)
}

// knownHosts are the files to look keys up in. The first of the user's own stays though it
// does not exist: it is where new keys are recorded.
func knownHosts(own, global []string) []string {
	there := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(p string) bool { return p == "none" || absent(p) })
	}
	list := there(own)
	if len(list) == 0 && len(own) > 0 && own[0] != "none" {
		list = own[:1]
	}
	list = append(slices.Clip(list), there(global)...)
	if len(list) == 0 {
		return []string{os.DevNull} // none at all, where an empty list would stand for the usual ones
	}
	return list
}

// words takes apart a list of paths, which ssh prints with blanks between them, even if
// there are blanks in them.
func words(s string) (list []string) {
	for word := range strings.FieldsSeq(s) {
		if last := len(list) - 1; last >= 0 && word != "none" && !strings.ContainsAny(word[:1], "/~") && !absent(list[last]+" "+word) {
			list[last] += " " + word
			continue
		}
		if last := len(list) - 1; last >= 0 && strings.HasPrefix(word, "/") && absent(list[last]) && !absent(list[last]+" "+word) {
			list[last] += " " + word
			continue
		}
		list = append(list, word)
	}
	return list
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// harmless reports text that could be more than a word to a shell, or an option to a
// program: it becomes part of a ProxyCommand (CVE-2023-51385).
func harmless(what, s string) error {
	if s == "" || s[0] == '-' || strings.ContainsAny(s, "'`\"$\\;&<>|(){} \t") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is no %s", s, what)
	}
	return nil
}

func portText(port uint16) string { return strconv.Itoa(int(port)) }
