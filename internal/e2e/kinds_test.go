package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"fwpush/internal/lab"
)

// kind is a kind of host, and what fwpush is expected to find there.
type kind struct {
	what     string // in a few words
	tree     string // root tree of the lab; "" for the machine's own files
	options  lab.HostOptions
	harm     string // what makes it of this kind, at its console
	toml     []string
	coexist  bool     // its rules of others are named in toml
	through  string   // the host that its logins come from, "" for the controller
	only4    bool     // has no IPv6
	timers   string   // that a change is made on
	backend  string   // that loads its rules
	boot     string   // as status tells it
	warnings []string // of doctor, in its order
}

// Said by doctor of each host that nothing would load rules on at boot.
const notPersistent = "warn boot: has neither systemd nor OpenRC: confirmed rules are gone after a reboot"

// lightKind is a host without an init system that has at.
func lightKind(name, what string) kind {
	return kind{what: what, options: lab.HostOptions{Name: name}, timers: "at watchdog", backend: "nftables", boot: "none", warnings: []string{notPersistent}}
}

// systemdKind is a host that systemd has booted.
func systemdKind(name, what, tree string) kind {
	return kind{what: what, tree: tree, options: lab.HostOptions{Name: name, Systemd: true},
		timers: "at watchdog", backend: "nftables", boot: "ok"}
}

// noIPv6 is a kernel that has been told so.
const noIPv6 = `for c in all default lo eth0; do echo 1 >/proc/sys/net/ipv6/conf/$c/disable_ipv6; done; [ -z "$(cat /proc/net/if_inet6)" ]`

// legacyRules are somebody's in iptables-legacy, which the host's iptables is.
const legacyRules = `for p in iptables ip6tables; do for f in "" -save -restore; do ln -sf $(command -v $p-legacy$f) $(command -v $p$f); done; done
for ipt in iptables ip6tables; do
	$ipt -N OURS
	$ipt -A INPUT -p tcp -m tcp --dport 8443 -j OURS
	$ipt -A OURS -m comment --comment "kept by hand" -j RETURN
done`

// withDocker has Docker run a container, a port of which is published.
func withDocker(k kind) kind {
	k.tree, k.harm, k.coexist = "docker", dockerLive, true
	k.toml = append(k.toml, `coexist = ["docker"]`)
	k.warnings = append(k.warnings, "warn foreign: published past the rules of `in`: tcp/8080 to 172.17.0.2:80 by docker (iptables nat DOCKER: ",
		"warn addresses: has addresses that the fleet file does not list: ") // of the bridge that Docker was told the name of
	return k
}

// withFail2ban has fail2ban run, with bans.
func withFail2ban(k kind) kind {
	k.tree, k.harm, k.coexist = "docker", fail2banLive, true
	k.toml = append(k.toml, `coexist = ["fail2ban"]`)
	return k
}

// allKinds are all that there are, those before others that are on the way to them.
func allKinds() []kind {
	old := lightKind("all-deb11", "Debian 11")
	old.tree = "bullseye"

	busybox := lightKind("all-busybox", "busybox, dropbear, no at")
	busybox.tree, busybox.timers, busybox.toml = "busybox", "watchdog", []string{"timers = 1"}
	busybox.warnings = []string{"warn timers: one timer proves itself, which the fleet file accepts: at is not installed; there is no systemd; apt install at (proved: watchdog)", notPersistent}

	legacy := lightKind("all-legacy", "iptables-legacy, no nft, rules of others")
	legacy.tree, legacy.backend, legacy.harm = "bookworm", "iptables", legacyRules
	legacy.options.Without = []string{"usr/sbin/nft"}
	legacy.coexist, legacy.toml = true, []string{`coexist = ["iptables"]`}
	legacy.warnings = []string{"warn backend: gets rules for iptables: a first push, and nft does not work on the host: nft was not found; ", notPersistent,
		`warn foreign: with iptables no ban of others holds for what fwpush accepts: rules of theirs come behind its own ("INPUT OURS")`}

	openrc := lightKind("all-openrc", "OpenRC")
	openrc.options.OpenRC, openrc.boot, openrc.warnings = true, "ok", nil

	one := lightKind("all-one", "behind a jump of ssh_config")
	one.through = "all-jump"
	gate := lightKind("all-gate", "behind a jump, and a jump itself")
	gate.through, gate.toml = "all-jump", []string{`ssh.jump = "all-jump"`}
	two := lightKind("all-two", "behind two jumps")
	two.through, two.toml = "all-gate", []string{`ssh.jump = "all-gate"`}

	sudo := lightKind("all-sudo", "sudo with a password")
	sudo.options.Users = []lab.User{{Name: "ops", Password: "tell nobody", Sudoers: "ops ALL=(ALL:ALL) ALL"}}
	sudo.toml = []string{`ssh.user = "ops"`, `ssh.become = "sudo"`}

	four := lightKind("all-four", "no IPv6")
	four.only4, four.harm = true, noIPv6

	return []kind{
		old, systemdKind("all-deb12", "Debian 12, systemd", "bookworm"), systemdKind("all-deb13", "Debian 13, systemd", "trixie"),
		busybox, legacy, openrc,
		lightKind("all-jump", "a jump"), one, gate, two,
		sudo, four,
		withDocker(systemdKind("all-docker", "Docker, a published port", "")), withFail2ban(lightKind("all-bans", "fail2ban")),
	}
}

