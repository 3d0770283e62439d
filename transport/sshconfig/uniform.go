package sshconfig

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	systemFile = "/etc/ssh/ssh_config"
	maxFile    = 1 << 20
	maxDepth   = 16 // of Include, as in ssh's readconf.c
)

// byHost are the keys whose value ssh works out from the host before it prints it, or which
// have it look the host up.
var byHost = []string{"match", "hostname", "canonicalizehostname", "proxyjump", "host", "include"}

// expanded are keys whose tokens ssh -G prints as they are, or whose value nobody needs.
var expanded = []string{"identityfile", "certificatefile", "identityagent", "proxycommand", "controlpath", "localcommand",
	"remotecommand", "knownhostscommand", "localforward", "remoteforward"}

// uniform reports whether one answer of ssh holds for every host, but for its name. Where that is not
// certain it is not so.
func (r *Resolver) uniform() bool {
	switch r.file {
	case "none":
		return true
	case "":
		home := filepath.Join(r.me.HomeDir, ".ssh")
		return alike(filepath.Join(home, "config"), home, 0) && alike(systemFile, filepath.Dir(systemFile), 0)
	}
	return alike(r.file, filepath.Join(r.me.HomeDir, ".ssh"), 0)
}

// alike reports whether a file says the same of every host. What it includes without a
// whole path is looked for in dir.
func alike(path, dir string, depth int) bool {
	info, err := os.Stat(path)
	if err != nil {
		return os.IsNotExist(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile || depth > maxDepth {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.IndexAny(line, " \t=\"")
		if end <= 0 {
			return false // no value, or a key in quotes: whatever ssh says of it
		}
		key, value := strings.ToLower(line[:end]), strings.Trim(line[end:], " \t=")
		switch {
		case key == "host" && (value == "*" || value == `"*"`):
		case key == "canonicalizehostname" && value == "no":
		case key == "include":
			if !included(value, dir, depth) {
				return false
			}
		case slices.Contains(byHost, key):
			return false
		case strings.Contains(value, "%") && !slices.Contains(expanded, key):
			return false
		}
	}
	return true
}

// included reports whether the files that Include names say the same of every host.
func included(patterns, dir string, depth int) bool {
	if strings.ContainsAny(patterns, "\"'~\\#$%[") {
		return false
	}
	for _, pattern := range strings.Fields(patterns) {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil || slices.ContainsFunc(files, func(f string) bool { return !alike(f, dir, depth+1) }) {
			return false
		}
	}
	return true
}
