package roles

import (
	"fmt"
	"net/netip"
	"slices"
)

// Approach is how the controller comes to a host, as far as it is known before
// the first connection.
type Approach struct {
	// Target is the address the host is dialled at; invalid if its name does
	// not resolve here.
	Target netip.Addr
	// Port is the port dialled. Behind a port forwarding the host sees another
	// one, so it is only what a refusal names.
	Port uint16
	// Elsewhere says that the port is not the fleet file's word but ssh_config's. Rulesets do
	// not depend on that, so the pair has to admit it as it is.
	Elsewhere bool
	// Local is the local address of the route to Target; invalid if there is
	// no route. It counts only where management.controller is silent and the
	// host is not behind a jump.
	Local netip.Addr
	// Jump is the last host gone through, "" if there is none, and JumpAddrs
	// are its addresses as far as the fleet knows them: the host sees one of them.
	Jump      string
	JumpAddrs []netip.Addr
}

// Proof is the outcome of the offline half of the lock-out proof. With Refused
// no host of the run may be touched; with Undecided the online half decides
// before anything changes.
type Proof struct {
	State  ProofState
	Reason string        // for Undecided: why, for a note that hosts share
	Err    *LockoutError // for Refused
}

// ProofState is what the offline proof could find out.
type ProofState string

const (
	Admitted  ProofState = "admitted"
	Refused   ProofState = "refused"
	Undecided ProofState = "undecided"
)

// ProveManagement is the offline half of the lock-out proof: whether the
// management pair admits the controller itself. Addresses of
// management.controller that a connection to the target can come from are
// decisive, and every one of them must be admitted; without any, the addresses
// of the last jump are, or the local address of the route, unless something
// between there and the host is likely to rewrite it.
func (p Policy) ProveManagement(a Approach) Proof {
	if a.Elsewhere && !slices.Contains(p.Management.Ports, a.Port) {
		return Proof{State: Refused, Err: &LockoutError{Port: a.Port, Configured: true}}
	}
	if len(p.Management.Controller) > 0 {
		return p.proveDeclared(a)
	}
	if a.Jump != "" {
		return p.proveJump(a)
	}
	target, local := a.Target.Unmap().WithZone(""), a.Local.Unmap().WithZone("")
	switch {
	case !target.IsValid():
		return undecided("the host's address does not resolve here")
	case !local.IsValid():
		return undecided("there is no route from here")
	case target.IsLoopback():
		return undecided("a loopback address is a forwarding on this machine, the host sees another source")
	case isPrivate(local) && !isPrivate(target):
		return undecided("%s is a private address and the host's is not, the host sees another source", local)
	case p.admitsFrom(local):
		return Proof{State: Admitted}
	}
	return p.refused(local, a)
}

func (p Policy) proveDeclared(a Approach) Proof {
	target := a.Target.Unmap()
	sources := slices.Clone(p.Management.Controller)
	if target.IsValid() {
		sources = slices.DeleteFunc(sources, func(s netip.Addr) bool { return s.Is4() != target.Is4() })
	}
	if len(sources) == 0 {
		family := "IPv6"
		if target.Is4() {
			family = "IPv4"
		}
		return undecided("management.controller has no %s address", family)
	}
	var out []netip.Addr
	for _, s := range sources {
		if !p.admitsFrom(s) {
			out = append(out, s)
		}
	}
	switch {
	case len(out) == 0:
		return Proof{State: Admitted}
	case !target.IsValid() && len(out) < len(sources):
		return undecided("the host's address does not resolve here, and %s of management.controller is not admitted", out[0])
	}
	return p.refused(out[0], a)
}

// proveJump asks about the addresses that the jump host may come from. Which one it
// is only its routes know: where they are not all admitted, or all refused, nothing
// is known.
func (p Policy) proveJump(a Approach) Proof {
	target := a.Target.Unmap()
	var in, out []netip.Addr
	for _, s := range a.JumpAddrs {
		switch {
		case target.IsValid() && (s.Is4() != target.Is4() || isPrivate(s) && !isPrivate(target)):
		case p.admitsFrom(s):
			in = append(in, s)
		default:
			out = append(out, s)
		}
	}
	switch {
	case len(in)+len(out) == 0:
		return undecided("which address %s has towards the host is not in the file", a.Jump)
	case len(out) == 0:
		return Proof{State: Admitted}
	case len(in) > 0 || !target.IsValid():
		return undecided("the host is reached through %s, of which %s is not admitted", a.Jump, out[0])
	}
	return p.refused(out[0], a)
}

// admitsFrom reports whether the pair has the source, on whichever port sshd
// listens.
func (p Policy) admitsFrom(source netip.Addr) bool {
	return len(p.Management.Ports) > 0 && p.Management.admits(source, p.Management.Ports[0])
}

func (p Policy) refused(source netip.Addr, a Approach) Proof {
	port := a.Port
	if len(p.Management.Ports) > 0 && !slices.Contains(p.Management.Ports, port) {
		port = p.Management.Ports[0]
	}
	return Proof{State: Refused, Err: &LockoutError{From: source, Port: port}}
}

func undecided(format string, args ...any) Proof {
	return Proof{State: Undecided, Reason: fmt.Sprintf(format, args...)}
}

// isPrivate reports whether an address is not routed on the internet, so that
// one who leaves its network with it is rewritten (RFC 1918, RFC 4193, RFC
// 6598, link-local).
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || sharedSpace().Contains(a)
}

// sharedSpace is the range of carrier-grade NAT, RFC 6598.
func sharedSpace() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
}
