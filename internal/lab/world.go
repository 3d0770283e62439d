package lab

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"fwpush/internal/lab/internal/isolate"
)

// The hosts' network. 10/8 and fd00::/8 are private (RFC 1918, RFC 4193); the world has no way
// out, so it does not matter what the machine itself uses.
const (
	bridge      = "fwlab0"
	controller4 = "10.99.0.1"
	controller6 = "fd99::1"
	// controllerMAC is none of a host's, which have the host's number at the end.
	controllerMAC = "02:99:00:00:00:01"
	// hostsMax keeps the third byte of an address free for routers (254).
	hostsMax = 250 * 250
)

//go:embed scripts/tree.sh
var treeScript string

//go:embed scripts/docker.sh
var dockerScript string

//go:embed scripts/host.sh
var hostScript string

// World is a set of namespaces with a bridge that hosts are plugged into. The program that calls
// Enter stands on the bridge too, as the controller. Its methods may be called concurrently.
type World struct {
	dir    string // state: key, known_hosts, scripts, hosts/NAME
	cgroup string // parent of the systemd hosts' cgroups, or empty
	netns  *os.File
	pubkey []byte // authorized_keys line of the lab's key

	mu    sync.Mutex      // guards the following and the known_hosts file
	next  int             // number of the next host
	paths byte            // number of the latest path
	names map[string]bool // of the hosts there are
}

// newWorld prepares the network and the lab's key. It runs inside the namespaces.
func newWorld(in isolate.Inside) (*World, error) {
	w := &World{dir: filepath.Join(isolate.Shm, "fwpush-lab"), cgroup: in.Cgroup, netns: in.NetNS, names: map[string]bool{}}
	tmp := filepath.Join(w.dir, "tmp")
	if err := errors.Join(os.Mkdir(w.dir, 0o755), os.Mkdir(tmp, 0o755), os.Mkdir(filepath.Join(w.dir, "hosts"), 0o755)); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	// Temporary files of the program end with the world as well.
	if err := os.Setenv("TMPDIR", tmp); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	path := strings.TrimPrefix(os.Getenv("PATH")+":/usr/sbin:/sbin:/usr/bin:/bin", ":")
	if err := os.Setenv("PATH", path); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := unix.Sethostname([]byte("controller")); err != nil {
		return nil, fmt.Errorf("lab: set host name: %w", err)
	}
	for path, value := range map[string]string{
		"/proc/sys/net/ipv4/ip_forward":          "1",
		"/proc/sys/net/ipv6/conf/all/forwarding": "1",
		// The controller is a router between the hosts: it asks for neighbours with its link-local
		// address, which would be tentative for its first seconds (RFC 4862 5.4).
		"/proc/sys/net/ipv6/conf/default/accept_dad": "0",
	} {
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	err := ip(context.Background(), 0,
		"link set lo up",
		// Without an address of its own a bridge takes the lowest of its ports', another one when a
		// host comes or goes, and the hosts would send to the one that they remember.
		"link add "+bridge+" address "+controllerMAC+" type bridge",
		"address add "+controller4+"/16 dev "+bridge,
		"address add "+controller6+"/64 dev "+bridge+" nodad",
		"link set "+bridge+" up",
	)
	if err != nil {
		return nil, err
	}
	if w.pubkey, err = writeKey(w.KeyFile(), "lab"); err != nil {
		return nil, err
	}
	files := map[string]string{w.KnownHosts(): "", w.script(): hostScript}
	for _, tree := range []string{"openrc", "docker"} {
		name, text := recipe(tree)
		files[filepath.Join(w.dir, name)] = text
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	return w, nil
}

// KeyFile is the path of the private key that every host admits for root and its other users.
func (w *World) KeyFile() string { return filepath.Join(w.dir, "key") }

// KnownHosts is the path of a known_hosts file with the key of every host started so far.
func (w *World) KnownHosts() string { return filepath.Join(w.dir, "known_hosts") }

// Addr4 is the controller's IPv4 address on the hosts' network.
func (w *World) Addr4() netip.Addr { return netip.MustParseAddr(controller4) }

// Addr6 is the controller's IPv6 address on the hosts' network.
func (w *World) Addr6() netip.Addr { return netip.MustParseAddr(controller6) }

func (w *World) script() string { return filepath.Join(w.dir, "host.sh") }

// enroll gives a host its number, from which its addresses follow. Numbers are not used again,
// so that no host inherits an address with another one's key.
func (w *World) enroll(name string) (number int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names[name] {
		return 0, fmt.Errorf("lab: there is a host %s already", name)
	}
	if w.next == hostsMax {
		return 0, errors.New("lab: no addresses left")
	}
	w.names[name] = true
	w.next++
	return w.next - 1, nil
}

// enrollPath gives a path its number.
func (w *World) enrollPath() (byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paths == pathsMax {
		return 0, errors.New("no addresses left for another path")
	}
	w.paths++
	return w.paths, nil
}

func (w *World) forget(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.names, name)
}

// trust adds a host's key to known_hosts, before the host is up.
func (w *World) trust(key []byte, port int, addrs ...netip.Addr) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
		if port != 22 {
			names[i] = fmt.Sprintf("[%s]:%d", a, port)
		}
	}
	f, err := os.OpenFile(w.KnownHosts(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s", strings.Join(names, ","), key)
	return errors.Join(err, f.Close())
}

// writeKey makes an ed25519 key, writes it as OpenSSH does, and returns its public line.
func writeKey(path, comment string) (public []byte, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	pub, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return ssh.MarshalAuthorizedKey(pub), nil
}

// ip runs ip(8) commands in the network namespace of pid, or in the world's when it is 0.
// They stop at the first that fails.
func ip(ctx context.Context, pid int, commands ...string) error {
	args := []string{"ip", "-batch", "-"}
	if pid != 0 {
		args = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("lab: ip: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
