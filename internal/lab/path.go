package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// pathsMax keeps a path's number within one byte of an address.
const pathsMax = 250

// path is two routers between the bridge and a host, with a narrow link between them:
//
//	bridge --1500-- near --mtu-- far --1500-- host
//
// Only a link in the middle makes path MTU discovery necessary (RFC 1191, RFC 8201): a narrow one
// at either end is known to that end's TCP from the start.
type path struct {
	number    byte
	near, far *exec.Cmd
}

// The networks of path N: its near router is 10.99.254.N, the middle 10.97.N.0/24, the host's
// 10.98.N.0/24; and the like in IPv6.
func (p *path) onBridge() (v4, v6 netip.Prefix) {
	return subnet4(99, 254, p.number), subnet6(0x99, 0, 254, p.number)
}

func (p *path) inMiddle(host byte) (v4, v6 netip.Prefix) { return p.network(97, 0x97, host) }
func (p *path) onLAN(host byte) (v4, v6 netip.Prefix)    { return p.network(98, 0x98, host) }

func (p *path) network(v4, v6, host byte) (netip.Prefix, netip.Prefix) {
	return netip.PrefixFrom(subnet4(v4, p.number, host).Addr(), 24), subnet6(v6, p.number, 0, host)
}

// moveBehind puts a host's place behind a new path.
func (n *hostNet) moveBehind(ctx context.Context, w *World, mtu int) error {
	if mtu < 1280 || mtu > 1500 {
		return fmt.Errorf("path MTU %d: use 1280, the least of IPv6 (RFC 8200), to 1500", mtu)
	}
	number, err := w.enrollPath()
	if err != nil {
		return err
	}
	p := &path{number: number}
	n.path = p
	if p.near, err = startRouter(w); err != nil {
		return err
	}
	if p.far, err = startRouter(w); err != nil {
		return err
	}
	n.wire, n.at = "lan", p.far.Process.Pid
	n.addr4, n.addr6 = p.onLAN(2)
	router4, router6 := p.onLAN(1)
	n.via4, n.via6 = router4.Addr(), router6.Addr()
	return p.connect(ctx, n.port, mtu)
}

// connect lays the links up to the far router, and the routes to the host's network.
func (p *path) connect(ctx context.Context, port string, mtu int) error {
	near, far := p.near.Process.Pid, p.far.Process.Pid
	bridge4, bridge6 := p.onBridge()
	near4, near6 := p.inMiddle(1)
	far4, far6 := p.inMiddle(2)
	lan4, lan6 := p.onLAN(0)
	err := ip(ctx, 0,
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", port, near),
		fmt.Sprintf("link set %s master %s up", port, bridge),
		fmt.Sprintf("route add %s via %s", lan4, bridge4.Addr()),
		fmt.Sprintf("route add %s via %s", lan6, bridge6.Addr()),
	)
	if err != nil {
		return err
	}
	err = ip(ctx, near,
		fmt.Sprintf("link add middle mtu %d type veth peer name middle mtu %d netns %d", mtu, mtu, far),
		fmt.Sprintf("address add %s dev eth0", bridge4),
		fmt.Sprintf("address add %s dev eth0 nodad", bridge6),
		fmt.Sprintf("address add %s dev middle", near4),
		fmt.Sprintf("address add %s dev middle nodad", near6),
		"link set eth0 up",
		"link set middle up",
		"route add default via "+controller4,
		"route add default via "+controller6,
		fmt.Sprintf("route add %s via %s", lan4, far4.Addr()),
		fmt.Sprintf("route add %s via %s", lan6, far6.Addr()),
	)
	if err != nil {
		return err
	}
	return ip(ctx, far,
		fmt.Sprintf("address add %s dev middle", far4),
		fmt.Sprintf("address add %s dev middle nodad", far6),
		"link set middle up",
		fmt.Sprintf("route add default via %s", near4.Addr()),
		fmt.Sprintf("route add default via %s", near6.Addr()),
	)
}

// lanCommands configure the far router's end of the host's wire.
func (p *path) lanCommands(link string) []string {
	lan4, lan6 := p.onLAN(1)
	return []string{
		fmt.Sprintf("address add %s dev %s", lan4, link),
		fmt.Sprintf("address add %s dev %s nodad", lan6, link),
		fmt.Sprintf("link set %s up", link),
	}
}

// remove ends the routers, with which their links and the routes over them go.
func (p *path) remove() {
	for _, router := range []*exec.Cmd{p.near, p.far} {
		if router == nil {
			continue
		}
		_ = router.Process.Kill()
		_ = router.Wait() // its only news is the kill
	}
}

// startRouter returns a process in a network namespace of its own that forwards packets.
func startRouter(w *World) (*exec.Cmd, error) {
	cmd := exec.Command("sh", w.script(), "router")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return cmd, errors.Join(errors.New("router did not start"), err)
	}
	return cmd, nil
}
