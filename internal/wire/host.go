package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

const (
	loopback = "lo"
	// A forwarded packet finds its way out by its traffic class. Rules for packets match three
	// bits of it in IPv4 (IPTOS_RT_MASK), which bounds the number of interfaces.
	classStep     = 4
	interfacesMax = 7
)

// host is a namespace with interfaces that lead outside.
type host struct {
	inside, outside namespace
	links           map[string]link
	first           string // of the interfaces; markers come in there
	sockets         sockets

	id     uint16 // of the next packet
	marker uint64 // the latest
	joined map[membership]bool
}

// link is an interface of the host with the one outside that it is wired to.
type link struct {
	index, peer int
	mac         [6]byte
	class       uint8 // of packets that are forwarded to it
}

// newHost makes a host with the interfaces and without addresses but those of fixed.
func newHost(ctx context.Context, interfaces []string) (h *host, err error) {
	h = &host{first: interfaces[0], links: map[string]link{}, joined: map[membership]bool{}, id: 1}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.inside, err = newNamespace(); err != nil {
		return h, err
	}
	if h.outside, err = newNamespace(); err != nil {
		return h, err
	}
	// Outside there is nobody: no answers, no requests.
	if err := h.outside.set("ipv6/conf/all/disable_ipv6=1", "ipv6/conf/default/disable_ipv6=1"); err != nil {
		return h, err
	}
	if err := h.inside.set(settings()...); err != nil {
		return h, err
	}
	if err := h.wire(ctx, interfaces); err != nil {
		return h, err
	}
	if err := h.findLinks(interfaces); err != nil {
		return h, err
	}
	h.sockets, err = newSockets(h)
	return h, err
}

func (h *host) close() {
	h.sockets.close()
	for _, n := range []namespace{h.inside, h.outside} {
		if n.file != nil {
			n.file.Close()
		}
	}
}

// settings make a router that takes every packet to the rules, whatever it thinks of its source,
// tells of every refusal, and does nothing by itself that can be turned off.
func settings() []string {
	s := []string{
		"ipv4/ip_forward=1",
		// Zero rates, and no types of errors under the limit that all hosts of the kernel share
		// (icmp_global_allow): each reject is sent.
		"ipv4/icmp_ratelimit=0", "ipv4/icmp_ratemask=0", "ipv4/icmp_echo_ignore_all=1",
		"ipv4/igmp_max_memberships=100000",
		"ipv6/icmp/ratelimit=0", "ipv6/icmp/ratemask=255", "ipv6/icmp/echo_ignore_all=1",
		// Labels that the kernel makes up could be taken for an identity.
		"ipv6/auto_flowlabels=0",
	}
	for _, which := range []string{"all", "default"} {
		for _, v := range []string{"rp_filter=0", "accept_local=1", "route_localnet=1", "log_martians=0",
			"accept_redirects=0", "send_redirects=0"} {
			s = append(s, "ipv4/conf/"+which+"/"+v)
		}
		for _, v := range []string{"forwarding=1", "accept_ra=0", "accept_redirects=0", "accept_dad=0", "router_solicitations=0"} {
			s = append(s, "ipv6/conf/"+which+"/"+v)
		}
	}
	// No addresses but those given (IN6_ADDR_GEN_MODE_NONE).
	return append(s, "ipv6/conf/default/addr_gen_mode=1")
}

// fixed are the addresses that the host needs to answer from where a packet's own destination will
// not do: those that RFC 7600 and RFC 6666 set aside, and one on each link.
func fixed() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("192.0.0.8/32"), netip.MustParsePrefix("100::8/128"), netip.MustParsePrefix("fe80::8/128"),
	}
}

