package commit

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/render"
)

// xtRules is what rules is, for iptables: SSH from the controller unless locked, and
// the ports, the same in both families. With a set, its element is in it.
func xtRules(locked bool, set string, ports ...int) render.Ruleset {
	var b strings.Builder
	b.WriteString("# fwpush iptables\n")
	if set != "" {
		fmt.Fprintf(&b, "#: ipset\ncreate fwp4-%s hash:net family inet\nadd fwp4-%s 198.51.100.0/24\nadd fwp4-%s 203.0.113.9\n", set, set, set)
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		fmt.Fprintf(&b, "#: %s filter\n*filter\n:FWPUSH-IN - [0:0]\n", family)
		if family == "iptables" {
			fmt.Fprintf(&b, ":FWPUSH-REV-%012x - [0:0]\n", len(ports))
			if !locked {
				fmt.Fprintf(&b, "-A FWPUSH-IN -s %s/32 -p tcp -m multiport --dports 22,2222 -j ACCEPT\n", world.Addr4())
			}
			if set != "" {
				fmt.Fprintf(&b, "-A FWPUSH-IN -m set --match-set fwp4-%s src -p tcp -m tcp --dport 25 -j ACCEPT\n", set)
			}
		}
		b.WriteString("-A FWPUSH-IN -i lo -j ACCEPT\n-A FWPUSH-IN -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n")
		for _, p := range ports {
			fmt.Fprintf(&b, "-A FWPUSH-IN -p tcp -m tcp --dport %d -j ACCEPT\n", p)
		}
		b.WriteString("-A FWPUSH-IN -j DROP\nCOMMIT\n")
	}
	return ruleset(b.String())
}

// xtables is everything that iptables and ip6tables have loaded, and the sets,
// without counters: also what is not ours. A table that filters nothing is left out.
func (h *host) xtables() string {
	return h.sh(`{ iptables-save; echo '# v6'; ip6tables-save; } 2>/dev/null | sed -e '/^# [^v]/d' -e 's/ \[[0-9]*:[0-9]*\]$//' |
awk '/^# v6/ { print; next } { t = t $0 "\n" } !/^(\*[a-z]+|:[A-Z]+ ACCEPT|COMMIT)$/ { some = 1 } /^COMMIT/ { if (some) printf "%s", t; t = ""; some = 0 }'
ipset save 2>/dev/null | sed 's/ \(bucketsize\|initval\) [^ ]*//g' | sort`)
}

// foreign is xtables without what is ours.
func (h *host) foreign() string {
	var out []string
	for line := range strings.SplitSeq(h.xtables(), "\n") {
		if !strings.HasPrefix(line, ":FWPUSH-") && !strings.HasPrefix(line, "-A FWPUSH-") &&
			!strings.HasSuffix(line, " -j FWPUSH-IN") && !strings.Contains(line, "fwp4-") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// variants makes a host of each release and variant of iptables, and runs a test
// there. The cheap one, on the machine's own files, is there for both variants.
func variants(t *testing.T, releases []string, test func(*testing.T, *host)) {
	for _, release := range append([]string{""}, releases...) {
		for _, variant := range []string{"nft", "legacy"} {
			name := strings.TrimPrefix(release+" "+variant, " ")
			t.Run(name, func(t *testing.T) {
				working(t)
				test(t, releaseHost(t, release, variant, lab.HostOptions{}))
			})
		}
	}
}

// releaseHost is a host of a release, "" being the machine's own files.
func releaseHost(t *testing.T, release, variant string, o lab.HostOptions) *host {
	t.Helper()
	if release != "" {
		root, err := world.Root(t.Context(), release)
		if err != nil {
			t.Fatal(err)
		}
		o.Root = root
	}
	h := newHost(t, o)
	h.variant(variant)
	return h
}

// variant chooses the host's iptables.
func (h *host) variant(name string) {
	h.t.Helper()
	h.sh(`for p in iptables ip6tables; do for f in "" -save -restore; do ln -sf $(command -v $p-` + name + `$f) $(command -v $p$f); done; done`)
}

// noNFT takes the program nft from a host, as one has it that never got nftables.
func (h *host) noNFT() {
	h.t.Helper()
	h.sh("mv /usr/sbin/nft /usr/sbin/nft.off")
}

// knocks says whether the host answers on a TCP port at all: a closed port with a
// reset, a filtered one with nothing.
func (h *host) knocks(port int) bool {
	h.t.Helper()
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(h.Addr4(), uint16(port)).String(), 700*time.Millisecond)
	if err == nil {
		conn.Close()
		return true
	}
	return strings.Contains(err.Error(), "refused")
}
