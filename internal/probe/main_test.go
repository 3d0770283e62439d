package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"

	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/transport"
)

var (
	world  *lab.World
	server tls.Certificate // of www.example.net, trusted by this program
)

// The tests of this package run beside real hosts.
func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error { world = w; return certify() }))
}

// certify makes an authority that this program trusts and a certificate of it.
func certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"www.example.net"}, NotAfter: ca.NotAfter}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		return err
	}
	server = tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
	path := filepath.Join(os.TempDir(), "ca.pem")
	// The roots of the system are read once, at the first use (crypto/x509).
	os.Setenv("SSL_CERT_FILE", path)
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}), 0o600)
}

// labHost starts a host, or returns the one of that name.
func labHost(t *testing.T, o lab.HostOptions) *lab.Host {
	t.Helper()
	hosts.Lock()
	defer hosts.Unlock()
	if h := hosts.named[o.Name]; h != nil {
		return h
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h, err := world.Host(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	hosts.named[o.Name] = h // it ends with the world
	return h
}

var hosts = struct {
	sync.Mutex
	named map[string]*lab.Host
}{named: map[string]*lab.Host{}}

func web1(t *testing.T) *lab.Host {
	return labHost(t, lab.HostOptions{Name: "web1", Users: []lab.User{{Name: "admin", Sudo: true}, {Name: "guest"}}})
}

func web2(t *testing.T) *lab.Host { return labHost(t, lab.HostOptions{Name: "web2"}) }

// entry is how a fleet file would have a lab host.
func entry(h *lab.Host, user, become string) inventory.Host {
	return inventory.Host{
		Name:      h.Name(),
		Addresses: []inventory.Net{{Addresses: []inventory.At[netip.Addr]{{V: h.Addr4()}, {V: h.Addr6()}}}},
		SSHDPorts: []inventory.At[uint16]{{V: uint16(h.Port())}},
		SSH: inventory.Endpoint{
			Name: h.Name(), Address: h.Addr4().String(), Port: uint16(h.Port()), User: user, Become: become,
			Identity: []string{world.KeyFile()}, KnownHosts: []string{world.KnownHosts()}, ConnectTimeout: 5 * time.Second,
		},
	}
}

// at is a host that has some addresses and is never logged in to.
func at(addrs ...string) inventory.Host {
	h := inventory.Host{Name: "target", Addresses: make([]inventory.Net, 1)}
	for _, a := range addrs {
		h.Addresses[0].Addresses = append(h.Addresses[0].Addresses, inventory.At[netip.Addr]{V: netip.MustParseAddr(a)})
	}
	return h
}

// prober returns a Prober that knows some hosts, and ends it with the test. Nothing may
// be left of it then.
func prober(t *testing.T, fleet ...inventory.Host) *Prober {
	t.Helper()
	before := goleak.IgnoreCurrent()
	p := NewProber(transport.New(transport.Options{}), func(name string) (inventory.Host, bool) {
		for _, h := range fleet {
			if h.Name == name {
				return h, true
			}
		}
		return inventory.Host{}, false
	})
	t.Cleanup(func() {
		p.Close()
		goleak.VerifyNone(t, before)
	})
	return p
}

// read reads a probe as the command line has it.
func read(t *testing.T, text string, fleet ...inventory.Host) inventory.Probe {
	t.Helper()
	probe, ps := (&inventory.Fleet{Hosts: fleet}).ParseProbe("--probe", text)
	for _, p := range ps {
		t.Fatalf("%s: %s; %s", text, p.Msg, p.Hint)
	}
	return probe
}

// dial logs in to a host for the length of a test.
func dial(t *testing.T, h inventory.Host) *transport.Conn {
	t.Helper()
	conn, err := transport.New(transport.Options{}).Dial(t.Context(), h.SSH)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// sh runs a script at the host's console and returns its output.
func sh(t *testing.T, h *lab.Host, script string) string {
	t.Helper()
	out, _, err := h.Exec(t.Context(), script, "sh", "-s")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(out, "\n")
}

// rules loads a table of input rules on a host for the length of a test.
func rules(t *testing.T, h *lab.Host, lines ...string) {
	t.Helper()
	sh(t, h, "nft -f - <<'E'\ntable inet probe {\nchain in {\ntype filter hook input priority 0\n"+strings.Join(lines, "\n")+"\n}\n}\nE\n")
	t.Cleanup(func() {
		if _, _, err := h.Exec(context.Background(), "", "nft", "delete", "table", "inet", "probe"); err != nil {
			t.Error(err)
		}
	})
}

// listen accepts connections at an address of this machine and closes them.
func listen(t *testing.T, addr string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return portIn(l.Addr())
}

// closed is a port of an address that nobody listens on.
func closed(t *testing.T, addr string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return portIn(l.Addr())
}

func portIn(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }

// expect compares how a probe ends: "" for passed, else what the error has to say in
// this order, parts between "…". "?" before it means that it could not be tried. No
// error has anything in it that a terminal would act on.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	var untried *NotTriedError
	got := ""
	if err != nil {
		got = err.Error()
	}
	if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("raw: %q", got)
	}
	want, unknown := strings.CutPrefix(want, "?")
	if errors.As(err, &untried) != unknown || (err == nil) != (want == "") {
		t.Errorf("got %q, want %q", got, want)
		return
	}
	rest := got
	for part := range strings.SplitSeq(want, "…") {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("got %q, want %q", got, want)
			return
		}
		rest = after
	}
}
