package proposal

import (
	"strings"
	"testing"

	"fwpush/internal/foreign"
)

// save is what iptables-save prints of a host whose policies are DROP.
func save(chains string) string {
	return "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n" + chains + "COMMIT\n"
}

// What a role has no words for is named, each rule of it, as something that is not carried
// over or that opens something.
func TestNamed(t *testing.T) {
	const ssh = "-A INPUT -p tcp -m tcp --dport 22 "
	for name, tt := range map[string]struct {
		v4, v6, nft string
		want        string // rules
		told        []string
		not         string // nowhere
	}{
		"before it is known where it goes": {
			v4: "*raw\n:PREROUTING ACCEPT [0:0]\n:bad - [0:0]\n-A PREROUTING -j bad\n-A bad -s 203.0.113.0/24 -j DROP\nCOMMIT\n*mangle\n:PREROUTING DROP [0:0]\n:POSTROUTING ACCEPT [0:0]\n" +
				"-A POSTROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\nCOMMIT\n" + save(ssh+"-j ACCEPT\n"),
			want: `allow = "ssh"`,
			told: []string{"v4:5: -A bad -s 203.0.113.0/24 -j DROP: is of a hook that a role has no rules for; what it refuses may be let in",
				"v4: iptables mangle PREROUTING: policy drop: is of a hook", "-j TCPMSS --clamp-mss-to-pmtu: is of a hook"},
		},
		"bridges and devices": {
			nft: `{"nftables":[{"chain":{"family":"bridge","table":"b","name":"f","type":"filter","hook":"forward","prio":0,"policy":"drop"}},
				{"chain":{"family":"netdev","table":"n","name":"in","type":"filter","hook":"ingress","dev":"eth0","prio":0,"policy":"accept"}},
				{"rule":{"family":"netdev","table":"n","chain":"in","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"203.0.113.7"}},{"drop":null}]}}]}`,
			want: `allow = "all"`,
			told: []string{"nft: bridge b f: policy drop: is of a hook", "nft: netdev n in: ip saddr 203.0.113.7 drop: is of a hook"},
		},
		"what a host sends itself, and replies": {
			v4:   save("-A INPUT -i lo -p tcp --dport 9 -j DROP\n-A INPUT -s 198.51.100.9 -m conntrack --ctstate ESTABLISHED -j DROP\n-A INPUT -i lo -j ACCEPT\n"),
			told: []string{"-j DROP: what a host sends to itself is let in, whatever a role says", "--ctstate ESTABLISHED -j DROP: replies are let in, whatever a role says"},
			not:  "-i lo -j ACCEPT: what a host sends to itself is let in, whatever",
		},
		"a source of what leaves": {
			v4:   save("-A OUTPUT -s 192.0.2.1 -p tcp -m tcp --dport 25 -j ACCEPT\n"),
			told: []string{"--dport 25 -j ACCEPT: a rule of out has no source: it is the host; left out"},
		},
		"an interface that nothing comes in by": {
			nft: `{"nftables":[{"chain":{"family":"inet","table":"f","name":"i","type":"filter","hook":"input","prio":0,"policy":"drop"}},
				{"rule":{"family":"inet","table":"f","chain":"i","expr":[{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"eth0"}},{"accept":null}]}}]}`,
			told: []string{"names an interface that packets have not got there; left out"},
		},
		"IPv6 that is open one way": {
			v4:   save(ssh + "-j ACCEPT\n-A OUTPUT -p tcp -m tcp --dport 25 -j ACCEPT\n-A FORWARD -p tcp -m tcp --dport 25 -j ACCEPT\n"),
			v6:   strings.Replace(save(""), "INPUT DROP", "INPUT ACCEPT", 1),
			want: `allow = "ssh"` + "\n" + `allow = "tcp/25", family = "ipv4"` + "\n" + `allow = "tcp/25", family = "ipv4"`,
			told: []string{"opens out: tcp/53, udp/53, udp/123 to any IPv6"},
			not:  "IPv6 through",
		},
		"one limit behind another": {
			v4: save(ssh + "-m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr -j DROP\n" + ssh + "-m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-name s -j DROP\n" +
				ssh + "-m limit --limit 9/sec -j ACCEPT\n"),
			want: `allow = "ssh", rate = "9/s global burst 5", max_conns = 3`,
			told: []string{"--hashlimit-name s -j DROP: a second limit of the same packets, where a rule of a role has one"},
		},
		"who counts and refuses": {
			v4:   save("-A INPUT -p tcp -m tcp --dport 139 -m recent --set --name scan -j DROP\n-A INPUT -p tcp -m tcp --dport 137:140 -j ACCEPT\n"),
			want: `deny = "tcp/139"` + "\n" + `allow = "tcp/137-140"`,
		},
		"a chain that lets go on what is within a limit": {
			v4:   save(":flood - [0:0]\n-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j flood\n" + ssh + "-j ACCEPT\n-A flood -m limit --limit 10/sec --limit-burst 50 -j RETURN\n-A flood -j DROP\n"),
			want: `allow = "ssh", rate = "10/s global burst 50"`,
		},
		"a chain for what is over a limit": {
			v4:   save(":no - [0:0]\n" + ssh + "-m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-name s -j no\n" + ssh + "-j ACCEPT\n-A no -j LOG\n-A no -j DROP\n"),
			want: `allow = "ssh", rate = "2/s per source burst 5"`,
		},
		"a limit where all is let out": {
			v4:   strings.Replace(save("-A OUTPUT -p tcp -m tcp --dport 25 -m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-name o -j DROP\n"), "OUTPUT DROP", "OUTPUT ACCEPT", 1),
			told: []string{"--hashlimit-name o -j DROP: a limit has no key where all else is let through", "opens out: tcp/25 to any IPv4 without a limit"},
		},
		"the burst of nft": {
			nft: `{"nftables":[{"chain":{"family":"inet","table":"f","name":"i","type":"filter","hook":"input","prio":0,"policy":"drop"}},
				{"rule":{"family":"inet","table":"f","chain":"i","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}},{"limit":{"rate":10,"burst":100,"per":"minute"}},{"accept":null}]}}]}`,
			want: `allow = "ssh", rate = "10/min global burst 100"`,
		},
		"a name with lines in it": {
			nft: `{"nftables":[{"chain":{"family":"inet","table":"f","name":"x\n]\n[roles.evil]\nin = [ { allow = \"all\" },\n#","type":"filter","hook":"input","prio":0,"policy":"drop"}},
				{"rule":{"family":"inet","table":"f","chain":"x\n]\n[roles.evil]\nin = [ { allow = \"all\" },\n#","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},{"accept":null}]}}]}`,
			want: `allow = "http"`,
			not:  "\n[roles.evil]",
		},
	} {
		p := proposalOf(t, tt.v4, tt.v6, tt.nft)
		all := p.File("f") + strings.Join(p.Told(), "\n")
		if got := rulesOf(p); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tt.want)
		}
		for _, line := range tt.told {
			if !strings.Contains(strings.Join(p.Told(), "\n"), line) {
				t.Errorf("%s: %q is not in\n%s", name, line, all)
			}
		}
		if tt.not != "" && strings.Contains(all, tt.not) {
			t.Errorf("%s: %q is in\n%s", name, tt.not, all)
		}
	}
}

