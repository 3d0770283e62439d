package ansible

import (
	"errors"
	"strings"
)

// arguments are the options that Ansible gives to ssh. A jump host is all that a fleet
// file takes of them.
func (b *builder) arguments() {
	for _, name := range []string{"ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"} {
		v, found := b.first(name)
		if found == "" {
			continue
		}
		s, ok := b.plain(v, name)
		if !ok {
			continue
		}
		words, err := split(s)
		if err != nil {
			b.lose(name, "%v", err)
			continue
		}
		for len(words) > 0 {
			words = b.option(name, words)
		}
	}
}

// option takes the first option of a list and returns the others.
func (b *builder) option(name string, words []string) []string {
	word, rest := words[0], words[1:]
	value := func(flag string) string {
		if v := strings.TrimPrefix(word, flag); v != "" {
			return v
		}
		if len(rest) == 0 {
			return ""
		}
		v := rest[0]
		rest = rest[1:]
		return v
	}
	switch {
	case strings.HasPrefix(word, "-J"):
		b.jump(name, value("-J"))
	case strings.HasPrefix(word, "-i"):
		b.set("ssh.identity", value("-i"), name)
	case strings.HasPrefix(word, "-o"):
		key, v := value("-o"), ""
		if i := strings.IndexAny(key, "= \t"); i >= 0 {
			key, v = key[:i], strings.TrimLeft(key[i:], "= \t")
		}
		b.sshOption(name, strings.ToLower(key), strings.Trim(v, `"`), key)
	case word == "-C" || word == "-q" || word == "-4" || word == "-6" || word == "-A" || word == "-a" || word == "-T":
		// compression, words, and a family that the name decides; agents are never forwarded
	default:
		b.lose(name, "%s has no key in a fleet file", word)
	}
	return rest
}

// sshOption is one option of ssh_config(5).
func (b *builder) sshOption(name, option, v, written string) {
	switch option {
	case "proxyjump":
		b.jump(name, v)
	case "proxycommand":
		if jump, ok := through(v); ok {
			b.jump(name, jump)
			return
		}
		b.lose(name, "ProxyCommand is no plain ssh -W; a jump host is named in ssh.jump")
	case "userknownhostsfile":
		if v == "/dev/null" {
			b.lose(name, "UserKnownHostsFile=/dev/null: host keys are always checked; fwpush trust collects them")
			return
		}
		var files []any
		for _, f := range strings.Fields(v) {
			files = append(files, f)
		}
		b.set("ssh.known_hosts", files, name)
	case "stricthostkeychecking":
		if v == "no" || v == "off" || v == "accept-new" {
			b.lose(name, "StrictHostKeyChecking=%s: host keys are always checked; fwpush trust collects them", v)
		}
	case "identityfile":
		b.set("ssh.identity", v, name)
	case "user":
		b.set("ssh.user", v, name)
	case "port":
		b.set("ssh.port", number(v), name)
	case "connecttimeout":
		b.set("ssh.connect_timeout", v+"s", name)
	case "controlmaster", "controlpersist", "controlpath", "compression", "serveraliveinterval", "serveralivecountmax", "loglevel",
		"forwardagent", "preferredauthentications", "passwordauthentication", "kbdinteractiveauthentication", "batchmode", "connectionattempts", "tcpkeepalive":
		// how ssh goes about it, which fwpush does in its own way
	default:
		b.lose(name, "%s has no key in a fleet file", written)
	}
}

// jump is a jump host. Of several in a row the last is next to the host.
func (b *builder) jump(name, v string) {
	switch {
	case strings.EqualFold(v, "none") || v == "":
	case strings.Contains(v, ","):
		last := v[strings.LastIndexByte(v, ',')+1:]
		b.lose(name, "goes through %s: a jump host is behind another one by an ssh.jump of its own", v)
		b.set("ssh.jump", last, name)
	default:
		b.set("ssh.jump", v, name)
	}
}

// through reads ssh -W %h:%p in a ProxyCommand: who is gone through.
func through(command string) (string, bool) {
	words, err := split(command)
	if err != nil || len(words) == 0 || words[0] != "ssh" && !strings.HasSuffix(words[0], "/ssh") {
		return "", false
	}
	forward, user, port, host := false, "", "", ""
	for i := 1; i < len(words); i++ {
		next := func() string { i++; return strings.Trim(at(words, i), `"`) }
		switch w := words[i]; {
		case w == "-W":
			forward = strings.NewReplacer("[", "", "]", "").Replace(next()) == "%h:%p"
		case w == "-p":
			port = next()
		case w == "-l":
			user = next() + "@"
		case w == "-q" || w == "-A" || w == "-C" || w == "-T":
		case strings.HasPrefix(w, "-") || host != "":
			return "", false
		default:
			host = w
		}
	}
	if port != "" {
		host += ":" + port
	}
	if strings.Contains(host, "@") {
		user = ""
	}
	return user + host, forward && host != ""
}

func at(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

// split cuts words as a POSIX shell does, without expanding anything.
func split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, quote := false, rune(0)
	escaped := false
	for _, c := range s {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
