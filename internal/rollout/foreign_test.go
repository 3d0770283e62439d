package rollout

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
)

// others are facts of a host with rules of others: of iptables where they begin with a star, or of nft.
func others(t *testing.T, f commit.Facts, text string) commit.Facts {
	t.Helper()
	var err error
	if strings.HasPrefix(text, "*") {
		f.Foreign.Ruleset, err = foreign.ParseSave(text, foreign.IPv4, false)
	} else {
		f.Foreign.Ruleset, err = foreign.ParseNft(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const (
	someDocker = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n" +
		"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\nCOMMIT\n"
	someBans = "*filter\n:INPUT ACCEPT [0:0]\n:f2b-x - [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j f2b-x\n-A f2b-x -j RETURN\nCOMMIT\n"
	byHand   = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p udp -j ACCEPT\nCOMMIT\n"
)

// TestStrangers: a host with other firewalls is changed once the file names them.
func TestStrangers(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	knows := func(words ...string) Target {
		k := web
		for _, w := range words {
			k.Host.Coexist = append(k.Host.Coexist, inventory.At[string]{V: w})
		}
		return k
	}
	exclusive := web
	exclusive.Host.Mode.V = "exclusive"
	gone, back := web, web
	gone.Candidate.Remove = true
	back.Past = &Past{}
	fresh := commit.Facts{Connection: cameIn}
	runs := commit.Facts{Connection: cameIn, Owner: &commit.Owner{Fleet: "lab", Host: "web1"}, Generation: 3, Unit: "ok", CanonKnown: true,
		Running: listing, Canon: listing, Rules: web.Candidate.Rules.Text, Boot: web.Candidate.Rules.Text}
	const docker = `the host has other firewalls that its coexist does not name: docker (iptables nat PREROUTING: -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER, iptables nat DOCKER); read what they do; to leave them as they are, add coexist = ["docker"] to the host or to [defaults]`
	for _, tt := range []struct {
		name   string
		target Target
		facts  commit.Facts
		act    commit.Act
		says   string
		note   bool
	}{
		{"docker", web, others(t, fresh, someDocker), commit.Refuse, docker, true},
		{"docker, named", knows("fail2ban", "docker"), others(t, fresh, someDocker), commit.Go, "", false},
		{"another one named", knows("docker"), others(t, fresh, someBans), commit.Refuse, `coexist = ["fail2ban"]`, true},
		{"by hand", web, others(t, fresh, byHand), commit.Refuse, `coexist = ["iptables"] to the host or to [defaults]; to have rules made by hand replaced, write mode = "exclusive"`, true},
		{"by hand, replaced", exclusive, others(t, fresh, byHand), commit.Go, "", false},
		{"a manager is not replaced", exclusive, others(t, fresh, someDocker), commit.Refuse, docker, true},
		{"nothing would change", web, others(t, runs, someBans), commit.Unchanged, "", true},
		{"removed", gone, others(t, runs, someBans), commit.Go, "", false},
		{"taken back", back, others(t, fresh, someBans), commit.Go, "", false},
		{"empty chains", web, others(t, fresh, "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"), commit.Go, "", false},
	} {
		v := tt.target.Judge(tt.facts, Risks{})
		if v.Act != tt.act {
			t.Errorf("%s: act %d, want %d: %v", tt.name, v.Act, tt.act, v.Err)
		}
		if tt.act == commit.Refuse && !strings.Contains(v.Err.Error()+"; "+v.Hint, tt.says) {
			t.Errorf("%s: it says\n%s; %s\nwhich lacks\n%s", tt.name, v.Err, v.Hint, tt.says)
		}
		r := Result{Result: commit.Result{Facts: &tt.facts}}
		r.learn(tt.target)
		if got := strings.Contains(strings.Join(r.Notes, "\n"), "does not name"); got != tt.note {
			t.Errorf("%s: notes %q", tt.name, r.Notes)
		}
		r.Err = v.Err
		if r.SayOnce(); tt.act == commit.Refuse && strings.Contains(strings.Join(r.Notes, "\n"), "does not name") {
			t.Errorf("%s: said twice: %q", tt.name, r.Notes)
		}
	}
}

// TestLockOutByOthers: rules of others that let nobody new in are found before anything is applied.
func TestLockOutByOthers(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	web.Host.Coexist = []inventory.At[string]{{V: "iptables"}, {V: "nftables"}}
	xt := web
	xt.Candidate.Rules = xtRules(netip.MustParseAddr("10.0.0.1"), 80)
	const filter = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"
	const table = `{"nftables": [{"chain": {"family": "inet", "table": "a", "name": "c", "type": "filter", "hook": %HOOK, "prio": 5, "policy": "drop"}},
		{"rule": {"family": "inet", "table": "a", "chain": "c", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}, {"accept": null}]}}]}`
	for _, tt := range []struct {
		name   string
		target Target
		rules  string
		says   string
	}{
		{"established only", web, filter + "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n",
			"would lock out: new connections from 10.0.0.1 to 22 are refused by rules that are not fwpush's, iptables filter INPUT: policy drop; let them in there as well, or take that firewall away, or try it under the timers with --accept-risk lose-ssh"},
		{"established only, of nft", web, strings.Replace(table, "%HOOK", `"input"`, 1), "inet a c: policy drop"},
		{"another source", web, filter + "-A INPUT -s 10.0.0.2/32 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n", "policy drop"},
		{"before the input chain", web, "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n", "iptables raw PREROUTING"},
		{"answers", web, strings.Replace(strings.Replace(table, "%HOOK", `"output"`, 1), "established", "related", 1), "answers to 10.0.0.1 are refused"},
		{"answers pass", web, strings.Replace(table, "%HOOK", `"output"`, 1), ""},
		{"this source", web, filter + "-A INPUT -s 10.0.0.0/30 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n", ""},
		{"not sure", web, filter + "-A INPUT -m recent --rcheck --name knocked -j ACCEPT\nCOMMIT\n", ""},
		{"behind ours in iptables", xt, filter + "COMMIT\n", ""},
	} {
		f := others(t, commit.Facts{Connection: cameIn, Iptables: "iptables v1.8.9 (nf_tables)"}, tt.rules)
		v := tt.target.Judge(f, Risks{})
		if tt.says == "" {
			if v.Act != commit.Go {
				t.Errorf("%s: %v", tt.name, v.Err)
			}
			continue
		}
		if v.Act != commit.Refuse || !strings.Contains(v.Err.Error()+"; "+v.Hint, tt.says) {
			t.Errorf("%s: act %d, %v; %s", tt.name, v.Act, v.Err, v.Hint)
		}
		if v := tt.target.Judge(f, Risks{LoseSSH: true}); v.Act != commit.Go {
			t.Errorf("%s, accepted: %v", tt.name, v.Err)
		}
	}
}

// TestLockOutOfOneself: a host that pushes to itself comes in by lo, which firewalls let in by name.
func TestLockOutOfOneself(t *testing.T) {
	web := target(t, policy("web1", netip.MustParseAddr("10.0.0.1"), 80))
	web.Host.Coexist = []inventory.At[string]{{V: "iptables"}}
	const ways = "*filter\n:INPUT DROP [0:0]\n:OUTPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A OUTPUT -o lo -j ACCEPT\nCOMMIT\n"
	for came, want := range map[string]commit.Act{"10.0.0.1 40000 10.0.0.1 22": commit.Go, "10.0.0.1 40000 10.0.0.2 22": commit.Refuse} {
		if v := web.Judge(others(t, commit.Facts{Connection: came}, ways), Risks{}); v.Act != want {
			t.Errorf("%s: act %d, want %d: %v", came, v.Act, want, v.Err)
		}
	}
}

// TestWhatOthersOverride: what is allowed and refused by others is told with the rule, what is not
// sure is not.
func TestWhatOthersOverride(t *testing.T) {
	p := policy("web1", netip.MustParseAddr("10.0.0.1"), 80, 443)
	office := netip.MustParseAddr("198.51.100.1")
	p.In = append(p.In, roles.Rule{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "udp", From: 53, To: 53}}},
		From: []roles.Peer{{Kind: roles.SetPeer, Name: "x", V4: []inventory.AddrRange{{From: office, To: office}, {From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.9")}}}}})
	web := target(t, p)
	for _, w := range []string{"docker", "iptables", "fail2ban"} {
		web.Host.Coexist = append(web.Host.Coexist, inventory.At[string]{V: w})
	}
	for _, tt := range []struct {
		name, rules string
		want        []string
	}{
		{"nothing", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", nil},
		{"a ban is of some", someBans, nil},
		{"a drop", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -p tcp -j DROP\nCOMMIT\n",
			[]string{"tcp/80, tcp/443 are allowed here and dropped by iptables filter INPUT: -A INPUT -p tcp -j DROP"}},
		{"of one source", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 198.51.100.0/24 -p udp -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n",
			[]string{"udp/53 from 198.51.100.1 is allowed here and rejected by iptables filter INPUT: -A INPUT -s 198.51.100.0/24 -p udp -j REJECT --reject-with icmp-port-unreachable"}},
		{"published", someDocker,
			[]string{"published past the rules of `in`: tcp/8080 to 172.17.0.2:80 by docker (iptables nat DOCKER: -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80); a list `published` rules on them"}},
	} {
		got := slices.DeleteFunc(notes(web, others(t, commit.Facts{}, tt.rules)), func(n string) bool { return n == "" })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%q\nwant\n%q", tt.name, got, tt.want)
		}
	}
	if got := strings.Join(notes(web, commit.Facts{Foreign: commit.Foreign{Unread: "too large to look into"}}), "; "); got != "whether rules of others override these could not be looked into: too large to look into" {
		t.Errorf("unread: %q", got)
	}
}

// TestCoexistKnowsAllManagers: the fleet file takes the names that hosts are found to have.
func TestCoexistKnowsAllManagers(t *testing.T) {
	for _, name := range foreign.ManagerNames() {
		_, problems := inventory.Parse("fleet.toml", []byte("version = 1\n[management]\nfrom = [\"10.0.0.1\"]\n[hosts.a]\naddresses = [\"10.0.0.2\"]\ncoexist = [\""+name+"\"]\n"))
		for _, p := range problems {
			if strings.Contains(p.Key, "coexist") {
				t.Errorf("%+v", p)
			}
		}
	}
}
