package commit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/foreign"
)

// rehearsalScript plays a take and a return of home-made rules in a network namespace of its
// own, and prints what iptables-save says at each step.
const rehearsalScript = `
R=$1 D=$1/tx/t T=t NAME=S
mkdir -p "$D/adopt"
printf '' >"$R/S"
myself
messages
whole() { # tables that hold something
	awk '{ t = t $0 "\n" } !/^([*][a-z]+|:[A-Z]+ ACCEPT|COMMIT)$/ { some = 1 } /^COMMIT/ { if (some) printf "%s", t; t = ""; some = 0 }'
}
plain() {
	for v in $VARIANT; do
		for f in iptables ip6tables; do echo "== $f-$v"; "$f-$v-save" 2>/dev/null | uncounted | whole; done
	done
}
for v in $VARIANT; do
	for f in iptables ip6tables; do
		"$f-$v-restore" <"$R/$f-$v" || { echo "refused $f-$v"; exit 1; }
	done
done
plain >"$R/before"
home_chains
homemade
printf '%s\n' "$HOMEMADE" >"$D/adopt/told"
KEEPING=yes
homemade
KEEPING=''
home_take 60 || { cat "$MESSAGES"; printf '%s\n' "$FEED"; echo 'cannot take'; exit 1; }
plain >"$R/taken"
# What is not ours may move while the rules are away: a manager comes and bans.
for v in $VARIANT; do iptables-$v -w 10 -I f2b-sshd -s 198.51.100.7 -j DROP 2>/dev/null; done
for ours in $OURS; do
	for v in $VARIANT; do iptables-$v -w 10 -N FWPUSH-IN; iptables-$v -w 10 -A FWPUSH-IN -j DROP; iptables-$v -w 10 -I INPUT -j FWPUSH-IN; done
done
home_back 60 || { cat "$D/log"; printf '%s\n' "$FEED"; echo 'cannot put back'; exit 1; }
home_back 60 || { echo 'not twice'; exit 1; }
for ours in $OURS; do
	for v in $VARIANT; do iptables-$v -w 10 -D INPUT -j FWPUSH-IN; iptables-$v -w 10 -F FWPUSH-IN; iptables-$v -w 10 -X FWPUSH-IN; done
done
for v in $VARIANT; do iptables-$v -w 10 -D f2b-sshd -s 198.51.100.7 -j DROP 2>/dev/null; done
plain >"$R/after"
! home_differs || { echo differs; printf '%s\n' "$HOMEMADE" | diff "$D/adopt/told" -; exit 1; }
exit 0
`