// newEveryKind starts a host of each kind and writes the fleet file and the ssh_config.
func newEveryKind(t *testing.T) *everyKind {
	t.Helper()
	e := &everyKind{kinds: allKinds()}
	options := make([]lab.HostOptions, len(e.kinds))
	for i, k := range e.kinds {
		options[i] = k.options
		if k.tree != "" {
			tree, err := world.Root(t.Context(), k.tree)
			if err != nil {
				t.Fatal(err)
			}
			options[i].Root = tree
		}
	}
	e.hosts = start(t, options...)
	e.table.columns = []string{"kind", "backend", "boot", "timers", "doctor", "diff", "apply", "apply again", "apply locked out", "apply a change", "rollback", "drill", "status"}

	// The hosts behind a jump see its address.
	e.fleet.from = []string{world.Addr4().String(), world.Addr6().String()}
	for i, h := range e.hosts {
		k := e.kinds[i]
		if k.harm != "" {
			h.sh(t, "set -e\n"+k.harm)
		}
		if k.only4 {
			e.fleet.entries = append(e.fleet.entries, fmt.Sprintf("[hosts.%s]\nroles = [\"web\"]\naddresses = [%q]\n%s\n", h.Name(), h.Addr4(), strings.Join(k.toml, "\n")))
		} else {
			e.fleet.add(h, `"web"`, k.toml...)
		}
		if name := h.Name(); name == "all-jump" || name == "all-gate" {
			e.fleet.from = append(e.fleet.from, h.Addr4().String())
		}
		text := notOurs(h.enforced(t))
		if k.coexist && !regexp.MustCompile(`DOCKER-USER|192\.0\.2\.66|kept by hand`).MatchString(text) {
			t.Fatalf("%s has no rules of others:\n%s", h.Name(), text)
		}
		e.foreign = append(e.foreign, text)
		e.table.set(h.Name(), "kind", k.what)
	}
	e.controller = newController(t, e.fleet.String())
	e.write(t, "password", "tell nobody\n")
	e.write(t, "ssh_config", fmt.Sprintf("Host all-one\n\tProxyJump root@%s\nHost *\n\tIdentityFile %s\n\tUserKnownHostsFile %s\n",
		e.host("all-jump").Addr4(), world.KeyFile(), world.KnownHosts()))
	return e
}

// enforced is all that the host enforces in the words of the programs that it has,
// without what changes by itself.
func (h *host) enforced(t *testing.T) string {
	t.Helper()
	text := h.sh(t, `! command -v nft >/dev/null || nft -s list ruleset
for p in iptables ip6tables; do
	! command -v $p-save >/dev/null || { echo "# $p"; $p-save; }
done`)
	text = regexp.MustCompile(`(?m)^# (Generated|Completed|Table).*\n?`).ReplaceAllString(text, "")
	return regexp.MustCompile(`\[\d+:\d+\]`).ReplaceAllString(text, "[]")
}

// notOurs is what others have of it. A table of iptables-legacy that has been looked at once is
// there ever after, so one without rules and with open policies tells nothing.
func notOurs(enforced string) string {
	var out, table []string
	says := false
	for line := range strings.SplitSeq(cutTable(enforced), "\n") {
		if strings.Contains(line, "FWPUSH-") {
			continue
		}
		switch {
		case strings.HasPrefix(line, "*"):
			table, says = []string{line}, false
		case table == nil:
			out = append(out, line)
		case line == "COMMIT":
			if says {
				out = append(append(out, table...), line)
			}
			table = nil
		default:
			table = append(table, line)
			says = says || !strings.HasSuffix(line, " ACCEPT []")
		}
	}
	return strings.Join(out, "\n")
}

// markLast puts the chain that tells the rules by its name behind them: after a load that
// keeps the base chains it stands behind these, after another one before.
func markLast(enforced string) string {
	mark := regexp.MustCompile(`\n?\tchain rev_[0-9a-f]{12} \{\n\t\}\n`)
	return mark.ReplaceAllString(enforced, "") + mark.FindString(enforced)
}

// outcomeTable is what became of each host by each verb, for people.
type outcomeTable struct {
	columns, rows []string
	cells         map[[2]string]string
}

func (o *outcomeTable) set(row, column, text string) {
	if o.cells == nil {
		o.cells = map[[2]string]string{}
	}
	if _, ok := o.cells[[2]string{row, "kind"}]; !ok {
		o.rows = append(o.rows, row)
	}
	o.cells[[2]string{row, column}] = text
}

func (o *outcomeTable) get(row, column string) string { return o.cells[[2]string{row, column}] }

// String is the table as Markdown has them.
func (o *outcomeTable) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| host | %s |\n|%s\n", strings.Join(o.columns, " | "), strings.Repeat("---|", len(o.columns)+1))
	for _, row := range o.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, column := range o.columns {
			fmt.Fprintf(&b, " %s |", o.get(row, column))
		}
		b.WriteString("\n")
	}
	return b.String()
}
