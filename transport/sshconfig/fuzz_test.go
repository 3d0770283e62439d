package sshconfig

import (
	"os/user"
	"strings"
	"testing"

	"fwpush/inventory"
)

// answered is a Resolver that has its answers already, and runs no ssh.
func answered(text string) *Resolver {
	r := &Resolver{me: &user.User{Username: "me", HomeDir: "/home/me", Uid: "1000"}, slots: make(chan struct{}, 1),
		alike:   func() bool { return true },
		fleet:   func(string) (inventory.Endpoint, bool) { return inventory.Endpoint{}, false },
		answers: map[question]func() (answer, error){}, hops: map[string]*inventory.Endpoint{}}
	said := func(text string) func() (answer, error) {
		return func() (answer, error) { return read(text), nil }
	}
	r.answers[question{name: anyone}] = said(text)
	r.answers[question{name: "\x00none\x00" + anyone}] = said("user me\nport 22\nidentityfile ~/.ssh/id_ed25519\nuserknownhostsfile ~/.ssh/known_hosts\nglobalknownhostsfile /etc/ssh/ssh_known_hosts\n")
	return r
}

// FuzzAnswer: whatever ssh -G prints, what is taken of it for a way to a host is words: nothing that
// is more to a shell, and no option.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"user me\nport 22\nhostname x\n", "port 2222\nuser root\nproxyjump a@b:3,c@[2001:db8::1]:4\n", "port 22\nproxycommand nc %h %p %%\n",
		"port 0\n", "port 22\nuser -oProxyCommand=x\n", "port 22\nproxyjump $(x)\n", "port 22\nproxycommand nc %n %r\nuser a;b\n", "port 22\nproxyjump %h%\n",
		"port 22\nidentityfile ${HOME}/%u\nidentitiesonly yes\ncertificatefile none\nidentityagent $NONE\nrevokedhostkeys /x y\n", "PORT 22\r\nuserknownhostsfile /a b /c ~/d none\n",
	} {
		f.Add(seed, "web1")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if harmless("host name", name) != nil || strings.ToLower(name) != name {
			return // syntax.Host takes no such name
		}
		out, err := answered(text).host(t.Context(), inventory.Endpoint{Name: name, Address: name, Port: 22, User: "me"})
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a word")
			}
			return
		}
		for ep := &out.Endpoint; ep != nil; ep = ep.Via {
			if harmless("host name", ep.Address) != nil || harmless("user", ep.User) != nil || ep.Port == 0 || ep.ConnectTimeout < 0 {
				t.Fatalf("%q: %+v", text, ep)
			}
			if ep.Jump != "" && ep.Via == nil || ep.Via != nil && ep.ProxyCommand != "" {
				t.Fatalf("%q: two ways, or half of one: %+v", text, ep)
			}
			if (ep.ProxyCommand != "") != (ep.Jump == "" && proxied(text)) {
				t.Fatalf("%q: %q", text, ep.ProxyCommand)
			}
		}
	})
}

// proxied says whether an answer names a program to go through.
func proxied(text string) bool {
	c := read(text).one("proxycommand")
	return c != "" && c != "none"
}

// FuzzDestination: what is read of a jump host is written as the same again.
func FuzzDestination(f *testing.F) {
	for _, seed := range []string{"a", "u@a:22", "u@[2001:db8::1]:22", "[::1]", "::1", "ssh://u@h:2/", "u@v@h", "h:", "h:0", "h:99999", "-x", "@h", "[h", "h]", "h%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		user, host, port, err := destination(s)
		if err != nil {
			return
		}
		if harmless("host", host) != nil || user != "" && harmless("user", user) != nil {
			t.Fatalf("%q: %q at %q", s, user, host)
		}
		again := host
		if strings.ContainsAny(host, ":[]") || port != 0 {
			again = "[" + host + "]"
		}
		if port != 0 {
			again += ":" + portText(port)
		}
		if user != "" {
			again = user + "@" + again
		}
		if strings.ContainsAny(host, "[]/@") {
			return // no address, and no name that can be looked up
		}
		if u, h, p, err := destination(again); err != nil || u != user || h != host || p != port {
			t.Fatalf("%q is %q at %q port %d, and %q is %q at %q port %d, %v", s, user, host, port, again, u, h, p, err)
		}
	})
}

// FuzzExpand: text whose percent signs are doubled is itself, and nothing else makes it longer than its tokens.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"", "%", "%%", "%h:%p", "a%", "%z", "100%%h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := tokens{'%': "%", 'h': "%h", 'p': "22"}
		if got, err := all.expand(escaped(s), ""); err != nil || got != s {
			t.Fatalf("%q became %q, %v", s, got, err)
		}
		// What is kept for later is expanded later, to the same.
		kept, err := all.expand(s, "hp%")
		now, err2 := all.expand(s, "")
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, %v", s, err, err2)
		}
		if err == nil {
			if later, err := all.expand(kept, ""); err != nil || later != now {
				t.Fatalf("%q: %q later, %q now, %v", s, later, now, err)
			}
		}
	})
}
