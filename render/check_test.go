package render_test

import (
	"net/netip"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// TestNftablesRefuses what nft cannot say or nobody should load. Each is refused
// earlier as well; this is the last door.
func TestNftablesRefuses(t *testing.T) {
	rule := func(change func(*roles.Rule)) func(*roles.Policy) {
		return func(p *roles.Policy) {
			r := roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, Place: at(14)}
			change(&r)
			p.In = []roles.Rule{r}
		}
	}
	comment := func(c string) func(*roles.Policy) { return rule(func(r *roles.Rule) { r.Comment = c }) }
	from := func(p roles.Peer) func(*roles.Policy) { return rule(func(r *roles.Rule) { r.From = peers(p) }) }
	odd := func(from, to string) roles.Peer {
		return roles.Peer{Kind: roles.Literal, V4: []inventory.AddrRange{{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}}}
	}
	for name, c := range map[string]struct {
		change func(*roles.Policy)
		want   string
	}{
		"N10 quote in a comment":      {comment(`x" accept`), `fleet.toml:14:3: comment has '"' at character 2`},
		"N10 line feed in a comment":  {comment("é\nx"), `comment has '\n' at character 2`},
		"N10 escape in a comment":     {comment("\x1b[2J"), `comment has '\x1b' at character 1`},
		"N10 C1 control in a comment": {comment("\u009b2J"), `at character 1`},
		"N10 NUL in a comment":        {comment("a\x00"), `at character 2`},
		"N10 broken UTF-8":            {comment("a\xff"), "comment is not UTF-8"},
		"N10 129 bytes":               {comment(strings.Repeat("x", 129)), "comment is 129 bytes long, nft takes 128"},
		"N10 a rune over the edge":    {comment(strings.Repeat("x", 127) + "é"), "comment is 129 bytes long"},

		"no service":          {rule(func(r *roles.Rule) { r.Ports = nil }), "fleet.toml:14:3: a rule without a service"},
		"N13 port 0":          {rule(func(r *roles.Rule) { r.Ports = tcp(0) }), "0-0 is no range"},
		"N13 range backwards": {rule(func(r *roles.Rule) { r.Ports = portRange("tcp", 90, 80) }), "90-80 is no range"},
		"unknown protocol":    {rule(func(r *roles.Rule) { r.Ports = portRange("tpc", 80, 80) }), `protocol "tpc" has no ports`},
		"protocol as script":  {rule(func(r *roles.Rule) { r.Ports = portRange("tcp dport 1 accept\n", 80, 80) }), "has no ports"},

		"lifeline to port 0":           {func(p *roles.Policy) { p.Outbound, p.Lifelines = inventory.Drop, udp(0) }, "lifelines: 0-0 is no range"},
		"range of addresses backwards": {from(odd("10.0.0.2", "10.0.0.1")), "no range of its family"},
		"IPv6 among IPv4":              {from(odd("2001:db8::1", "2001:db8::1")), "no range of its family"},
		"families mixed":               {from(odd("10.0.0.1", "2001:db8::1")), "no range of its family"},
		"zone":                         {from(roles.Peer{Kind: roles.Literal, V6: odd("fe80::1%eth0", "fe80::1%eth0").V4}), "no range of its family"},
		"no address at all":            {from(roles.Peer{Kind: roles.Literal, V4: make([]inventory.AddrRange, 1)}), "no range of its family"},
		"peer without a name":          {from(roles.Peer{Kind: roles.SetPeer}), "a set without a name"},
		"peer of no kind":              {from(roles.Peer{Name: "x"}), "unknown kind of peer"},
		"one name, two meanings": {func(p *roles.Policy) {
			p.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, From: peers(peer(roles.SetPeer, "x", "10.0.0.1"))}}
			p.Out = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(80)}, To: peers(peer(roles.SetPeer, "x", "10.0.0.2"))}}
		}, "set:x stands for different addresses"},

		"nobody may manage":  {func(p *roles.Policy) { p.Management.Peers = nil }, "no address may reach sshd"},
		"empty peers manage": {func(p *roles.Policy) { p.Management.Peers = peers(peer(roles.SetPeer, "x")) }, "no address may reach sshd"},
		"no port of sshd":    {func(p *roles.Policy) { p.Management.Ports = nil }, "no port of sshd"},
		"sshd at port 0":     {func(p *roles.Policy) { p.Management.Ports = []uint16{22, 0} }, "no port of sshd"},
		"inbound accept":     {func(p *roles.Policy) { p.Inbound = inventory.Accept }, `inbound is "accept"`},
		"no outbound":        {func(p *roles.Policy) { p.Outbound = "" }, `outbound is ""`},
		"log prefix":         {func(p *roles.Policy) { p.Log.Prefix = `x"` }, "log prefix has"},
		"log variable":       {func(p *roles.Policy) { p.Log.Prefix = "a$b" }, "log prefix has $"},
		"long log prefix":    {func(p *roles.Policy) { p.Log.Prefix = strings.Repeat("x", 30) }, "log prefix is 30 bytes long, nft takes 29"},
	} {
		t.Run(name, func(t *testing.T) {
			rs, err := render.Nftables(base(c.change))
			if err == nil {
				t.Fatalf("rendered:\n%s", rs.Text)
			}
			if rs.Text != "" {
				t.Error("a text beside the error")
			}
			if !strings.HasPrefix(err.Error(), "web1: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestDefaultLogPrefixesFit(t *testing.T) {
	for _, in := range []inventory.Verdict{inventory.Drop, inventory.Reject} {
		rs := mustRender(t, base(func(p *roles.Policy) { p.Inbound, p.Outbound = in, in }))
		for l := range strings.Lines(rs.Text) {
			if _, prefix, ok := strings.Cut(l, "log prefix "); ok && len(strings.Trim(prefix, "\"\n")) > 29 {
				t.Errorf("longer than iptables takes: %s", l)
			}
		}
	}
}

// TestNamesFallTogether: nft makes one set of two of a name, so that a block of raw
// text could add to who manages the host.
func TestNamesFallTogether(t *testing.T) {
	p := concepts["web"]
	p.Raw = []roles.Raw{{At: "table", Nft: []string{"set s_mgmt4 {", "type ipv4_addr", "flags interval", "elements = { 203.0.113.0/24 }", "}"}}}
	if _, err := render.Nftables(p); err == nil || !strings.Contains(err.Error(), `there would be two of "set s_mgmt4"`) {
		t.Errorf("got %v", err)
	}
}

// Raw text may match a set of which no rule speaks any more, because a limit counts its
// peers as one.
func TestRawMatchesASet(t *testing.T) {
	p := concepts["limits-overlap"]
	p.Raw = []roles.Raw{{Chain: "input", At: "before-allow", Nft: []string{"ip saddr @s_ops4 tcp dport 99 accept"}}}
	rs := mustRender(t, p)
	if !strings.Contains(rs.Text, "\tset s_ops4 {\n") || strings.Contains(rs.Text, "\tset s_ops6 {\n") {
		t.Errorf("s_ops4 is to be declared, and s_ops6 is not, in\n%s", rs.Text)
	}
}
