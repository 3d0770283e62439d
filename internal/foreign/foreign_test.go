package foreign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// load reads a listing: of iptables-save, or of nft -j.
func load(t *testing.T, name string) Ruleset {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var rs Ruleset
	if strings.HasSuffix(name, ".json") {
		rs, err = ParseNft(string(text))
	} else {
		rs, err = ParseSave(string(text), IPv4, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// TestManagers says who is known by what, and that what does nothing is nobody's.
func TestManagers(t *testing.T) {
	for _, tt := range []struct {
		name string
		want map[string][]string
	}{
		{"empty.save", map[string][]string{}},
		{"docker.save", map[string][]string{"docker": {
			"iptables filter FORWARD: policy drop",
			"iptables filter FORWARD: -A FORWARD -j DOCKER-USER",
			"iptables filter FORWARD: -A FORWARD -j DOCKER-ISOLATION-STAGE-1",
			"iptables filter FORWARD: -A FORWARD -o shop -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
			"iptables filter FORWARD: -A FORWARD -o shop -j DOCKER",
			"iptables filter FORWARD: -A FORWARD -i shop ! -o shop -j ACCEPT",
			"iptables filter FORWARD: -A FORWARD -i shop -o shop -j ACCEPT",
			"iptables filter FORWARD: -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
			"iptables filter FORWARD: -A FORWARD -o docker0 -j DOCKER",
			"iptables filter FORWARD: -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
			"iptables filter FORWARD: -A FORWARD -i docker0 -o docker0 -j ACCEPT",
			"iptables filter DOCKER", "iptables filter DOCKER-ISOLATION-STAGE-1", "iptables filter DOCKER-ISOLATION-STAGE-2",
			"iptables filter DOCKER-USER",
			"iptables nat PREROUTING: -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
			"iptables nat OUTPUT: -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
			"iptables nat POSTROUTING: -A POSTROUTING -s 172.18.0.0/16 ! -o shop -j MASQUERADE",
			"iptables nat POSTROUTING: -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
			"iptables nat POSTROUTING: -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 90 -j MASQUERADE",
			"iptables nat POSTROUTING: -A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
			"iptables nat DOCKER",
		}}},
		{"mixed.save", map[string][]string{
			"fail2ban": {
				"iptables filter INPUT: -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd",
				"iptables filter INPUT: -A INPUT -m set --match-set f2b-nginx src -j REJECT --reject-with icmp-port-unreachable",
				"iptables filter f2b-sshd",
			},
			"kube-proxy": {
				"iptables filter INPUT: -A INPUT -j KUBE-FIREWALL",
				`iptables filter INPUT: -A INPUT -m comment --comment "cali:accept \"marked\"" -m mark --mark 0x10000/0x10000 -j ACCEPT`,
				"iptables filter KUBE-FIREWALL",
			},
			"ufw":     {"iptables filter INPUT: policy drop", "iptables filter INPUT: -A INPUT -j ufw-before-input", "iptables filter ufw-before-input", "iptables filter ufw-user-input"},
			"libvirt": {"iptables filter FORWARD: -A FORWARD -i virbr0 -j ACCEPT"},
			"iptables": {
				"iptables filter INPUT: -A INPUT -s 198.51.100.7/32 -p tcp -m tcp --dport 5432 -j ACCEPT",
				"iptables filter FORWARD: -A FORWARD -i br-lan -j ACCEPT",
			},
		}},
	} {
		got := map[string][]string{}
		for manager, items := range load(t, tt.name).By() {
			for _, i := range items {
				got[manager] = append(got[manager], i.String())
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s:\n%s", tt.name, d)
		}
	}
}

// TestOursIsLeftOut: what is of fwpush on the host is not foreign.
func TestOursIsLeftOut(t *testing.T) {
	nft, err := ParseNft(`{"nftables": [{"chain": {"family": "inet", "table": "fwpush", "name": "input", "type": "filter", "hook": "input", "prio": -10, "policy": "drop"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	save, err := ParseSave("*filter\n:INPUT ACCEPT [0:0]\n:FWPUSH-IN - [0:0]\n-A INPUT -j FWPUSH-IN\n-A FWPUSH-IN -j DROP\nCOMMIT\n", IPv4, false)
	if err != nil {
		t.Fatal(err)
	}
	if items := Join(nft, save).Without([]string{"inet fwpush"}, []string{"FWPUSH-*"}).Items(); len(items) > 0 {
		t.Errorf("foreign: %v", items)
	}
}

// TestJoin: of a table that nft and iptables-save told of, the words of iptables-save are kept.
func TestJoin(t *testing.T) {
	nft, err := ParseNft(`{"nftables": [{"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": [{"xt": null}]}},
		{"rule": {"family": "inet", "table": "f2b-table", "chain": "c", "expr": [{"drop": null}]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	rs := Join(nft, load(t, "mixed.save"))
	if len(rs.Tables) != 2 || rs.Tables[0].Engine != Iptables || rs.Tables[1].Name != "f2b-table" {
		t.Errorf("%v", rs.Tables)
	}
}

func TestPublished(t *testing.T) {
	got := load(t, "docker.save").Published()
	if len(got) != 1 || got[0].Manager != "docker" || got[0].To.String() != "172.17.0.2:80" || !got[0].Locally || got[0].Proto != 6 ||
		!cmp.Equal(got[0].Ports, []Range{{8080, 8080}}) {
		t.Errorf("%+v", got)
	}
}

// TestSaysWhatCannotBeRead: a listing that is not one is no empty one.
func TestSaysWhatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"-A INPUT -j DROP\n":                                 "line 1 of iptables-save: outside of a table",
		"*filter\n:INPUT ACCEPT [0:0]\nbash: no":             "line 3 of iptables-save: not a rule of a chain",
		"*filter\n:a - [0:0]\n-A a -m comment --comment \"b": "line 3 of iptables-save: a quote without its end",
	} {
		if _, err := ParseSave(text, IPv4, false); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseNft("nft: invalid option -- 'j'"); err == nil {
		t.Error("text that is no JSON was read")
	}
	if _, err := ParseSave(strings.Repeat("#", MaxText+1), IPv4, false); err != ErrTooLarge {
		t.Errorf("too large: %v", err)
	}
}

// TestBridgesInASet: a rule that hands on to Docker what leaves by one of a set of interfaces names none.
func TestBridgesInASet(t *testing.T) {
	rs, err := ParseNft(`{"nftables": [{"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [
		{"match": {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": "@bridges"}}, {"jump": {"target": "DOCKER"}}]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if items := rs.Items(); len(items) != 1 || items[0].Manager != "docker" {
		t.Errorf("%v", items)
	}
}

// TestBridgesOfOneHost: what one host's Docker calls its bridges says nothing of another host.
func TestBridgesOfOneHost(t *testing.T) {
	owner := func(rules string) string {
		rs, err := ParseSave("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:DOCKER - [0:0]\n"+rules+"COMMIT\n", IPv4, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range rs.Items() {
			if i.Chain.Name == "INPUT" {
				return i.Manager
			}
		}
		return ""
	}
	const byHand, hook = "-A INPUT -i lan0 -j DROP\n", "-A FORWARD -o lan0 -j DOCKER\n"
	if got := owner(hook + byHand); got != "docker" {
		t.Errorf("a rule about a bridge of Docker's is %s's", got)
	}
	if got := owner(byHand); got != ByHandIptables {
		t.Errorf("a rule about an interface of that name on another host is %s's", got)
	}
}
