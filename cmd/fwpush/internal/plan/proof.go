package plan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/transport"
)

// Proof is the offline half of the lock-out proof for one host.
type Proof struct {
	roles.Proof
	Member
	local netip.Addr // of this machine, towards the host; invalid if there is no route
}

// From is where pushes to the host come from: what the fleet file says, else
// the jump they go through or the local address of the route.
func (p Proof) From() string {
	if declared := p.Policy.Management.Controller; len(declared) > 0 {
		list := make([]string, len(declared))
		for i, a := range declared {
			list[i] = a.String()
		}
		return strings.Join(list, ", ")
	}
	if through := through(p.Host.SSH); through != "" {
		return through
	}
	if !p.local.IsValid() {
		return ""
	}
	return p.local.String()
}

// through is what connections to a host come out of, "" if that is this machine.
func through(ep inventory.Endpoint) string {
	if ep.Jump == "" && ep.ProxyCommand != "" {
		return "its ProxyCommand"
	}
	return ep.Jump
}

// lookupTime bounds the wait for a name server, lookups how many names are
// asked for at a time.
const (
	lookupTime = 5 * time.Second
	lookups    = 32
)

// Prove proves for each host, before the first connection, that its new
// rules admit this machine.
func (f *File) Prove(ctx context.Context, hosts []Member) []Proof {
	proofs := make([]Proof, len(hosts))
	jumps := map[string][]netip.Addr{}
	for _, h := range f.Fleet.Hosts {
		jumps[h.Name] = h.Addrs()
	}
	var group errgroup.Group
	group.SetLimit(lookups)
	for i, m := range hosts {
		group.Go(func() error {
			proofs[i] = proveHost(ctx, m, jumps[m.Host.SSH.Jump])
			return nil
		})
	}
	_ = group.Wait() // what went wrong is in the proofs
	return proofs
}

func proveHost(ctx context.Context, m Member, jump []netip.Addr) Proof {
	ep := m.Host.SSH
	targets := targetsOf(ctx, ep)
	if len(targets) == 0 {
		targets = []netip.Addr{{}}
	}
	var first Proof
	for i, target := range targets {
		a := roles.Approach{Target: target, Port: ep.Port, Elsewhere: portElsewhere(m.Host), Local: localAddress(ctx, ep, target), Jump: through(ep), JumpAddrs: jump}
		p := Proof{Proof: m.Policy.ProveManagement(a), Member: m, local: a.Local}
		switch {
		case i == 0:
			first = p
		case p.State != first.State:
			// Which address will answer is not known before it does.
			first.Proof = roles.Proof{State: roles.Undecided, Reason: fmt.Sprintf("%s resolves to several addresses, and not all would be admitted", ep.Address)}
			return first
		}
	}
	return first
}

// targetsOf are the addresses that an endpoint can be dialled at; none if its name does
// not resolve here, or is looked up by a jump host, where it may be another's.
func targetsOf(ctx context.Context, ep inventory.Endpoint) []netip.Addr {
	if a, err := netip.ParseAddr(ep.Address); err == nil {
		return []netip.Addr{a}
	}
	if !ep.Direct() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", ep.Address)
	if err != nil {
		return nil
	}
	return found
}

// Towards are the addresses that this machine would use towards a host, sorted; none if
// its name does not resolve here, or there is no route.
func Towards(ctx context.Context, ep inventory.Endpoint) []netip.Addr {
	var list []netip.Addr
	for _, target := range targetsOf(ctx, ep) {
		if a := localAddress(ctx, ep, target); a.IsValid() && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// localAddress is the address this machine would use towards a target. To
// connect a UDP socket asks the kernel for a route and sends nothing (udp(7)).
func localAddress(ctx context.Context, ep inventory.Endpoint, target netip.Addr) netip.Addr {
	if !target.IsValid() {
		return netip.Addr{}
	}
	if bound, err := transport.LocalAddr(ctx, ep); err != nil || bound.IsValid() {
		return bound
	}
	conn, err := net.Dial("udp", net.JoinHostPort(target.String(), strconv.Itoa(int(ep.Port))))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return local.AddrPort().Addr().Unmap()
}

// portElsewhere reports whether ssh_config says at which port a host is dialled, and the
// fleet file says nothing of ports.
func portElsewhere(h inventory.Host) bool {
	_, written := h.SSH.Written["port"]
	said := len(h.SSHDPorts) > 0 && h.SSHDPorts[0].Place != h.SSH.Place // else they are those of ssh.port
	return h.SSH.Written != nil && !written && !said
}

// acceptLoseSSH is how a person takes the risk on the command line.
const acceptLoseSSH = "--accept-risk lose-ssh"

// Findings are the proofs as problems of the fleet file: what would lock this
// machine out is an error, or a warning where that risk was accepted. What is
// undecided is a note. Hosts with the same finding share one.
func (f *File) Findings(proofs []Proof, accepted bool) inventory.Problems {
	hosts := map[inventory.Problem][]string{}
	for _, p := range proofs {
		found := inventory.Problem{Place: f.Fleet.Management.Place, Width: 1}
		switch p.State {
		case roles.Refused:
			found.Msg, found.Hint = p.Err.Error(), p.Err.Hint()+", or try it under the timers with "+acceptLoseSSH
			if accepted {
				found.Severity, found.Hint = inventory.Warning, "accepted with "+acceptLoseSSH
			}
		case roles.Undecided:
			found.Severity, found.Msg = inventory.Note, "whether this machine would be locked out is decided on the host: "+p.Reason
		default:
			continue
		}
		hosts[found] = append(hosts[found], p.Host.Name)
	}
	list := slices.SortedFunc(maps.Keys(hosts), func(a, b inventory.Problem) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Msg, b.Msg))
	})
	for i, found := range list {
		list[i].Msg = fmt.Sprintf("%s (%s): %s", inventory.Fold(hosts[found]), ui.Count(len(hosts[found]), "host"), found.Msg)
	}
	return list
}
