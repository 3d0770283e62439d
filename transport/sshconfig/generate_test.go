package sshconfig

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names are what is typed; h4 to h6 are what others may go through.
var typed = []string{"h1", "h2", "h3", "17", "H5"}

// writer writes a configuration of ssh at random.
type writer struct {
	*rand.Rand
	dir   string // of key files
	ports []uint16
	b     strings.Builder
	// With Match final anywhere ssh 9.2 connects to an IPv4 address in spite of AddressFamily
	// inet6, which fwpush does not: no configuration has both.
	final bool
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *writer) port() uint16 { return w.ports[w.IntN(len(w.ports))] }

// pattern is one of Host.
func (w *writer) pattern() string {
	return w.one("h1", "h2", "h3", "h*", "h?", "* !h1", "*", "h[12]", "17", "!h2 h*", "1?", "h4 h5", "127.*", "h6", "nobody")
}

// block is a Host or Match with what it says.
func (w *writer) block() {
	switch w.IntN(8) {
	case 0:
		w.line("Match host %s", w.one("h1", "127.1.0.*", "h*,!h1", "127.1.0.2"))
	case 1:
		w.line("Match originalhost %s user %s", w.one("h1", "h?", "17,h2"), w.one("alice", "root", "*", "!bob,*"))
	case 2:
		w.line("Match %sexec %s", w.one("", "!"), w.one("true", "false", `"test %n = h1"`, `"test %h = 127.1.0.2"`, `"test %r = alice"`, `"test %p = 22"`))
	case 3:
		if !w.final {
			w.line("Host *")
			break
		}
		w.line("Match final %s", w.one("all", "host 127.1.0.1", "host h?", "user alice"))
	default:
		w.line("Host %s", w.pattern())
	}
	for range 1 + w.IntN(4) {
		w.setting()
	}
}

func (w *writer) setting() {
	switch w.IntN(14) {
	case 0, 1:
		w.line("  User %s", w.one("alice", "bob", "carol"))
	case 2, 3:
		w.line("  Port %d", w.port())
	case 4, 5:
		w.line("  IdentityFile %s/%s", w.dir, w.one("k1", "k2", "k3", "id_%r", "id_%n", "missing", "%u_key", "k%%1"))
	case 6:
		w.line("  HostName %s", w.one("127.1.0.2", "127.1.0.3", "127.1.0.%h", "127.2.0.9"))
	case 7:
		if w.IntN(3) == 0 { // often a circle
			w.jump()
		}
	case 9:
		w.line("  HostKeyAlias %s", w.one("al", "web.example.com"))
	case 10:
		w.line("  AddressFamily %s", w.one("inet", "any", "inet", map[bool]string{true: "any", false: "inet6"}[w.final]))
	case 11:
		w.line("  BindAddress 127.0.0.%d", 2+w.IntN(3))
	case 12:
		w.line("  IdentitiesOnly %s", w.one("yes", "no"))
	case 13:
		w.line("  ConnectTimeout %d", 5+w.IntN(3))
	}
}

func (w *writer) jump() {
	w.line("  ProxyJump %s", w.one("h4", "h5", "h6", "alice@h4", fmt.Sprintf("h5:%d", w.port()), "h4,h5", "h6,bob@h4",
		fmt.Sprintf("127.3.0.1:%d", w.port()), "none", fmt.Sprintf("%%r@127.3.0.2:%d,h6", w.port())))
}

// configuration writes files and returns the path of the first.
func configuration(t *testing.T, seed uint64, dir, known string, ports []uint16) string {
	t.Helper()
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 11)), dir: dir, ports: ports}
	w.final = w.IntN(2) == 0
	save := func(name string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(w.b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		w.b.Reset()
		return path
	}
	include := ""
	if w.IntN(3) == 0 {
		for range 1 + w.IntN(2) {
			w.block()
		}
		include = save("included")
	}
	w.line("UserKnownHostsFile %s\nGlobalKnownHostsFile /dev/null\nBatchMode yes\nStrictHostKeyChecking yes\nIdentityAgent none\nLogLevel ERROR", known)
	for _, hosts := range []string{"h1 17", "h2 h3", "h4"} {
		if w.IntN(2) == 0 {
			w.line("Host %s", hosts)
			if hosts == "h4" {
				w.line("  ProxyJump %s", w.one("h6", "carol@h6", "none"))
			} else {
				w.jump()
			}
		}
	}
	for range 1 + w.IntN(5) {
		w.block()
	}
	if include != "" {
		w.line("%sInclude %s", w.one("Host *\n", "Host h1 h2\n", ""), include)
	}
	w.line("Host 17\n  HostName 127.1.0.%%h")
	for i := 1; i <= 6; i++ {
		w.line("Host h%d H%d\n  HostName 127.1.0.%d", i, i, i)
	}
	w.line("Host *\n  Port %d\n  IdentityFile %s/%s", ports[0], dir, w.one("k1", "k2", "k3"))
	return save("config")
}
