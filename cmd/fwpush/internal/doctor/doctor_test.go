package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// seen is a host as it was found, to be made worse.
type seen struct {
	target rollout.Target
	facts  commit.Facts
	health commit.Health
	result rollout.Result
}

// healthy is one with which nothing is wrong.
func healthy() *seen {
	s := &seen{
		facts: commit.Facts{Protocol: 1, Systemd: true, NFT: "nftables v1.0.6 (Lester Gooch #5)", Unit: "absent", Probe: "ok",
			Connection: "192.0.2.1 40000 192.0.2.10 22", Tools: []string{"nft"}, Tracked: 3, Trackable: 1000},
		health: commit.Health{HasIP: true, HasSS: true, IPv6: true, Init: "systemd", Ifaces: []string{"lo", "eth0"},
			Addresses: "2: eth0    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever\n",
			Listen:    "LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=3,fd=3))\nLISTEN 0 128 [::]:22 [::]:* users:((\"sshd\",pid=3,fd=4))\n",
			SSHD:      map[string]string{"maxstartups": "10:30:100"}, Candidate: &commit.Check{State: "ok"},
			Timers: []commit.Trial{{Kind: "at", Proved: true, Took: 30 * time.Millisecond}, {Kind: "systemd", Proved: true}, {Kind: "watchdog", Proved: true}},
			Space:  []commit.Space{{Path: "/run", Known: true, Bytes: 1 << 30}, {Path: "/var/lib", Known: true, Bytes: 1 << 30}}},
		result: rollout.Result{Name: "web1"},
	}
	from := netip.MustParseAddr("192.0.2.1")
	s.target = rollout.Target{
		Host: inventory.Host{Name: "web1", Addresses: []inventory.Net{{Addresses: []inventory.At[netip.Addr]{{V: netip.MustParseAddr("192.0.2.10")}}}}},
		Policy: roles.Policy{Host: "web1", Management: roles.Management{Ports: []uint16{22},
			Peers: []roles.Peer{{Kind: roles.Literal, V4: []inventory.AddrRange{{From: from, To: from}}}}}},
		Candidate: commit.Candidate{Rules: render.Ruleset{Text: "add table inet fwpush\n"}, Stamp: commit.Stamp{Fleet: "lab", Host: "web1"}},
	}
	return s
}

// findings are "state id: text; remedy (detail)" of what is not well.
func (s *seen) findings() []string {
	r := s.result
	if r.Outcome == "" {
		r.Facts, r.Health = &s.facts, &s.health
	}
	var list []string
	for _, c := range Of(s.target, r).Checks {
		if c.State != OK {
			list = append(list, fmt.Sprintf("%s %s: %s; %s (%s)", c.State, c.ID, c.Text, c.Remedy, c.Detail))
		}
	}
	return list
}

