package sshconfig

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// tokens are what % and a letter stand for (TOKENS in ssh_config(5)).
type tokens map[byte]string

// tokens of a host, as ssh was asked for it and as it answered.
func (r *Resolver) tokens(name string, a answer) tokens {
	alias := a.one("hostkeyalias")
	if alias == "" {
		alias = name
	}
	long := r.machine
	short, _, _ := strings.Cut(long, ".")
	return tokens{
		'%': "%", 'h': a.one("hostname"), 'n': name, 'p': a.one("port"), 'r': a.one("user"), 'k': alias,
		'u': r.me.Username, 'd': r.me.HomeDir, 'i': r.me.Uid, 'l': long, 'L': short,
	}
}

// expand replaces tokens. Those that keep names stay as they are.
func (t tokens) expand(s, keep string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case i == len(s):
			return "", fmt.Errorf("%q ends with %%", s)
		case strings.IndexByte(keep, s[i]) >= 0:
			b.WriteString(s[i-1 : i+1])
			continue
		}
		value, known := t[s[i]]
		if !known {
			return "", fmt.Errorf("%q has %%%c, which fwpush does not expand", s, s[i])
		}
		if keep != "" {
			value = escaped(value)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// escaped is text in which no % is a token.
func escaped(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// path expands tokens, ${VARIABLE} and a leading ~, which is the home directory that the
// password database names: ssh does not look at HOME.
func (r *Resolver) path(s string, t tokens) (string, error) {
	s, err := t.expand(s, "")
	if err != nil {
		return "", err
	}
	for from := 0; ; {
		i := strings.Index(s[from:], "${")
		if i < 0 {
			break
		}
		i += from
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return "", fmt.Errorf("%q has ${ without }", s)
		}
		value, set := os.LookupEnv(s[i+2 : i+end])
		if !set {
			return "", fmt.Errorf("%q: %s is not set in the environment", s, s[i:i+end+1])
		}
		s = s[:i] + value + s[i+end+1:]
		from = i + len(value)
	}
	if !strings.HasPrefix(s, "~") {
		return s, nil
	}
	whose, rest, _ := strings.Cut(s[1:], "/")
	home := r.me.HomeDir
	if whose != "" {
		u, err := user.Lookup(whose)
		if err != nil {
			return "", fmt.Errorf("%q: %w", s, err)
		}
		home = u.HomeDir
	}
	return filepath.Join(home, rest), nil
}

// account is the person who runs this, as ssh knows them.
func account() (*user.User, error) {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		return nil, fmt.Errorf("cannot tell who you are: %w", err)
	}
	return u, nil
}
