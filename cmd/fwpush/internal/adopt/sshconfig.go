package adopt

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fwpush/inventory"
	"fwpush/transport/sshconfig"
)

const (
	maxConfig   = 4 << 20 // bytes of one file
	maxIncludes = 16      // files within each other, as in ssh(1)
)

// OfSSHConfig is the fleet of the hosts that an ssh_config names without wildcards. What
// is said of each is asked of ssh itself, which reads the file as it will when it logs in.
func OfSSHConfig(ctx context.Context, path string) (Fleet, error) {
	names, err := hostNames(path, 0)
	if err != nil {
		return Fleet{}, err
	}
	if len(names) == 0 {
		return Fleet{}, fmt.Errorf("%s: no Host line names a host without wildcards", path)
	}
	r, err := sshconfig.New(path, func(string) (inventory.Endpoint, bool) { return inventory.Endpoint{}, false })
	if err != nil {
		return Fleet{}, err
	}
	said, err := r.Said(ctx, names)
	if err != nil {
		return Fleet{}, err
	}
	var f Fleet
	seen := map[string]string{}
	for i, name := range names {
		h := configured(name, said[i])
		switch first, twice := seen[h.Name]; {
		case twice:
			f.Lost = append(f.Lost, Lost{name, fmt.Sprintf("becomes %s, as %s does", h.Name, first)})
		case slices.Equal(said[i]["user"], []string{"git"}):
			f.Lost = append(f.Lost, Lost{name, "left out: its user is git, who is no login"})
		default:
			seen[h.Name] = name
			f.Hosts = append(f.Hosts, h)
		}
	}
	f.sort()
	f.namedJumps()
	return f, nil
}

// configured is a host as ssh would reach it; said is what is configured of it.
func configured(name string, said map[string][]string) Host {
	at := name
	if s := said["hostname"]; len(s) == 1 {
		at = s[0]
	}
	h := reached(name, at)
	if p := said["port"]; len(p) == 1 {
		if n, err := strconv.Atoi(p[0]); err == nil {
			h.Keys = append(h.Keys, Key{"ssh.port", n})
		}
	}
	if u := said["user"]; len(u) == 1 {
		h.Keys = append(h.Keys, Key{"ssh.user", u[0]})
	}
	if files := said["identityfile"]; len(files) > 0 {
		h.Keys = append(h.Keys, Key{"ssh.identity", files})
	}
	if files := said["userknownhostsfile"]; len(files) == 1 {
		h.Keys = append(h.Keys, Key{"ssh.known_hosts", strings.Fields(files[0])})
	}
	if t := said["connecttimeout"]; len(t) == 1 && t[0] != "none" {
		h.Keys = append(h.Keys, Key{"ssh.connect_timeout", t[0] + "s"})
	}
	if j := said["proxyjump"]; len(j) == 1 && j[0] != "none" {
		hops := strings.Split(j[0], ",")
		h.Keys = append(h.Keys, Key{"ssh.jump", hops[len(hops)-1]})
		if len(hops) > 1 {
			h.Lost = append(h.Lost, Lost{"ProxyJump", "goes through " + j[0] + ": a jump host is behind another one by an ssh.jump of its own"})
		}
	}
	for option, key := range map[string]string{"proxycommand": "ProxyCommand", "hostkeyalias": "HostKeyAlias", "certificatefile": "CertificateFile", "pkcs11provider": "PKCS11Provider", "addressfamily": "AddressFamily", "bindaddress": "BindAddress"} {
		if len(said[option]) > 0 {
			h.Lost = append(h.Lost, Lost{key, "has no key in a fleet file: runs take it from ssh_config"})
		}
	}
	slices.SortFunc(h.Lost, func(a, b Lost) int { return strings.Compare(a.Of, b.Of) })
	return h
}

// namedJumps makes jump hosts that are hosts of the fleet into these.
func (f *Fleet) namedJumps() {
	for _, h := range f.Hosts {
		for i, k := range h.Keys {
			for _, o := range f.Hosts {
				if k.Path == "ssh.jump" && k.Value == o.Was {
					h.Keys[i].Value = o.Name
				}
			}
		}
	}
}

// hostNames are the names of Host lines without wildcards, each once, in the order of the
// file, with those of the files it includes.
func hostNames(path string, depth int) ([]string, error) {
	if depth > maxIncludes {
		return nil, fmt.Errorf("%s: more than %d files include each other", path, maxIncludes)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s: no file of at most %d MiB", path, maxConfig>>20)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxConfig)
	for lines.Scan() {
		option, args := directive(lines.Text())
		switch option {
		case "host":
			for _, name := range args {
				if !strings.ContainsAny(name, "*?!") && !strings.HasPrefix(name, "-") {
					names = append(names, name)
				}
			}
		case "include":
			for _, pattern := range args {
				more, err := included(path, pattern, depth)
				if err != nil {
					return nil, err
				}
				names = append(names, more...)
			}
		}
	}
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, lines.Err()
}

// included are the names of files that a pattern stands for. As ssh_config(5) says of a
// user's file, a relative one begins in ~/.ssh, wherever the file is that says so; and home
// is what passwd(5) says, not $HOME.
func included(from, pattern string, depth int) ([]string, error) {
	if rest, ok := strings.CutPrefix(pattern, "~/"); ok || !filepath.IsAbs(pattern) {
		u, err := user.Current()
		if err != nil {
			return nil, err
		}
		if pattern = filepath.Join(u.HomeDir, rest); !ok {
			pattern = filepath.Join(u.HomeDir, ".ssh", rest)
		}
	}
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: Include %s: %w", from, pattern, err)
	}
	var names []string
	for _, file := range files {
		more, err := hostNames(file, depth+1)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	return names, nil
}

// directive reads a line of an ssh_config: "Host a b", "host=a", with quotes.
func directive(line string) (option string, args []string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), nil
	}
	option, line = strings.ToLower(line[:end]), strings.TrimLeft(line[end:], " \t=")
	for line != "" {
		var word string
		if line[0] == '"' {
			word, line, _ = strings.Cut(line[1:], `"`)
		} else if end := strings.IndexAny(line, " \t"); end >= 0 {
			word, line = line[:end], line[end:]
		} else {
			word, line = line, ""
		}
		if strings.HasPrefix(word, "#") {
			break
		}
		args = append(args, word)
		line = strings.TrimLeft(line, " \t")
	}
	return option, args
}
