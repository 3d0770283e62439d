package commit

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/foreign"
	"fwpush/internal/lab"
)

func TestReadForeign(t *testing.T) {
	const chains = "table inet fwpush {\n\tchain input {\n\t\ttype filter hook input priority filter - 10; policy drop;\n\t}\n}\n" +
		"table inet other {\n\tchain c {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n"
	for _, tt := range []struct {
		name, section, chains, xtError string
		managers, unread               string
	}{
		{name: "nothing"},
		{name: "ours alone", chains: strings.Split(chains, "table inet other")[0]},
		{name: "told by nft", chains: chains, section: "#: nft\n{\"nftables\": [\n{\"chain\": \n{\"family\": \"inet\", \"table\": \"other\", \"name\": \"c\", \"type\": \"filter\", \"hook\": \"input\", \"prio\": 0, \"policy\": \"accept\"}}]}\n"},
		{name: "nft without -j", chains: chains, section: "#: nft\n#: silent\n", managers: "nftables", unread: "nft -j cannot list it"},
		{name: "nft cut short", chains: chains, section: "#: nft\n{\"nftables\": [\n", managers: "nftables", unread: "the listing of nft -j: unexpected end of JSON input"},
		{name: "too large", chains: chains, section: "#: iptables nft\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n#: large\n", managers: "iptables nftables", unread: "too large to look into"},
		{name: "iptables in an error", xtError: "iptables-save: no", unread: "iptables cannot list its rules"},
		{name: "iptables, whatever it said", section: "#: iptables nft\nmodprobe: FATAL", unread: `line 1 of iptables-save: outside of a table: "modprobe: FATAL"`},
		{name: "two variants", section: "#: iptables nft\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n#: iptables legacy\n*filter\n:INPUT ACCEPT [0:0]\n:DOCKER - [0:0]\nCOMMIT\n", managers: "docker"},
	} {
		f := readForeign(tt.section, tt.chains, tt.xtError)
		if got := strings.Join(slices.Sorted(maps.Keys(f.By())), " "); got != tt.managers || f.Unread != tt.unread {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, got, f.Unread, tt.managers, tt.unread)
		}
	}
}

// TestForeignOfAHost asks real programs: an untouched host tells nothing, and each engine is found
// by whatever backend ours are.
func TestForeignOfAHost(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	tell := func() Facts {
		t.Helper()
		f, r := Inspect(t.Context(), h.dial(), "nftables", ModeSame, "")
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if f.Foreign.Unread != "" {
			t.Errorf("not looked into: %s", f.Foreign.Unread)
		}
		return f
	}
	if f := tell(); f.listings != "" {
		t.Errorf("an untouched host tells of\n%s", f.listings)
	}
	h.sh("iptables-nft -L -n; ip6tables-nft -t nat -L -n; nft add table inet empty; nft 'add chain inet empty c { type filter hook input priority 0; policy accept; }'")
	if got := tell().Foreign.Items(); len(got) > 0 {
		t.Errorf("tables without rules are %v", got)
	}
	h.sh(`set -e
iptables-nft -N f2b-sshd
iptables-nft -A INPUT -p tcp --dport 22 -j f2b-sshd
ip6tables-nft -A INPUT -p tcp --dport 23 -j DROP
iptables-legacy -t nat -N DOCKER
nft -f - <<'END'
table inet mine {
	set blocked {
		type ipv4_addr
		elements = { 192.0.2.66 }
	}
	chain in {
		type filter hook input priority 5; policy accept;
		ip saddr @blocked counter drop comment "a { b: c"
	}
}
END`)
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, i := range tell().Foreign.Items() {
			got = append(got, i.Manager+" "+i.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	all := []string{
		"fail2ban iptables filter INPUT: -A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd",
		"fail2ban iptables filter f2b-sshd",
		"iptables ip6tables filter INPUT: -A INPUT -p tcp -m tcp --dport 23 -j DROP",
		"docker iptables-legacy nat DOCKER",
		`nftables inet mine in: ip saddr @blocked counter drop comment "a { b: c"`,
	}
	check(all...)
	h.mustApply(h.candidate(rules(false, 80), time.Minute))
	check(all...)
	p := foreign.Packets{State: "new", Local: true, Proto: 6}
	p.Src = foreign.One(netip.MustParseAddr("192.0.2.66"))
	if fate := tell().Foreign.Walk("input", p); fate.Does != foreign.Refuses || fate.By.Table.Name != "mine" {
		t.Errorf("a blocked address: %d by %s", fate.Does, fate.By)
	}
}

// TestForeignUnderNamesOfIptables: a table that nft filled and that has the name and the chains of one of
// iptables is told of all the same, where iptables has no words for its rules and where there is none.
func TestForeignUnderNamesOfIptables(t *testing.T) {
	working(t)
	h := newHost(t, lab.HostOptions{})
	h.sh(`nft -f - <<'END'
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		ip saddr 10.0.0.0/8 accept
		ip saddr { 192.0.2.66, 192.0.2.70 } tcp dport { 22, 80 } accept
	}
}
END`)
	for _, without := range []string{"", "rm -f /usr/sbin/iptables* /usr/sbin/ip6tables* /usr/sbin/xtables*"} {
		h.sh(without)
		f, r := Inspect(t.Context(), h.dial(), "nftables", ModeSame, "")
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		for src, want := range map[string]foreign.Does{"192.0.2.66": foreign.Passes, "192.0.2.67": foreign.Refuses} {
			p := foreign.Packets{State: "new", Local: true, Proto: 6, DstPort: foreign.Range{Lo: 22, Hi: 22}, Src: foreign.One(netip.MustParseAddr(src))}
			if fate := f.Foreign.Walk("input", p); fate.Does != want {
				t.Errorf("%q, from %s: %d by %s, want %d (%s)", without, src, fate.Does, fate.By, want, f.Foreign.Unread)
			}
		}
	}
}