// wire makes the interfaces and the routes. Nothing is ever asked for a link layer address (arp
// off), since nobody is there to answer; all but neighbours on the link are behind a gateway, so
// that the kernel's table of neighbours, which all namespaces share, stays small.
func (h *host) wire(ctx context.Context, interfaces []string) error {
	four := []string{"link set lo up", "address add 192.0.0.8/32 dev lo scope global"}
	six := []string{"address add 100::8/128 dev lo nodad"}
	for i, name := range interfaces {
		class, table := (i+1)*classStep, 101+i
		four = append(four,
			fmt.Sprintf("link add %s type veth peer name %s netns /proc/self/fd/3", name, name),
			fmt.Sprintf("link set %s arp off up", name),
			fmt.Sprintf("route add default via 192.0.0.9 dev %s onlink table %d", name, table))
		six = append(six,
			fmt.Sprintf("address add fe80::8/64 dev %s nodad", name),
			fmt.Sprintf("route add default via fe80::9 dev %s table %d", name, table),
			fmt.Sprintf("route add fe80::/10 dev %s table %d", name, table),
			fmt.Sprintf("route add multicast ff00::/8 dev %s table %d", name, table))
		for _, family := range []*[]string{&four, &six} {
			*family = append(*family, fmt.Sprintf("rule add pref %d oif %s lookup %d", 100+i, name, table))
			// Only for what comes in: an answer to a forwarded packet keeps bits of its class.
			for _, in := range interfaces {
				*family = append(*family, fmt.Sprintf("rule add pref %d iif %s tos %#x lookup %d", 200+i, in, class, table))
			}
		}
	}
	// By the first interface leave the answers of the host, whatever they answer.
	four = append(four, "rule add pref 300 lookup 101")
	six = append(six, "rule add pref 300 lookup 101")
	var outside []string
	for _, name := range interfaces {
		outside = append(outside, fmt.Sprintf("link set %s arp off up", name))
	}
	if err := h.inside.ip(ctx, h.outside, "-4", four...); err != nil {
		return err
	}
	if err := h.outside.ip(ctx, namespace{}, "-4", outside...); err != nil {
		return err
	}
	// The other end is up, which an IPv6 address waits for.
	return h.inside.ip(ctx, namespace{}, "-6", six...)
}

func (h *host) findLinks(interfaces []string) error {
	h.links[loopback] = link{index: 1}
	for i, name := range interfaces {
		l := link{class: uint8((i + 1) * classStep)}
		err := h.inside.do(func() error {
			n, err := net.InterfaceByName(name)
			if err == nil {
				l.index, l.mac = n.Index, [6]byte(n.HardwareAddr)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("wire: %w", err)
		}
		err = h.outside.do(func() error {
			n, err := net.InterfaceByName(name)
			if err == nil {
				l.peer = n.Index
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("wire: %w", err)
		}
		h.links[name] = l
	}
	return nil
}

// own changes the addresses of the host.
func (h *host) own(ctx context.Context, before, after []netip.Prefix) error {
	var four, six []string
	change := func(verb string, prefixes []netip.Prefix) {
		for _, p := range prefixes {
			command := fmt.Sprintf("route %s local %v table local dev ", verb, p)
			switch {
			case p.Addr().Is4():
				four = append(four, command+loopback)
			case p.Addr().IsLinkLocalUnicast():
				// On each link; the metric makes a route of its own of each.
				for name, l := range h.links {
					if name != loopback {
						six = append(six, fmt.Sprintf("%s%s metric %d", command, name, l.index))
					}
				}
			default:
				six = append(six, command+loopback)
			}
		}
	}
	change("del", slices.DeleteFunc(slices.Clone(before), func(p netip.Prefix) bool { return slices.Contains(after, p) }))
	change("add", slices.DeleteFunc(slices.Clone(after), func(p netip.Prefix) bool { return slices.Contains(before, p) }))
	if len(four) > 0 {
		if err := h.inside.ip(ctx, namespace{}, "-4", four...); err != nil {
			return err
		}
	}
	if len(six) > 0 {
		return h.inside.ip(ctx, namespace{}, "-6", six...)
	}
	return nil
}
