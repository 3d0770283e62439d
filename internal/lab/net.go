package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
)

// hostNet is a host's place in the network. A host's link layer address follows from its number,
// like its IP addresses, so that the neighbours' caches stay right over a reboot.
type hostNet struct {
	port string // at the bridge; all of the host's traffic passes it
	mac  string

	wire  string // the other end of the host's eth0: the bridge port, or an interface of the last router
	at    int    // the process whose network namespace has that end; 0 for the world
	addr4 netip.Prefix
	addr6 netip.Prefix
	via4  netip.Addr // default routes
	via6  netip.Addr

	path *path // nil when the host is on the bridge itself
}

func newHostNet(number int) hostNet {
	high, low := byte(number/250+1), byte(number%250+1)
	port := fmt.Sprintf("fwlab-h%d", number)
	return hostNet{
		port:  port,
		mac:   fmt.Sprintf("02:99:00:00:%02x:%02x", high, low),
		wire:  port,
		addr4: subnet4(99, high, low),
		addr6: subnet6(0x99, 0, high, low),
		via4:  netip.MustParseAddr(controller4),
		via6:  netip.MustParseAddr(controller6),
	}
}

// subnet4 is 10.network.high.low/16.
func subnet4(network, high, low byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, network, high, low}), 16)
}

// subnet6 is fdNN:0:0:LINK::HIGH:LOW/64.
func subnet6(network, link, high, low byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: network, 7: link, 13: high, 15: low}), 64)
}

// plug wires the network namespace of pid to the host's place and configures eth0 in it. The wire
// of an earlier boot may still be there: the kernel removes a network namespace some time after
// its last process.
func (n *hostNet) plug(ctx context.Context, pid int) error {
	n.unplug(ctx)
	add := []string{fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %d", n.wire, n.mac, pid)}
	if n.path == nil {
		add = append(add, fmt.Sprintf("link set %s master %s up", n.wire, bridge))
	} else {
		add = append(add, n.path.lanCommands(n.wire)...)
	}
	if err := ip(ctx, n.at, add...); err != nil {
		return err
	}
	return ip(ctx, pid,
		"link set lo up",
		fmt.Sprintf("address add %s dev eth0", n.addr4),
		fmt.Sprintf("address add %s dev eth0 nodad", n.addr6),
		"link set eth0 up",
		fmt.Sprintf("route add default via %s", n.via4),
		fmt.Sprintf("route add default via %s", n.via6),
	)
}

// unplug removes the wire. There may be none, which ip(8) cannot be told to accept.
func (n *hostNet) unplug(ctx context.Context) {
	args := []string{"ip", "link", "delete", n.wire}
	if n.at != 0 {
		args = append([]string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", n.at)}, args...)
	}
	_ = exec.CommandContext(ctx, args[0], args[1:]...).Run()
}

// remove takes the host's place away, with the rules that Lose has made for it.
func (n *hostNet) remove(ctx context.Context) error {
	n.unplug(ctx)
	if n.path != nil {
		n.path.remove()
		_ = exec.CommandContext(ctx, "ip", "link", "delete", n.port).Run()
	}
	return loseNothing(ctx, n.port)
}
