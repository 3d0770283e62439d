package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"fwpush/internal/lab"
)

// exampleHost is a host of the example on its two networks. lan is 10.20.0.0/16 and
// 2001:db8:20::/48; wan is 203.0.113.0/24 and 2001:db8:1::/64, whose router is the
// internet.
type exampleHost struct {
	name     string
	backend  string
	sshd     int
	lan, wan exampleNet
	default6 string // where IPv6 goes; "" is as IPv4
}

// exampleNet is a host's place in a network.
type exampleNet struct {
	iface  string // "" for none
	v4, v6 string
}

func (n exampleNet) addrs() []netip.Addr {
	var list []netip.Addr
	for _, s := range []string{n.v4, n.v6} {
		if s != "" {
			list = append(list, netip.MustParseAddr(s))
		}
	}
	return list
}

// The hosts of the example, a name server in lan, and the internet. It has a leg in
// lan as well, by which its packets for an address in lan of a host come as near to
// the host as they can get: the tests of a fleet file ask what the host does, not
// who on the way was in time to drop them.
var exampleHosts = []exampleHost{
	{name: "web1", lan: exampleNet{"eth1", "10.20.1.11", "2001:db8:20:1::11"}, wan: exampleNet{"eth0", "203.0.113.11", "2001:db8:1::11"}},
	{name: "web2", lan: exampleNet{"eth1", "10.20.1.12", "2001:db8:20:1::12"}, wan: exampleNet{"eth0", "203.0.113.12", "2001:db8:1::12"}},
	{name: "web3", lan: exampleNet{"ens4", "10.20.1.13", "2001:db8:20:1::13"}, wan: exampleNet{"ens3", "203.0.113.13", ""}, default6: "fe80::1 dev ens4"},
	{name: "db1", lan: exampleNet{"lan0", "10.20.2.21", "2001:db8:20:2::21"}},
	{name: "db2", backend: "iptables", lan: exampleNet{"lan0", "10.20.2.22", "2001:db8:20:2::22"}},
	{name: "bastion1", sshd: 2222, lan: exampleNet{"lan0", "10.20.0.5", "2001:db8:20::5"}, wan: exampleNet{"wan0", "203.0.113.5", "2001:db8:1::5"}},
	{name: "mon1", lan: exampleNet{"lan0", "10.20.0.9", "2001:db8:20::9"}},
	{name: "gw1", lan: exampleNet{"eth1", "10.20.0.1", "2001:db8:20::1"}, wan: exampleNet{"eth0", "203.0.113.1", ""}, default6: "fe80::1 dev eth0"},
	{name: "resolver", backend: "none", lan: exampleNet{"lan0", "10.20.0.53", "2001:db8:20::53"}},
	{name: "internet", backend: "none", wan: exampleNet{"wan0", "203.0.113.254", "2001:db8:1::fe"}},
}

// Addresses that the internet has, by who they belong to.
var exampleStrangers = map[string]exampleNet{
	"internet": {v4: "192.0.2.66", v6: "2001:db8:ffff::66"},
	"badnets":  {v4: "192.0.2.200", v6: "2001:db8:bad::66"},
	"ops":      {v4: "198.51.100.20", v6: "2001:db8:0:16::20"},
}

// startExample boots the hosts of the example with their addresses and without rules.
// Everybody reaches everybody, by the ways that the example means.
func startExample(t *testing.T) map[string]*host {
	t.Helper()
	options := make([]lab.HostOptions, len(exampleHosts))
	for i, e := range exampleHosts {
		options[i] = lab.HostOptions{Name: "ex-" + e.name, Port: e.sshd}
		if e.backend == "iptables" {
			options[i].Without = []string{"/usr/sbin/nft"}
		}
	}
	byName := map[string]*host{}
	for _, h := range start(t, options...) {
		byName[strings.TrimPrefix(h.Name(), "ex-")] = h
	}
	worldIP(t, "link add ex-lan type bridge mcast_snooping 0", "link add ex-wan type bridge mcast_snooping 0", "link set ex-lan up", "link set ex-wan up")
	t.Cleanup(func() { worldIP(t, "link delete ex-lan", "link delete ex-wan") })
	for i, e := range exampleHosts {
		h := byName[e.name]
		h.sh(t, "ip link delete eth0") // the lab's own, which is not in the example
		h.plugExample(t, fmt.Sprintf("ex-lan%d", i), "ex-lan", e.lan, 16, 48)
		h.plugExample(t, fmt.Sprintf("ex-wan%d", i), "ex-wan", e.wan, 24, 64)
		h.sh(t, "set -e\n"+e.routes())
	}
	byName["internet"].plugExample(t, "ex-leg", "ex-lan", exampleNet{iface: "leg"}, 0, 0)
	byName["internet"].sh(t, internetRoutes())
	byName["gw1"].sh(t, "set -e\necho 1 >/proc/sys/net/ipv4/ip_forward\necho 1 >/proc/sys/net/ipv6/conf/all/forwarding\nip address add fe80::2/64 dev eth0 nodad")
	return byName
}

