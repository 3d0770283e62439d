package roles

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// SSHConnection is the four numbers of sshd's SSH_CONNECTION, as the host sees
// them.
type SSHConnection struct {
	Client, Server netip.AddrPort
}

// maxSSHConnection bounds what a host may send: two IPv6 addresses with zones
// and two ports stay below it.
const maxSSHConnection = 160

// ParseSSHConnection reads "client port server port" as sshd sets it (sshd(8),
// ENVIRONMENT of ssh(1)). The text comes from a host and is taken for hostile:
// four fields with one space between them and nothing else. Zones are dropped
// and IPv4-mapped addresses unmapped, since packets carry neither.
func ParseSSHConnection(s string) (SSHConnection, error) {
	if len(s) > maxSSHConnection {
		return SSHConnection{}, fmt.Errorf("SSH_CONNECTION is %d bytes long, at most %d are plausible", len(s), maxSSHConnection)
	}
	f := strings.Split(s, " ")
	if len(f) != 4 {
		return SSHConnection{}, fmt.Errorf("SSH_CONNECTION %q is not \"client port server port\"", s)
	}
	client, err := parseEnd(f[0], f[1])
	if err != nil {
		return SSHConnection{}, fmt.Errorf("SSH_CONNECTION %q: client: %w", s, err)
	}
	server, err := parseEnd(f[2], f[3])
	if err != nil {
		return SSHConnection{}, fmt.Errorf("SSH_CONNECTION %q: server: %w", s, err)
	}
	if client.Addr().Is4() != server.Addr().Is4() {
		return SSHConnection{}, fmt.Errorf("SSH_CONNECTION %q mixes IPv4 and IPv6", s)
	}
	return SSHConnection{Client: client, Server: server}, nil
}

func parseEnd(addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address", addr)
	}
	a = a.WithZone("").Unmap()
	if a.IsUnspecified() || a.IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%s is not the address of a machine", a)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", port)
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// LockoutError says that a policy would not admit a management connection.
type LockoutError struct {
	From netip.Addr
	Port uint16
	// PortClosed tells that the port is the cause: sshd listens there as the
	// host sees it, and the management pair is for other ports.
	PortClosed bool
	// Configured tells that the port is the one of ssh_config, which rulesets do not follow.
	Configured bool
}

func (e *LockoutError) Error() string {
	if e.Configured {
		return fmt.Sprintf("ssh_config has port %d, and the rules would admit other ports only", e.Port)
	}
	return fmt.Sprintf("would lock out %s → %d", e.From, e.Port)
}

// Hint says what to change.
func (e *LockoutError) Hint() string {
	if e.Configured {
		return fmt.Sprintf("write ssh.port = %d in the fleet file, or in sshd_ports the port that sshd has there", e.Port)
	}
	if e.PortClosed {
		return fmt.Sprintf("add %d to the host's sshd_ports or to management.failsafe_ports", e.Port)
	}
	return fmt.Sprintf("add %s to management.from", e.From)
}

// AdmitsManagement is the online half of the lock-out proof: whether the
// management pair itself admits a new connection like c. Rules of roles do not
// count, they may be narrowed or denied. The error is a *LockoutError.
func (p Policy) AdmitsManagement(c SSHConnection) error {
	if p.Management.admits(c.Client.Addr(), c.Server.Port()) {
		return nil
	}
	return p.Management.lockout(c.Client.Addr(), c.Server.Port())
}

func (m Management) lockout(from netip.Addr, port uint16) error {
	admitted := false
	for _, peer := range m.Peers {
		admitted = admitted || peer.has(from)
	}
	return &LockoutError{From: from, Port: port, PortClosed: admitted}
}
