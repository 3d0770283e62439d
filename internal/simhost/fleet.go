package simhost

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/internal/commit"
	"fwpush/internal/sshtest"
	"fwpush/inventory"
)

// Options are what all hosts of a fleet have in common. The zero Options are hosts as
// the lab's light ones: nft, at, no systemd, nothing of fwpush on them.
type Options struct {
	Name     func(i int) string // of the i-th host, counted from 0; nil: web0001 and so on
	Systemd  bool               // there is an init system, and so a boot unit
	Iptables bool               // there are iptables, ip6tables and ipset, too
	// Address is what a host says that its address is; nil: where its sshd listens.
	Address func(name string) string
	// Controller is where hosts say that a connection comes from; 192.0.2.1 if not
	// set. (It comes over the loopback interface, and a confirm must not.)
	Controller netip.Addr
	RoundTrip  time.Duration // how far away they are
}

// Fleet is running simulated hosts.
type Fleet struct {
	tb      testing.TB
	options Options
	texts   []commit.Texts // of mode coexist, and of exclusive
	server  *sshtest.Server
	began   time.Time
	hosts   []*Host
	byAddr  map[netip.Addr]*Host
	ready   chan struct{} // closed once hosts know their addresses

	identity, knownHosts string // files
}

// started is how long hosts have been up when a fleet begins, in seconds.
const started = 1000

// New starts n hosts. They end when the test does.
func New(tb testing.TB, n int, o Options) *Fleet {
	tb.Helper()
	if o.Name == nil {
		o.Name = func(i int) string { return fmt.Sprintf("web%04d", i+1) }
	}
	if !o.Controller.IsValid() {
		o.Controller = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	}
	f := &Fleet{
		tb: tb, options: o, texts: []commit.Texts{commit.HostTexts(), commit.ExclusiveTexts()}, began: time.Now().Add(-started * time.Second),
		hosts: make([]*Host, n), byAddr: make(map[netip.Addr]*Host, n), ready: make(chan struct{}),
	}
	identity, key := sshtest.NewIdentity(tb, "")
	hostKey := sshtest.NewKey(tb)
	f.identity = identity
	f.server = sshtest.New(tb, sshtest.Config{
		Keys: []ssh.PublicKey{key}, ManyHosts: true, RoundTrip: o.RoundTrip, Handler: f.handle, HostFault: f.fault,
		HostKeys: func(netip.Addr) []ssh.Signer { return []ssh.Signer{hostKey} },
	})
	for i := range f.hosts {
		h := newHost(f, o.Name(i), f.server.Host(i))
		f.hosts[i], f.byAddr[h.addr.Addr()] = h, h
	}
	close(f.ready)
	// One line for all: each client reads this file, and thousands of lines take long.
	port := f.server.Addr().Port()
	f.knownHosts = filepath.Join(tb.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{fmt.Sprintf("[127.*]:%d", port)}, hostKey.PublicKey()) + "\n"
	if err := os.WriteFile(f.knownHosts, []byte(line), 0o600); err != nil {
		tb.Fatalf("simhost: %v", err)
	}
	tb.Cleanup(func() {
		for _, h := range f.hosts {
			h.stop()
		}
	})
	return f
}

// Len is the number of hosts.
func (f *Fleet) Len() int { return len(f.hosts) }

// Host is the i-th host, counted from 0.
func (f *Fleet) Host(i int) *Host { return f.hosts[i] }

// Endpoint is the way to the i-th host.
func (f *Fleet) Endpoint(i int) inventory.Endpoint {
	h := f.hosts[i]
	return inventory.Endpoint{
		Name: h.name, Address: h.addr.Addr().String(), Port: h.addr.Port(), User: "root", Become: "none",
		Identity: []string{f.identity}, KnownHosts: []string{f.knownHosts}, ConnectTimeout: 10 * time.Second,
	}
}

// Controller is where hosts say that a connection comes from.
func (f *Fleet) Controller() netip.Addr { return f.options.Controller }

// Connections is how many TCP connections were accepted so far, by all hosts.
func (f *Fleet) Connections() int { return f.server.Connections() }

// Writes is how often the state of any host was changed so far.
func (f *Fleet) Writes() int {
	n := 0
	for _, h := range f.hosts {
		n += h.Counts().Writes
	}
	return n
}

// fault is what goes wrong with a new connection.
func (f *Fleet) fault(addr netip.Addr) sshtest.Fault {
	<-f.ready
	h := f.byAddr[addr]
	if h == nil {
		return sshtest.Fault{At: sshtest.Accept, Do: sshtest.Drop} // nobody has that address
	}
	return h.knock()
}

// handle runs one command, of a connection that fault has let in.
func (f *Fleet) handle(x *sshtest.Exec) sshtest.Exit {
	return f.byAddr[x.Host].run(x)
}
