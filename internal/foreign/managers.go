package foreign

import (
	"path"
	"slices"
	"strings"
)

// Manager is a program that loads rules of its own, and how they are told from others. Names are
// patterns as in a case of sh: * stands for anything, ? for one character.
type Manager struct {
	Name     string   // as in hosts.NAME.coexist
	Tables   []string // of nftables, "FAMILY NAME"
	Chains   []string // regular chains of iptables
	Sets     []string // of ipset
	Ifaces   []string // interfaces that it makes; a rule that names one is its own
	Bridges  string   // a chain: whoever sends what leaves by an interface there has made that interface
	Comments []string // of its rules in built-in chains
	Units    []string // of systemd
	// Policies says that it sets the policies of these built-in chains of the filter table.
	Policies []string
}

// Names for what no manager of the table loaded: rules in chains that are named by hand.
const (
	ByHandIptables = "iptables"
	ByHandNft      = "nftables"
)

// Managers are the known ones, in the order in which they are asked. What they hold is read for every
// host, and not to be changed.
func Managers() []Manager { return slices.Clone(managers) }

// managers are what Managers returns.
//
// Names as of moby 28 (libnetwork/iptables, drivers/bridge), libvirt 11 (src/network/network_iptables.c,
// network_nftables.c), fail2ban 1.1 (config/action.d), Kubernetes 1.34 (pkg/proxy), Calico, Flannel and
// the CNI plugins, firewalld 2 (src/firewall/core), ufw 0.36, netavark 1.15, crowdsec's bouncer 0.0.34,
// sshguard 2.5 and tailscale 1.90.
var managers = []Manager{
	{Name: "docker",
		Tables: []string{"ip docker-bridges", "ip6 docker-bridges"},
		Chains: []string{"DOCKER", "DOCKER-*", "DOCKER_*"},
		Sets:   []string{"docker-ext-bridges-v4", "docker-ext-bridges-v6"},
		Ifaces: []string{"docker0", "docker_gwbridge", "br-????????????"}, Bridges: "DOCKER", Units: []string{"docker.service"}, Policies: []string{"FORWARD"}},
	{Name: "libvirt",
		Tables: []string{"ip libvirt_network", "ip6 libvirt_network"},
		Chains: []string{"LIBVIRT_*"}, Ifaces: []string{"virbr*"}, Units: []string{"libvirtd.service", "virtnetworkd.service"}},
	{Name: "fail2ban",
		Tables: []string{"inet f2b-table", "ip f2b-table", "ip6 f2b-table", "inet fail2ban", "ip fail2ban", "ip6 fail2ban"},
		Chains: []string{"f2b-*", "fail2ban-*"}, Sets: []string{"f2b-*", "fail2ban-*"}, Units: []string{"fail2ban.service"}},
	{Name: "kube-proxy",
		Tables: []string{"ip kube-proxy", "ip6 kube-proxy"},
		Chains: []string{"KUBE-*", "CNI-*", "CNI-HOSTPORT-*", "cali-*", "CILIUM_*", "OLD_CILIUM_*", "FLANNEL-*", "WEAVE", "WEAVE-*"},
		Sets:   []string{"KUBE-*", "cali40*", "cali60*", "weave-*"}, Ifaces: []string{"cni0", "cni-podman*", "flannel*", "cali*", "kube-*"},
		Comments: []string{"cali:*", "kubernetes *", "flanneld *", "cilium*"},
		Units:    []string{"kubelet.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service"}},
	{Name: "firewalld",
		Tables: []string{"inet firewalld", "ip firewalld", "ip6 firewalld", "inet firewalld_policy_drop"},
		Chains: []string{"INPUT_ZONES", "INPUT_ZONES_*", "INPUT_direct", "FORWARD_ZONES*", "FORWARD_IN_ZONES*", "FORWARD_OUT_ZONES*",
			"FORWARD_direct", "OUTPUT_direct", "OUTPUT_ZONES*", "PREROUTING_ZONES*", "PREROUTING_direct", "POSTROUTING_ZONES*",
			"POSTROUTING_direct", "INPUT_POLICIES*", "FORWARD_POLICIES*", "OUTPUT_POLICIES*", "PREROUTING_POLICIES*",
			"POSTROUTING_POLICIES*", "IN_*", "FWD_*", "FWDI_*", "FWDO_*", "PRE_*", "POST_*"},
		Units: []string{"firewalld.service"}, Policies: []string{"INPUT", "FORWARD", "OUTPUT"}},
	{Name: "ufw",
		Chains: []string{"ufw-*", "ufw6-*"}, Sets: []string{"ufw-*"}, Units: []string{"ufw.service"}, Policies: []string{"INPUT", "FORWARD", "OUTPUT"}},
	{Name: "podman",
		Tables: []string{"inet netavark"}, Chains: []string{"NETAVARK*"}, Ifaces: []string{"podman*", "cni-podman*"}, Comments: []string{"netavark *"},
		Units: []string{"podman.service", "podman-restart.service", "netavark-firewalld-reload.service"}},
	{Name: "crowdsec",
		Tables: []string{"ip crowdsec", "ip6 crowdsec6", "inet crowdsec"}, Chains: []string{"CROWDSEC_CHAIN*", "CROWDSEC_LOG*"},
		Sets: []string{"crowdsec-*", "crowdsec6-*"}, Units: []string{"crowdsec-firewall-bouncer.service"}},
	{Name: "sshguard",
		Tables: []string{"ip sshguard", "ip6 sshguard", "inet sshguard"}, Chains: []string{"sshguard"}, Sets: []string{"sshguard*"},
		Units: []string{"sshguard.service"}},
	{Name: "tailscale",
		Chains: []string{"ts-*"}, Ifaces: []string{"tailscale*"}, Units: []string{"tailscaled.service"}},
}

// ManagerNames are all words that hosts.NAME.coexist may hold.
func ManagerNames() []string {
	var names []string
	for _, m := range managers {
		names = append(names, m.Name)
	}
	return append(names, ByHandIptables, ByHandNft)
}

// named says whether a name fits one of the patterns.
func named(name string, patterns []string) bool {
	return name != "" && slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, strings.ReplaceAll(name, "/", "_"))
		return ok && err == nil
	})
}
