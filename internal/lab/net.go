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
	link  string // the wire's end at the bridge
	mac   string
	addr4 netip.Prefix
	addr6 netip.Prefix
	via4  netip.Addr // default routes
	via6  netip.Addr
}

func newHostNet(number int) hostNet {
	high, low := byte(number/250+1), byte(number%250+1)
	return hostNet{
		link:  fmt.Sprintf("fwlab-h%d", number),
		mac:   fmt.Sprintf("02:99:00:00:%02x:%02x", high, low),
		addr4: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, high, low}), 16),
		addr6: netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x99, 13: high, 15: low}), 64),
		via4:  netip.MustParseAddr(controller4),
		via6:  netip.MustParseAddr(controller6),
	}
}

// plug wires the network namespace of pid to the bridge and configures the host's end. The wire of
// an earlier boot may still be there: the kernel removes a network namespace some time after its
// last process.
func (n hostNet) plug(ctx context.Context, pid int) error {
	n.unplug(ctx)
	err := ip(ctx, 0,
		fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %d", n.link, n.mac, pid),
		fmt.Sprintf("link set %s master %s up", n.link, bridge),
	)
	if err != nil {
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
func (n hostNet) unplug(ctx context.Context) {
	_ = exec.CommandContext(ctx, "ip", "link", "delete", n.link).Run()
}
