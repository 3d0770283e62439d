package verbtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/lab"
	"fwpush/internal/simhost"
)

// examined is the object of doctor -o json.
type examined struct {
	Schema int
	Exit   int
	Error  string
	Hosts  []struct {
		Name    string
		Healthy bool
		Checks  []struct{ ID, State, Text, Remedy, Detail string }
	}
}

func (f *fleet) doctor(want int, args ...string) examined {
	f.t.Helper()
	out, _ := f.run(want, append([]string{"doctor", "-o", "json"}, args...)...)
	var e examined
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Schema != 1 || e.Exit != want {
		f.t.Fatalf("%v\n%s", err, out)
	}
	return e
}

// findings are what is not well with a host: "state id: text; remedy (detail)".
func (e examined) findings(name string) []string {
	var list []string
	for _, h := range e.Hosts {
		for _, c := range h.Checks {
			if h.Name == name && c.State != "ok" {
				list = append(list, fmt.Sprintf("%s %s: %s; %s (%s)", c.State, c.ID, c.Text, c.Remedy, c.Detail))
			}
		}
	}
	return list
}

// One thing is broken on each host, and that, with what to do, is what is found.
func TestDoctorFindsTheOneThingThatIsBroken(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string // of the host: doc-NAME
		o     lab.HostOptions
		toml  string // of the host, beside its addresses
		first string // rules that are confirmed before the harm, if any
		harm  string
		want  []string // parts of the findings, one each; a last one that all have is left out
	}{
		{name: "healthy"},
		{name: "noat", harm: "rm /usr/bin/at", want: []string{"fail timers: at is not installed; there is no systemd; apt install at (proved: watchdog; two are needed)"}},
		{name: "atdead", harm: lab.AtdDies, want: []string{"fail timers: atd does not run jobs; there is no systemd; systemctl start atd, or chage -l root ("}},
		{name: "readonly", harm: "mount --bind /var/lib /var/lib; mount -o remount,bind,ro /var/lib", want: []string{"fail disk: /var/lib cannot be written; mount it read-write"}},
		{name: "norun", harm: "mount --bind /run /run; mount -o remount,bind,ro /run", want: []string{"fail disk: nothing can be written below /run; look at", "fail disk: /run cannot be written", "unknown timers: "}},
		{name: "full", harm: "fill", want: []string{"fail disk: /var/lib is full; make room: df -h /var/lib (0 KiB left)", "fail timers: at refused: "}},
		{name: "skewed", harm: `mv /usr/bin/date /usr/bin/date.real; printf '#!/bin/sh\nexec /usr/bin/date.real -d "+90 seconds" "$@"\n' >/usr/bin/date; chmod 755 /usr/bin/date`,
			want: []string{"fail timers: at queued its job for the wrong time: job ", "warn clock: its clock is ahead; set it"}},
		{name: "beside", harm: "nft add table inet site; nft add chain inet site in '{ type filter hook input priority 0; policy drop; }'; nft add rule inet site in accept",
			want: []string{"fail foreign: the host has other firewalls that its coexist does not name: rules of nft made by hand (inet site in: policy drop"}},
		{name: "banned", toml: `coexist = ["fail2ban"]` + "\n" + `in = [{ allow = "tcp/80", from = "any" }]`,
			harm: "nft add table inet f2b-table; nft add chain inet f2b-table in '{ type filter hook input priority 0; policy accept; }'; nft add rule inet f2b-table in tcp dport 80 drop",
			want: []string{"warn foreign: "}},
		{name: "gateway", toml: `nat = [{ masquerade = true, family = "ipv4", out_iface = "eth0", from = ["192.0.2.0/24"] }]`, want: []string{"fail forwarding: forwards no packets, and the fleet file has nat or forward rules for it; sysctl -w net.ipv4.ip_forward=1"}},
		{name: "router", toml: `nat = [{ masquerade = true, family = "ipv4", out_iface = "eth0", from = ["192.0.2.0/24"] }]`, harm: "echo 1 >/proc/sys/net/ipv4/ip_forward"},
		{name: "more", harm: "ip addr add 198.51.100.7/24 dev eth0; ip link add docker0 type bridge; ip addr add 172.17.0.1/16 dev docker0",
			want: []string{"warn addresses: has addresses that the fleet file does not list: what it sends from them other hosts do not know as its own; add them to addresses of the host (198.51.100.7 on eth0)"}},
		{name: "less", toml: `ssh.address = "ADDR"` + "\n" + `addresses = ["ADDR", "198.51.100.9"]`, want: []string{"warn addresses: has addresses", "warn addresses: does not have addresses that the fleet file lists; correct addresses of the host, unless another machine translates them (198.51.100.9)"}},
		{name: "leased", harm: "ip addr add 198.51.100.8/24 dev eth0 valid_lft 3000 preferred_lft 2000", want: []string{"warn addresses: ", "warn dhcp: has its address from DHCP, and dhcp_client is off; write dhcp_client = true"}},
		{name: "tracked", harm: "echo 62000 >/tmp/n; mount --bind /tmp/n /proc/sys/net/netfilter/nf_conntrack_count; echo 65536 >/tmp/m; mount --bind /tmp/m /proc/sys/net/netfilter/nf_conntrack_max",
			want: []string{"warn conntrack: its table of connections is nearly full; raise net.netfilter.nf_conntrack_max, or find out who opens so many: conntrack -S (62000 of 65536)"}},
		{name: "noiface", toml: `ifaces = { lan = "eth7" }`, want: []string{"warn interfaces: interfaces that its rules are about are missing: eth7; correct ifaces of the host"}},
		{name: "ports", o: lab.HostOptions{SSHD: []string{"Port 22", "Port 2200", "MaxStartups 2:30:10"}}, want: []string{"warn sshd: sshd listens on port 2200, which sshd_ports does not name; ", "warn sshd: sshd takes very few logins at a time (MaxStartups)"}},
		{name: "nonft", o: lab.HostOptions{Without: []string{"usr/sbin/nft"}}, toml: `backend = "nftables"`, want: []string{"fail backend: nft was not found on the host; apt install nftables ()", "fail rules: "}},
		{name: "noawk", o: lab.HostOptions{Without: []string{"usr/bin/cmp"}}, want: []string{"fail tools: programs that a push needs are missing: cmp; install them"}},
		{name: "taken", first: "yes", harm: "sed -i 's/ fleet / elsewhere /; s/^1 [^ ]* /1 elsewhere /' /var/lib/fwpush/owner", want: []string{"fail owner: the host belongs to fleet \"elsewhere\", confirmed 20"}},
		{name: "edited", first: "yes", harm: "nft insert rule inet fwpush input tcp dport 9999 accept", want: []string{"warn drift: the rules that run were edited by hand, or are gone; fwpush diff"}},
		{name: "nosudo", o: lab.HostOptions{Users: []lab.User{{Name: "bob"}}}, toml: `ssh.user = "bob"` + "\n" + `ssh.become = "sudo"`, want: []string{"fail become: "}},
		{name: "plain", o: lab.HostOptions{Users: []lab.User{{Name: "bob"}}}, toml: `ssh.user = "bob"` + "\n" + `ssh.become = "none"`, want: []string{"fail become: logged in with uid 42000: only root may change the firewall; log in as root, or say how to be root there: "}},
	}
	var options []lab.HostOptions
	for _, tc := range cases {
		tc.o.Name = "doc-" + tc.name
		options = append(options, tc.o)
	}
	f := newFleetOf(t, options...)
	var b strings.Builder
	fmt.Fprintf(&b, "version = 1\n[defaults]\nroles = [\"base\"]\nssh = { user = \"root\", identity = %q, known_hosts = %q }\n[management]\nfrom = [%q, %q]\n",
		world.KeyFile(), world.KnownHosts(), world.Addr4(), world.Addr6())
	for _, tc := range cases {
		h := f.hosts["doc-"+tc.name]
		fmt.Fprintf(&b, "[hosts.doc-%s]\n%s\n", tc.name, strings.ReplaceAll(tc.toml, "ADDR", h.Addr4().String()))
		if !strings.Contains(tc.toml, "addresses =") {
			fmt.Fprintf(&b, "addresses = [%q, %q]\n", h.Addr4(), h.Addr6())
		}
	}
	f.file("fleet.toml", b.String())
	f.run(0, "apply", "-y", "-l", "doc-taken,doc-edited")
	for _, tc := range cases {
		switch tc.harm {
		case "":
		case "fill":
			if err := f.hosts["doc-"+tc.name].FillDisk(); err != nil {
				t.Fatal(err)
			}
		default:
			f.sh("doc-"+tc.name, tc.harm)
		}
	}
	e := f.doctor(3)
	for _, h := range e.Hosts {
		if name := strings.TrimPrefix(h.Name, "doc-"); h.Healthy != (name == "healthy" || !strings.Contains(strings.Join(e.findings(h.Name), "\n"), "fail ")) {
			t.Errorf("%s: healthy %v", name, h.Healthy)
		}
	}
	for _, tc := range cases {
		got := e.findings("doc-" + tc.name)
		// None of these hosts has an init system that would load rules at boot.
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "warn boot: has neither systemd nor OpenRC") })
		want := tc.want
		same := len(got) == len(want)
		for i := 0; same && i < len(want); i++ {
			same = strings.HasPrefix(got[i], want[i])
		}
		if !same {
			t.Errorf("%s:\n%s\nwant\n%s", tc.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// A thousand hosts are a dozen lines: those that are alike together, failures first, and
// the exit code of the worst.
func TestDoctorOfManyHosts(t *testing.T) {
	t.Parallel()
	f := newSimFleet(t, simhost.Options{}, "web 90", "db 10")
	f.run(0, "doctor", "-l", "db*", "--forks", "50")
	for _, name := range []string{"web003", "web004", "web005"} {
		f.host(name).SetFaults(simhost.Faults{NoAt: true})
	}
	f.host("db007").SetFaults(simhost.Faults{Refuse: "Error: \x1b[2Jbad"})
	f.host("db008").SetForeign("table ip nat {\n}\ntable inet site {\n\tchain in {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n")
	f.host("web090").SetFaults(simhost.Faults{Unreachable: simhost.Refuse})
	out, said := f.run(3, "doctor", "--forks", "50", "--color", "never")
	want := `✗ login       web090 (1)  
              → sshd may be limiting connections (MaxStartups, PerSourcePenalties): wait, then try again
✗ rules       db007 (1)  the host would not load the new rules  (Error: \x1b[2Jbad)
              → look at what it says; a newer version of the backend may take them
✗ timers      web[003-005] (3)  atd does not run jobs; there is no systemd  (proved: watchdog; two are needed)
              → systemctl start atd, or chage -l root
✗ foreign     db008 (1)  the host has other firewalls that its coexist does not name: rules of nft made by hand (inet site in: policy drop, inet site in: its rules are not known)
              → read what they do; to leave them as they are, add coexist = ["nftables"] to the host or to [defaults]; to have rules made by hand replaced, write mode = "exclusive"
! boot        db[001-010],web[001-089] (99)  has neither systemd nor OpenRC: confirmed rules are gone after a reboot  (sh)
              → have it run before the network: nft -f /var/lib/fwpush/boot.nft || nft -f /var/lib/fwpush/boot.prev
94 hosts healthy (94 with warnings), 6 with failures
`
	got := strings.Split(out, "\n")
	if len(got) > 0 {
		got[0], _, _ = strings.Cut(got[0], "the host closed")
	}
	if shown := strings.Join(got, "\n"); shown != want {
		t.Errorf("got\n%s\nwant\n%s", shown, want)
	}
	if !strings.Contains(said, "exit 3: 5 hosts not healthy: db[007-008],web[003-005]\n") {
		t.Errorf("stderr: %s", said)
	}
	if n := f.sim.Writes(); n != 0 {
		t.Errorf("hosts were changed %d times", n)
	}
	if got, want := f.host("web001").Counts(), (simhost.Counts{Connections: 1, Execs: 1}); got != want {
		t.Errorf("web001: %+v", got)
	}
	if got := f.host("web090").Counts(); got.Execs != 0 {
		t.Errorf("web090: %+v", got)
	}

	e := f.doctor(4, "-l", "web[089-090]")
	if e.Error != "1 host unreachable: web090" || len(e.Hosts) != 2 || e.Hosts[1].Healthy || e.Hosts[1].Checks[0].ID != "login" {
		t.Errorf("%+v", e)
	}
	if e := f.doctor(3, "-l", "web089", "--strict"); !e.Hosts[0].Healthy || e.Error != "1 host not healthy: web089" {
		t.Errorf("%+v", e)
	}
	if out, _ := f.run(0, "doctor", "-l", "web[001-002]", "-v", "--color", "never"); !strings.Contains(out, "✓ timers      web[001-002] (2)  two timers prove themselves  (proved: at in 30ms, watchdog in 20ms)\n") {
		t.Errorf("-v:\n%s", out)
	}
}