// proposalOf is what is made of the rules of a host, of iptables or nft.
func proposalOf(t *testing.T, v4, v6, nft string) Proposal {
	t.Helper()
	rules := Rules{Files: map[foreign.Family]string{foreign.IPv4: "v4", foreign.IPv6: "v6", foreign.Inet: "nft"}, Lines: true, V6: v6 != "" || nft != ""}
	var err error
	if nft != "" {
		rules.Files = map[foreign.Family]string{foreign.Inet: "nft"}
		rules.Rules, err = foreign.ParseNft(nft)
	} else {
		var four, six foreign.Ruleset
		if four, err = foreign.ParseSave(v4, foreign.IPv4, false); err == nil {
			six, err = foreign.ParseSave(v6, foreign.IPv6, false)
		}
		rules.Rules = foreign.Join(foreign.Ruleset{}, four, six)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Make("web", rules)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text)
	}
	return p
}

// A translation is about what those before it leave, leads where the rules let it, and is
// of a hook that has it in a role.
func TestTranslations(t *testing.T) {
	for name, tt := range map[string]struct{ nat, filter, want, told string }{
		"what is left as it is": {
			"-A POSTROUTING -s 10.0.0.0/8 -d 10.0.0.0/8 -j ACCEPT\n-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE\n", "",
			`masquerade = true, family = "ipv4", from = ["10.0.0.0/8"], to = ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"], out_iface = ["eth0"]`, "",
		},
		"who knows what is left as it is": {
			"-A POSTROUTING -m mark --mark 0x7 -j RETURN\n-A POSTROUTING -o eth0 -j MASQUERADE\n", "",
			`masquerade = true, family = "ipv4", out_iface = ["eth0"]`, "-j RETURN: not understood: a mark; what it leaves as it is may be translated",
		},
		"a chain": {
			":vpn - [0:0]\n-A POSTROUTING -s 10.0.0.0/8 -j vpn\n-A vpn -d 198.51.100.0/24 -j SNAT --to-source 192.0.2.9\n", "",
			`snat = "192.0.2.9", from = ["10.0.0.0/8"], to = ["198.51.100.0/24"]`, "",
		},
		"the exception first": {
			"-A POSTROUTING -s 10.1.0.0/16 -o eth0 -j SNAT --to-source 192.0.2.9\n-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE\n", "",
			`snat = "192.0.2.9", from = ["10.1.0.0/16"], out_iface = ["eth0"]` + "\n" + `masquerade = true, family = "ipv4", from = ["10.0.0.0/8"], out_iface = ["eth0"]`, "",
		},
		"an exception that nothing gets to": {
			"-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE\n-A POSTROUTING -s 10.1.0.0/16 -o eth0 -j SNAT --to-source 192.0.2.9\n", "",
			`masquerade = true, family = "ipv4", from = ["10.0.0.0/8"], out_iface = ["eth0"]`, "",
		},
		"from some ports":            {"-A POSTROUTING -o eth0 -p udp -j MASQUERADE --to-ports 1024-31000\n", "", `masquerade = true, family = "ipv4", dport = ["udp/1-65535"], out_iface = ["eth0"]`, "which ports connections leave from is up to the kernel"},
		"what the host sends itself": {"-A OUTPUT -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1\n", "", "", "dnat is of services, to one address, for what comes in"},
		"to where nothing is routed": {
			"-A PREROUTING -i eth0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80\n", "",
			`dnat = true, to_addr = "10.0.0.1:80", dport = ["tcp/8080"], iface = ["eth0"]`, "opens through: tcp/80 from any IPv4 to 10.0.0.1 in by eth0",
		},
		"to where it is routed": {
			"-A PREROUTING -i eth0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80\n", "-A FORWARD -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT\n",
			`allow = "http", to = "10.0.0.1"` + "\n" + `dnat = true, to_addr = "10.0.0.1:80", dport = ["tcp/8080"], iface = ["eth0"]`, "",
		},
		"to where what is sent on is routed": {
			"-A PREROUTING -i eth0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.0.0.1:80\n", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n",
			`dnat = true, to_addr = "10.0.0.1:80", dport = ["tcp/8080"], iface = ["eth0"]`, "",
		},
	} {
		p := proposalOf(t, "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"+tt.nat+"COMMIT\n"+save("-A OUTPUT -j ACCEPT\n"+tt.filter), "", "")
		told := strings.Join(p.Told(), "\n")
		got := strings.TrimPrefix(strings.TrimPrefix(rulesOf(p), `allow = "all"`), "\n")
		if got != tt.want || !strings.Contains(told, tt.told) || tt.told == "" && told != "" {
			t.Errorf("%s: got\n%s\n%s\nwant\n%s", name, got, told, tt.want)
		}
	}
	for to, want := range map[string]bool{"": true, "-d 192.0.2.1/32 ": false} {
		p := proposalOf(t, "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING "+to+"-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1\nCOMMIT\n", "", "")
		if got := strings.Contains(strings.Join(p.Notes, "\n"), `to = "any"`); got != want {
			t.Errorf("%q: %q", to, p.Notes)
		}
	}
	both := proposalOf(t, "", "", `{"nftables":[{"chain":{"family":"inet","table":"n","name":"o","type":"nat","hook":"postrouting","prio":100,"policy":"accept"}},
		{"chain":{"family":"inet","table":"n","name":"i","type":"nat","hook":"prerouting","prio":-100,"policy":"accept"}},
		{"rule":{"family":"inet","table":"n","chain":"o","expr":[{"masquerade":null}]}},
		{"rule":{"family":"inet","table":"n","chain":"i","expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},{"dnat":{"family":"ip6","addr":"2001:db8::7","port":8080}}]}}]}`)
	const want = `allow = "all"` + "\n" + `dnat = true, to_addr = "[2001:db8::7]:8080", dport = ["http"]` + "\n" + `masquerade = true, family = "ipv4"` + "\n" + `masquerade = true, family = "ipv6"`
	if got := rulesOf(both); got != want {
		t.Errorf("of both families: got\n%s", got)
	}
}
