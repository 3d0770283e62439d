package foreign

import "testing"

// TestWalkSaysOnlyWhatNftSays has the rules of a base chain that drops a row; the packet is a new
// connection from 192.0.2.1 to tcp/22. What each row wants is what the kernel does, or Unsure.
func TestWalkSaysOnlyWhatNftSays(t *testing.T) {
	const accept = `, {"accept": null}]`
	for _, tt := range []struct {
		name, hook, prio, set string
		rules                 []string
		src                   string // of another packet
		does                  Does
	}{
		{name: "names of protocols in a set", set: `"type": "inet_proto", "elem": ["tcp", "gre"]`,
			rules: []string{`[{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "@s"}}` + accept}, does: Passes},
		{name: "a set with a type of an expression", set: `"type": {"typeof": {"meta": {"key": "l4proto"}}}, "elem": ["tcp"]`,
			rules: []string{`[{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "@s"}}` + accept}, does: Passes},
		{name: "a set of what nobody knows", set: `"type": "inet_proto", "elem": ["tcp", "no protocol"]`,
			rules: []string{`[{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "@s"}}` + accept}, does: Unsure},
		{name: "a set that has everything", set: `"type": "ipv4_addr", "flags": ["interval"], "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "*"]`,
			rules: []string{`[{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}}` + accept}, does: Unsure},
		{name: "a map with a verdict for the rest", rules: []string{`[{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [["*", {"accept": null}], [80, {"drop": null}]]}}}]`}, does: Passes},
		{name: "a map with another for it", rules: []string{`[{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [["*", {"drop": null}], [22, {"accept": null}]]}}}]`}, does: Passes},
		{name: "all bits of a state", rules: []string{`[{"match": {"op": "!=", "left": {"ct": {"key": "state"}}, "right": ["new", "related"]}}` + accept}, does: Unsure},
		{name: "all bits of a status", rules: []string{`[{"match": {"op": "!=", "left": {"ct": {"key": "status"}}, "right": "dnat"}}` + accept}, does: Unsure},
		{name: "a packet within the packet", rules: []string{`[{"match": {"op": "==", "left": {"payload": {"tunnel": "vxlan", "protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}}` + accept}, does: Unsure},
		{name: "a protocol behind a header", rules: []string{`[{"match": {"op": "==", "left": {"payload": {"protocol": "ah", "field": "nexthdr"}}, "right": "udp"}}` + accept}, does: Unsure},
		{name: "a value that the map may not have", rules: []string{`[{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@m"}}}}` + accept}, does: Unsure},
		{name: "an option that the packet may not have", rules: []string{`[{"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": 1000}}` + accept}, does: Unsure},
		{name: "a statement that nobody knows", rules: []string{`[{"synproxy": {"mss": 1460}}` + accept}, does: Unsure},
		{name: "a new port", hook: "prerouting", rules: []string{`[{"mangle": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "value": 2222}}]`,
			`[{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 2222}}` + accept}, does: Unsure},
		{name: "a counter and an accept", rules: []string{`[{"counter": {"packets": 0, "bytes": 0}}, {"last": {"used": 1}}` + accept}, does: Passes},
		{name: "not tracked", rules: []string{`[{"notrack": null}]`, `[{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}` + accept}, does: Unsure},
		{name: "not tracked yet", hook: "prerouting", prio: "-300", rules: []string{`[{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}` + accept}, does: Unsure},
		{name: "an interface that is not known yet", hook: "prerouting", rules: []string{`[{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "lo"}}` + accept}, does: Unsure},
		{name: "an error of IPv4", src: "2001:db8::1/128", rules: []string{`[{"reject": {"type": "icmp", "expr": "port-unreachable"}}]`, `[{"accept": null}]`}, does: Passes},
		{name: "an error of either", src: "2001:db8::1/128", rules: []string{`[{"reject": {"type": "icmpx", "expr": "port-unreachable"}}]`, `[{"accept": null}]`}, does: Refuses},
		{name: "an address of IPv4", hook: "prerouting", src: "2001:db8::1/128", rules: []string{`[{"dnat": {"family": "ip", "addr": "10.0.0.1"}}]`, `[{"accept": null}]`}, does: Passes},
		{name: "tracked by then", hook: "prerouting", prio: "-150", rules: []string{`[{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}` + accept}, does: Passes},
	} {
		if tt.hook == "" {
			tt.hook = "input"
		}
		if tt.src == "" {
			tt.src = "192.0.2.1/32"
		}
		if tt.prio == "" {
			tt.prio = "0"
		}
		text := `{"nftables": [{"chain": {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "` + tt.hook + `", "prio": ` + tt.prio + `, "policy": "drop"}}`
		if tt.set != "" {
			text += `, {"set": {"family": "inet", "table": "t", "name": "s", ` + tt.set + `}}`
		}
		for _, rule := range tt.rules {
			text += `, {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": ` + rule + `}}`
		}
		rs, err := ParseNft(text + "]}")
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := rs.Walk(tt.hook, from(tt.src, 6, 22)); got.Does != tt.does {
			t.Errorf("%s: %d by %s, want %d", tt.name, got.Does, got.By, tt.does)
		}
	}
}

// TestWalkOfWhatIsCutOff: rules that are missing may have let in what the policy drops, or refused it.
func TestWalkOfWhatIsCutOff(t *testing.T) {
	for _, policy := range []string{"ACCEPT", "DROP"} {
		rs, err := ParseSave("*filter\n:INPUT "+policy+" [0:0]\n-A INPUT -s 203.0.113.9/32 -j DROP\n", IPv4, true)
		if err == nil {
			t.Error("no error")
		}
		if items := rs.By()[ByHandIptables]; len(items) > 2 {
			t.Errorf("found what is not there: %v", items)
		}
		for src, want := range map[string]Does{"192.0.2.1/32": Unsure, "203.0.113.9/32": Refuses} {
			if got := rs.Walk("input", from(src, 6, 22)); got.Does != want {
				t.Errorf("policy %s, from %s: %d by %s, want %d", policy, src, got.Does, got.By, want)
			}
		}
	}
}