// plugExample gives the host an interface on a bridge of the world.
func (h *host) plugExample(t *testing.T, port, bridge string, n exampleNet, bits4, bits6 int) {
	t.Helper()
	if n.iface == "" {
		return
	}
	worldIP(t,
		fmt.Sprintf("link add %s type veth peer name %s netns /proc/%d/fd/%d", port, n.iface, os.Getpid(), h.net.file.Fd()),
		fmt.Sprintf("link set %s master %s up", port, bridge))
	var b strings.Builder
	fmt.Fprintf(&b, "set -e\necho 0 >/proc/sys/net/ipv6/conf/%s/accept_dad\nip link set %s up\n", n.iface, n.iface)
	for _, a := range n.addrs() {
		bits, nodad := bits4, ""
		if a.Is6() {
			bits, nodad = bits6, " nodad"
		}
		fmt.Fprintf(&b, "ip address add %s/%d dev %s%s\n", a, bits, n.iface, nodad)
	}
	h.sh(t, b.String())
}

// routes are the default routes of a host.
func (e exampleHost) routes() string {
	if e.name == "internet" {
		return ""
	}
	via4, via6 := "10.20.0.1", "2001:db8:20::1"
	if e.wan.iface != "" {
		via4, via6 = "203.0.113.254", "2001:db8:1::fe"
	}
	if e.default6 != "" {
		via6 = e.default6
	}
	return fmt.Sprintf("ip route add default via %s\nip -6 route add default via %s\n", via4, via6)
}

// internetRoutes lead to lan through the gateway, and to the other addresses of the
// hosts in wan straight to them.
func internetRoutes() string {
	var b strings.Builder
	b.WriteString("set -e\nip address add fe80::1/64 dev wan0 nodad\nip address add fe80::1/64 dev leg nodad\n")
	for _, n := range exampleStrangers {
		fmt.Fprintf(&b, "ip address add %s/32 dev wan0\nip address add %s/128 dev wan0 nodad\n", n.v4, n.v6)
	}
	b.WriteString("ip route add 10.20.0.0/16 via 203.0.113.1\nip route add 2001:db8:20::/48 via fe80::2 dev wan0\n")
	for _, e := range exampleHosts {
		if strings.HasPrefix(e.name, "web") {
			fmt.Fprintf(&b, "ip route add %s dev leg\nip route add %s dev leg\n", e.lan.v4, e.lan.v6)
		}
	}
	return b.String()
}

// worldIP runs commands of ip(8) where the controller is.
func worldIP(t *testing.T, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v: %s", err, out)
	}
}

// loadExample loads the rules of every host of the example as render prints them.
func loadExample(t *testing.T, c *controller, hosts map[string]*host) {
	t.Helper()
	var loading sync.WaitGroup
	defer loading.Wait()
	for _, e := range exampleHosts {
		if e.backend == "none" {
			continue
		}
		loading.Go(func() {
			text := c.run(t, 0, "render", "-q", e.name).stdout
			argv := []string{"nft", "-f", "-"}
			if e.backend == "iptables" {
				text, argv = restoreScript(text), []string{"sh", "-e"}
			}
			if _, _, err := hosts[e.name].Exec(t.Context(), text, argv...); err != nil {
				t.Error(err)
			}
		})
	}
}

// restoreScript loads a text for iptables section by section, with a jump to each of
// its chains, on an old host that has no rules of ours.
func restoreScript(text string) string {
	var b strings.Builder
	for _, section := range strings.Split(text, "#: ")[1:] {
		head, body, _ := strings.Cut(section, "\n")
		tool, _, _ := strings.Cut(head, " ")
		if tool == "ipset" {
			fmt.Fprintf(&b, "ipset restore <<'END'\n%sEND\n", body)
			continue
		}
		jumps := ""
		for _, pair := range [][2]string{{"INPUT", "IN"}, {"OUTPUT", "OUT"}, {"FORWARD", "FWD"}} {
			if strings.Contains(body, ":FWPUSH-"+pair[1]+" ") {
				jumps += fmt.Sprintf("-I %s 1 -j FWPUSH-%s\n", pair[0], pair[1])
			}
		}
		fmt.Fprintf(&b, "%s-legacy-restore --noflush <<'END'\n%s%sCOMMIT\nEND\n", tool, strings.TrimSuffix(body, "COMMIT\n"), jumps)
	}
	return b.String()
}