func TestFindings(t *testing.T) {
	confirmed := func(s *seen) {
		s.facts.Generation, s.facts.Unit, s.facts.Owner = 3, "ok", &commit.Owner{Protocol: 1, Fleet: "lab", Host: "web1"}
		s.facts.Rules, s.facts.Boot, s.facts.Running, s.facts.Canon, s.facts.CanonKnown = "x", "x", "y", "y", true
	}
	at := func(s *seen, why string) { s.health.Timers[0] = commit.Trial{Kind: "at", Why: why} }
	theirs := commit.Foreign{Ruleset: foreign.ParseChains("table inet f2b-table {\n\tchain x {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n")}
	for _, tc := range []struct {
		name string
		harm func(s *seen)
		want []string // how each finding begins
	}{
		{"healthy", func(*seen) {}, nil},
		{"confirmed and healthy", confirmed, nil},
		{"unit disabled", func(s *seen) { confirmed(s); s.facts.Unit = "disabled" }, []string{"warn boot: the boot unit is disabled"}},
		{"unit gone", func(s *seen) { confirmed(s); s.facts.Unit = "absent" }, []string{"warn boot: the boot unit is gone"}},
		{"unit edited", func(s *seen) { confirmed(s); s.facts.Unit = "differs" }, []string{"warn boot: the boot unit is another one"}},
		{"boot file edited", func(s *seen) { confirmed(s); s.facts.Boot = "z" }, []string{"warn boot: a boot would load other rules"}},
		{"fell back", func(s *seen) { confirmed(s); s.facts.FellBack = true }, []string{"warn boot: the confirmed rules did not load at the last boot"}},
		{"no systemd", func(s *seen) { s.facts.Unit, s.facts.Systemd, s.health.Init = "none", false, "sh" }, []string{"warn boot: has neither systemd nor OpenRC: confirmed rules are gone after a reboot; have it run before the network: nft -f /var/lib/fwpush/boot.nft || nft -f /var/lib/fwpush/boot.prev (sh)"}},
		{"a service that flushes", func(s *seen) { s.health.Loaders = []string{"nftables", "ferm"} }, []string{"warn boot: ferm may empty the rules"}},
		{"what OpenRC loads before", func(s *seen) {
			s.facts.OpenRC, s.facts.Systemd, s.health.Loaders = true, false, []string{"nftables", "iptables"}
		}, nil},
		{"drift unknown", func(s *seen) { confirmed(s); s.facts.CanonKnown = false }, []string{"unknown drift: "}},
		{"other fleet", func(s *seen) { confirmed(s); s.facts.Owner.Fleet = "theirs" }, []string{`fail owner: the host belongs to fleet "theirs"; if it shall be this fleet's from now on: --accept-risk take-over`}},
		{"other name", func(s *seen) { confirmed(s); s.facts.Owner.Host = "db1" }, []string{"warn owner: was confirmed under another name before; look whether two names in the fleet file are one machine (db1)"}},
		{"held", func(s *seen) {
			s.facts.Running, s.facts.Pending = "y", &commit.Holder{State: "applied", Run: "R", Who: "eve", Left: time.Minute}
		}, []string{"fail pending: another run holds it (applied); wait, or fwpush confirm or revert that run (run R by eve, until "}},
		{"stuck", func(s *seen) { s.facts.Pending = &commit.Holder{State: "reverting"} }, []string{"fail pending: an earlier revert is not finished"}},
		{"open", func(s *seen) { s.facts.Pending = &commit.Holder{State: "reverting", Open: true} }, []string{"fail pending: open: no rules of fwpush"}},
		{"locked out", func(s *seen) { s.facts.Connection = "192.0.2.99 40000 192.0.2.10 22" }, []string{"fail lockout: "}},
		{"no nft", func(s *seen) { s.facts.NFT = "none" }, []string{"fail backend: nft was not found on the host; apt install nftables"}},
		{"rules refused", func(s *seen) {
			s.health.Candidate = &commit.Check{State: "refused", Text: "/run/fwpush.12.34/candidate:3:1: syntax error"}
		}, []string{"fail rules: the host would not load the new rules; look at what it says; a newer version of the backend may take them (candidate:3:1: syntax error)"}},
		{"rules slow", func(s *seen) { s.health.Candidate = &commit.Check{State: "slow"} }, []string{"warn rules: the host needs more than 30 s"}},
		{"rules untried", func(s *seen) { s.health.Candidate = &commit.Check{State: "unasked"} }, []string{"unknown rules: whether"}},
		{"no way back", func(s *seen) { s.health.Back = []commit.Check{{State: "ok"}, {State: "refused", Text: "bad"}} }, []string{"fail revert: the rules that run could not be put back by a revert"}},
		{"atd dead under systemd", func(s *seen) { at(s, "atd does not run jobs (systemctl start atd; chage -l root)") },
			[]string{"warn timers: atd does not run jobs; other timers stand in for it; systemctl start atd, or chage -l root (proved: systemd, watchdog)"}},
		{"no at under systemd", func(s *seen) { at(s, "at is not installed (apt install at)") }, nil},
		{"only one timer", func(s *seen) {
			at(s, "at is not installed (apt install at)")
			s.health.Timers[2] = commit.Trial{Kind: "watchdog", Why: "the watchdog did not leave this session"}
		}, []string{"fail timers: at is not installed; the watchdog did not leave this session; apt install at (proved: systemd; two are needed)"}},
		{"one timer, which is accepted", func(s *seen) {
			s.target.Candidate.Timers = 1
			at(s, "at is not installed (apt install at)")
			s.health.Timers[1] = commit.Trial{Kind: "systemd", Why: "there is no systemd"}
		}, []string{"warn timers: one timer proves itself, which the fleet file accepts: at is not installed; there is no systemd; apt install at (proved: watchdog)"}},
		{"a timer fails and nobody knows what to do", func(s *seen) { at(s, "the job did not run") },
			[]string{"warn timers: the job did not run; other timers stand in for it; mend what it says, or give it another timer: apt install at (proved: systemd, watchdog)"}},
		{"no timer", func(s *seen) { s.health.Timers = nil }, []string{"fail timers: no timer proves itself"}},
		{"clock behind", func(s *seen) { s.facts.Skew = -time.Minute }, []string{"warn clock: its clock is behind; "}},
		{"table nearly full", func(s *seen) { s.facts.Tracked = 800 }, []string{"warn conntrack: its table of connections is nearly full"}},
		{"table full", func(s *seen) { s.facts.Tracked = 951 }, []string{"fail conntrack: its table of connections is full"}},
		{"no inodes", func(s *seen) { s.health.Space[1].NoInodes = true }, []string{"fail disk: /var/lib has no inode left"}},
		{"little room", func(s *seen) { s.health.Space[0].Bytes = 1 << 20 }, []string{"warn disk: /run is nearly full; make room: df -h /run (1024 KiB left)"}},
		{"room unknown", func(s *seen) { s.health.Space[0] = commit.Space{Path: "/run"} }, nil},
		{"a firewall that the file names", func(s *seen) {
			s.facts.Foreign = theirs
			s.target.Host.Coexist = []inventory.At[string]{{V: "fail2ban"}}
		}, nil},
		{"a firewall that it does not name", func(s *seen) { s.facts.Foreign = theirs }, []string{"fail foreign: the host has other firewalls that its coexist does not name: fail2ban ("}},
		{"a firewall that could not be read", func(s *seen) { s.facts.Foreign.Unread = "nft -j cannot list it" }, []string{"unknown foreign: whether rules of others"}},
		{"a policy that forwards", func(s *seen) {
			s.target.Policy.Forwards, s.target.Policy.Forward = true, []roles.Rule{{Verb: inventory.AllowVerb, Family: inventory.IPv6}}
			s.health.Forward4 = true
		}, []string{"fail forwarding: forwards no packets, and the fleet file has nat or forward rules for it; sysctl -w net.ipv6.conf.all.forwarding=1"}},
		{"a policy that forwards both families", func(s *seen) {
			s.target.Policy.Forwards, s.target.Policy.Forward = true, []roles.Rule{{Verb: inventory.AllowVerb}, {Verb: inventory.AllowVerb, Family: inventory.IPv6}}
		}, []string{"fail forwarding: forwards no packets, and the fleet file has nat or forward rules for it; sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1, and"}},
		{"redirect needs no forwarding", func(s *seen) { s.target.Policy.NAT = []roles.NAT{{Kind: inventory.Redirect, ToPort: 8080}} }, nil},
		{"a client of DHCP", func(s *seen) { s.health.Leased = "udhcpc" }, []string{"warn dhcp: has its address from DHCP, and dhcp_client is off; write dhcp_client = true for the host: answers of the server may be dropped (udhcpc)"}},
		{"a client of DHCP that is known", func(s *seen) { s.health.Leased, s.target.Policy.DHCPClient = "udhcpc", true }, nil},
		{"a temporary address", func(s *seen) {
			s.health.Addresses += "2: eth0    inet6 2001:db8::5/64 scope global temporary dynamic \\ valid_lft 1sec\n3: docker0    inet 172.17.0.1/16 scope global docker0\\ \nnonsense\n"
		}, nil},
		{"no ip", func(s *seen) { s.health.HasIP = false }, []string{"unknown addresses: "}},
		{"wildcard interfaces", func(s *seen) {
			s.target.Policy.In = []roles.Rule{{InIfaces: []string{"eth*", "wg+", "lan0"}}}
		}, []string{"warn interfaces: interfaces that its rules are about are missing: lan0, wg+;"}},
		{"sshd elsewhere", func(s *seen) {
			s.health.Listen = "LISTEN 0 128 127.0.0.1:22 0.0.0.0:*\nLISTEN 0 128 [fe80::1%eth0]:2022 [::]:*\nLISTEN x\n"
		}, []string{"warn sshd: sshd listens on port 2022", "warn sshd: sshd_ports names port 22, and sshd does not listen there"}},
		{"sshd unknown", func(s *seen) { s.health.Listen = "" }, nil},
		{"few logins", func(s *seen) {
			s.health.SSHD = map[string]string{"maxstartups": "2:30:10", "persourcemaxstartups": "1"}
		}, []string{"warn sshd: sshd takes very few logins", "warn sshd: sshd takes very few logins at a time from one address"}},
		{"unreachable", func(s *seen) {
			s.result = rollout.Result{Name: "web1", Result: commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("no answer within 5s"), Hint: "check the address"}}
		}, []string{"fail login: no answer within 5s; check the address ()"}},
		{"no root", func(s *seen) {
			s.result = rollout.Result{Name: "web1", Result: commit.Result{Outcome: commit.OutcomeFailed, Err: errors.New("sudo: a password is required"), Hint: "NOPASSWD"}}
		}, []string{"fail become: sudo: a password is required; NOPASSWD ()"}},
		{"fell silent", func(s *seen) {
			s.result = rollout.Result{Name: "web1", Result: commit.Result{Outcome: commit.OutcomeFailed, Err: errors.New("the host did not answer in time"), Facts: &s.facts}}
		}, []string{"fail examination: the host did not tell how it is: the host did not answer in time"}},
		{"interrupted", func(s *seen) {
			s.result = rollout.Result{Name: "web1", Result: commit.Result{Outcome: rollout.OutcomeSkipped, Err: rollout.ErrInterrupted}}
		}, []string{"unknown login: not looked at: interrupted"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := healthy()
			tc.harm(s)
			got := s.findings()
			r := s.result
			if r.Outcome == "" {
				r.Facts, r.Health = &s.facts, &s.health
			}
			if healthy := Of(s.target, r).Healthy(); healthy != (r.Outcome == "" && !strings.Contains(strings.Join(got, "\n"), "fail ")) {
				t.Errorf("healthy %v", healthy)
			}
			if !slices.EqualFunc(got, tc.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

// What a host sends reaches a terminal escaped, and never as many lines as it likes.
func TestHostileFindings(t *testing.T) {
	s := healthy()
	s.health.Home = "\x1b[31mred\nexit 0: fine"
	s.health.Lacks = strings.Fields(strings.Repeat("\x07awk ", 1000))
	r := s.result
	r.Facts, r.Health = &s.facts, &s.health
	var out bytes.Buffer
	if err := Write(&out, ui.Colour{}, []Report{Of(s.target, r)}, true); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, "\nexit 0") || len(text) > 5000 {
		t.Errorf("%q", text)
	}
}
