package adopt

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxConfig   = 4 << 20          // bytes of one file
	maxIncludes = 16               // files within each other, as in ssh(1)
	askTime     = 10 * time.Second // for ssh -G
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
	// What ssh does where nothing is configured needs not be said.
	usual, err := ask(ctx, os.DevNull, "fwpush.invalid")
	if err != nil {
		return Fleet{}, err
	}
	var f Fleet
	seen := map[string]string{}
	for _, name := range names {
		said, err := ask(ctx, path, name)
		if err != nil {
			f.Lost = append(f.Lost, Lost{name, err.Error()})
			continue
		}
		h := configured(name, said, usual)
		switch first, twice := seen[h.Name]; {
		case twice:
			f.Lost = append(f.Lost, Lost{name, fmt.Sprintf("becomes %s, as %s does", h.Name, first)})
		case slices.Equal(said["user"], []string{"git"}):
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

// configured is a host as ssh would reach it.
func configured(name string, said, usual map[string][]string) Host {
	at := name
	if s := said["hostname"]; len(s) == 1 {
		at = s[0]
	}
	h := reached(name, at)
	other := func(option string) []string {
		if slices.Equal(said[option], usual[option]) {
			return nil
		}
		return said[option]
	}
	if p := other("port"); len(p) == 1 {
		if n, err := strconv.Atoi(p[0]); err == nil {
			h.Keys = append(h.Keys, Key{"ssh.port", n})
		}
	}
	if u := other("user"); len(u) == 1 {
		h.Keys = append(h.Keys, Key{"ssh.user", u[0]})
	}
	if files := other("identityfile"); len(files) > 0 {
		h.Keys = append(h.Keys, Key{"ssh.identity", files})
	}
	if files := other("userknownhostsfile"); len(files) == 1 {
		h.Keys = append(h.Keys, Key{"ssh.known_hosts", strings.Fields(files[0])})
	}
	if t := other("connecttimeout"); len(t) == 1 && t[0] != "none" {
		h.Keys = append(h.Keys, Key{"ssh.connect_timeout", t[0] + "s"})
	}
	if j := other("proxyjump"); len(j) == 1 && j[0] != "none" {
		hops := strings.Split(j[0], ",")
		h.Keys = append(h.Keys, Key{"ssh.jump", hops[len(hops)-1]})
		if len(hops) > 1 {
			h.Lost = append(h.Lost, Lost{"ProxyJump", "goes through " + j[0] + ": a jump host is behind another one by an ssh.jump of its own"})
		}
	}
	for option, key := range map[string]string{"proxycommand": "ProxyCommand", "hostkeyalias": "HostKeyAlias", "certificatefile": "CertificateFile", "pkcs11provider": "PKCS11Provider", "addressfamily": "AddressFamily", "bindaddress": "BindAddress"} {
		if len(other(option)) > 0 {
			h.Lost = append(h.Lost, Lost{key, "has no key in a fleet file"})
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

// ask asks ssh what it would do for a host (ssh(1), -G). Nothing is connected to.
func ask(ctx context.Context, config, host string) (map[string][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", "-G", "-F", config, "--", host)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); line != "" {
			return nil, fmt.Errorf("ssh -G: %s", line)
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	said := map[string][]string{}
	for line := range strings.Lines(stdout.String()) {
		if option, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " "); ok {
			said[option] = append(said[option], value)
		}
	}
	return said, nil
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