// hook is a built-in chain, with the tables that have it.
var hooks = map[string][]string{
	"filter":   {"INPUT", "FORWARD", "OUTPUT"},
	"nat":      {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"mangle":   {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"raw":      {"PREROUTING", "OUTPUT"},
	"security": {"INPUT", "FORWARD", "OUTPUT"},
}

// drawSave draws what iptables-save may say of a host with home-made rules, fail2ban and
// Docker, all mixed.
func drawSave(t *rapid.T, v6 bool) string {
	var b strings.Builder
	for _, table := range []string{"raw", "mangle", "nat", "filter", "security"} {
		if !rapid.Bool().Draw(t, table) {
			continue
		}
		var chains, ends []string
		for _, c := range []string{"f2b-sshd", "DOCKER", "DOCKER-USER", "LOGDROP", "a-b_c", "web.in"} {
			if rapid.Bool().Draw(t, c) {
				chains = append(chains, c)
			}
		}
		fmt.Fprintf(&b, "*%s\n", table)
		for _, c := range hooks[table] {
			policy := rapid.SampledFrom([]string{"ACCEPT", "DROP"}).Draw(t, "policy")
			if table == "nat" {
				policy = "ACCEPT"
			}
			fmt.Fprintf(&b, ":%s %s [%d:%d]\n", c, policy, rapid.IntRange(0, 9).Draw(t, "packets"), rapid.IntRange(0, 9).Draw(t, "bytes"))
		}
		for _, c := range chains {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c)
		}
		ends = append(ends, "ACCEPT", "RETURN", "LOG --log-prefix \"a \\\"b\\\" -j DOCKER\"", "MARK --set-xmark 0x7/0xff", "")
		if table != "nat" {
			ends = append(ends, "DROP", "DROP")
		}
		if table == "filter" {
			ends = append(ends, "REJECT")
		}
		if table != "mangle" {
			ends = ends[:len(ends):len(ends)]
			for i, e := range ends {
				if strings.HasPrefix(e, "MARK") {
					ends[i] = "ACCEPT"
				}
			}
		}
		body := func(chain string, to []string) {
			for range rapid.IntRange(0, 6).Draw(t, "rules of "+chain) {
				match := rapid.SampledFrom([]string{
					"", "-s 10.0.0.0/8", "-p tcp -m tcp --dport 22", "-p tcp -m multiport --dports 80,443", "-p udp -m udp --sport 53",
					"-m conntrack --ctstate RELATED,ESTABLISHED", "-m limit --limit 3/min --limit-burst 7", "-p tcp -m tcp --dport 22 -m recent --set --name ssh --rsource",
					"-m comment --comment \"it's \\\"mine\\\" -j DROP\"", "-m comment --comment -j", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", "-m mark --mark 0x1/0xff", "-m state --state NEW",
				}).Draw(t, "match")
				if v6 {
					match = strings.ReplaceAll(match, "10.0.0.0/8", "fd00::/8")
				}
				if end := rapid.SampledFrom(to).Draw(t, "end"); end != "" {
					match += " -j " + end
				}
				fmt.Fprintf(&b, "-A %s %s\n", chain, match)
			}
		}
		for _, c := range hooks[table] {
			body(c, slices.Concat(ends, chains))
		}
		for i, c := range chains {
			body(c, slices.Concat(ends, chains[i+1:])) // no loops
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// Whatever home-made rules there are among those of managers, in both families and both
// variants of iptables: they are taken away and nothing else is, and come back to the
// places where they were, beside rules of ours and while a manager goes on.
func TestHomeMadeRulesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	text := program("", "base", "list", "load", "timer", "homemade", "adopt")
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("/run", "adopt")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var saves string
		variant := rapid.SampledFrom([]string{"nft", "legacy"}).Draw(t, "variant")
		for _, f := range []string{"iptables-" + variant, "ip6tables-" + variant} {
			save := drawSave(t, strings.HasPrefix(f, "ip6"))
			saves += "#### " + f + "\n" + save
			if err := os.WriteFile(filepath.Join(dir, f), []byte(save), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ours := rapid.SampledFrom([]string{"", "yes"}).Draw(t, "ours beside")
		cmd := exec.Command("unshare", "-n", "sh", "-s", dir)
		cmd.Stdin = strings.NewReader(text + "VARIANT=" + variant + " OURS=" + ours + "\n" + rehearsalScript)
		out, err := cmd.CombinedOutput()
		read := func(name string) string {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			return string(b)
		}
		if err != nil {
			t.Fatalf("%v\n%s\n%s\nlog %s\nbefore %s\ntaken %s\nafter %s", err, out, saves, read("tx/t/log"), read("before"), read("taken"), read("after"))
		}
		if before, after := read("before"), read("after"); before != after {
			t.Fatalf("before:\n%s\nafter:\n%s\n%s", before, after, diff(before, after))
		}
		if want, got := builtIn(read("before"), true), builtIn(read("taken"), false); want != got {
			t.Fatalf("built-in chains:\n%s\nof which managers had\n%s", got, want)
		}
	})
}

// Home-made rules come back with what they, and the policies beside them, have counted.
func TestHomeMadeRulesComeBackWithTheirCounters(t *testing.T) {
	working(t)
	const script = `
R=$1 D=$1/tx/t T=t NAME=S
mkdir -p "$D/adopt"
printf '' >"$R/S"
myself
messages
counted() { iptables-$VARIANT-save -c 2>/dev/null | grep -v '^#'; }
iptables-$VARIANT-restore -c <<'X'
*filter
:INPUT DROP [5:50]
:FORWARD ACCEPT [6:60]
:OUTPUT ACCEPT [7:70]
:mine - [0:0]
[8:80] -A INPUT -i lo -j ACCEPT
[9:90] -A INPUT -j mine
[3:30] -A mine -j DROP
COMMIT
X
counted
home_chains
KEEPING=yes
homemade
home_take 60 && home_back 60 || { cat "$MESSAGES"; exit 1; }
echo back:
counted
`
	text := program("", "base", "list", "load", "timer", "homemade", "adopt")
	for _, variant := range []string{"nft", "legacy"} {
		dir, err := os.MkdirTemp("/run", "adopt")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cmd := exec.Command("unshare", "-n", "sh", "-s", dir)
		cmd.Stdin = strings.NewReader(text + "VARIANT=" + variant + script)
		out, err := cmd.CombinedOutput()
		before, after, _ := strings.Cut(string(out), "back:\n")
		if err != nil || before != after || !strings.Contains(before, "[3:30]") {
			t.Errorf("%s: %v\n%s", variant, err, out)
		}
	}
}

// builtIn are the rules of built-in chains, all or those that lead to a manager's.
func builtIn(save string, managers bool) string {
	var out []string
	for line := range strings.SplitSeq(save, "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "-A" || strings.Trim(words[1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || words[1] == "LOGDROP" || words[1] == "DOCKER" {
			continue
		}
		if to := words[len(words)-1]; !managers || to == "f2b-sshd" || to == "DOCKER" || to == "DOCKER-USER" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func diff(a, b string) string {
	var out strings.Builder
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i < len(y) && x[i] != y[i] {
			fmt.Fprintf(&out, "%d: %q, was %q\n", i, y[i], x[i])
		}
	}
	return out.String()
}

// What stays on a host is what package foreign knows of managers: a program that an
// apply would be refused for is none that somebody has made at home.
func TestWhatStaysIsOfTheManagersThatAreKnown(t *testing.T) {
	sample := strings.NewReplacer("*", "x1", "?", "a").Replace
	for _, m := range foreign.Managers() {
		var save, tables strings.Builder
		save.WriteString("*filter\n")
		for _, hook := range hooks["filter"] {
			policy := "ACCEPT"
			if slices.Contains(m.Policies, hook) {
				policy = "DROP"
			}
			fmt.Fprintf(&save, ":%s %s [0:0]\n", hook, policy)
		}
		for _, c := range m.Chains {
			fmt.Fprintf(&save, ":%s - [0:0]\n", sample(c))
		}
		for _, c := range m.Chains {
			fmt.Fprintf(&save, "-A INPUT -j %s\n-A %s -s 192.0.2.1/32 -j DROP\n", sample(c), sample(c))
		}
		for _, s := range m.Sets {
			fmt.Fprintf(&save, "-A INPUT -m set --match-set %s src -j DROP\n", sample(s))
		}
		for _, i := range m.Ifaces {
			fmt.Fprintf(&save, "-A FORWARD -i %s -j ACCEPT\n-A FORWARD ! -o %s -j ACCEPT\n", sample(i), sample(i))
		}
		for _, c := range m.Comments {
			fmt.Fprintf(&save, "-A FORWARD -m comment --comment %q -j ACCEPT\n", sample(c))
		}
		save.WriteString("COMMIT\n")
		for _, table := range m.Tables {
			fmt.Fprintf(&tables, "table %s {\n\tchain c {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n", sample(table))
		}
		cmd := exec.Command("sh", "-s", save.String(), tables.String())
		cmd.Stdin = strings.NewReader(program("", "base", "list", "homemade") + `CHAINS=$2
nft_tables
printf '%s' "$OTHERS"
printf '%s\n#: now\n%s\n' "$KEPT" "$1" | sort_out tell iptables
`)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s would be taken away: %v\n%s", m.Name, err, out)
		}
	}
}
