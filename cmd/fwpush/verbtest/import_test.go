package verbtest

import (
	"strings"
	"testing"
)

// homemade is the script that many have written: of IPv4 only.
const homemade = `set -e
iptables-$V -F
iptables-$V -P INPUT DROP
iptables-$V -A INPUT -i lo -j ACCEPT
iptables-$V -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
iptables-$V -A INPUT -p tcp --dport 22 -m state --state NEW -m limit --limit 30/min -j ACCEPT
iptables-$V -A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment "the site" -j ACCEPT
iptables-$V -A INPUT -p icmp --icmp-type echo-request -j ACCEPT
iptables-$V -A INPUT -j DROP
`

// TestImportFromHosts makes a role of what hosts run, in both variants of iptables, with
// one role for those with the same rules, and changes nothing on them.
func TestImportFromHosts(t *testing.T) {
	f := newFleet(t, "web61", "web62", "web63", "web64")
	f.sh("web61", strings.ReplaceAll(homemade, "$V", "nft"))
	f.sh("web62", strings.ReplaceAll(homemade, "$V", "legacy"))
	f.sh("web63", strings.ReplaceAll(homemade, "$V", "nft"))
	before := f.sh("web61", "iptables-nft-save | grep -v '^[#:]'; nft list ruleset | grep -v counter")

	out, _ := f.run(0, "import", "--host", "web[61-64]", "--role", "door")
	for _, want := range []string{
		"# Made by fwpush import of web[61,63] (2).",
		"# Made by fwpush import of web62 (1).",
		"# Made by fwpush import of web64 (1).",
		"# IPv6 is open: no rule refuses any of it. The role closes it but for what its rules say.",
		`{ allow = "ssh", rate = "30/min global burst 5" },`,
		`{ allow = ["http", "https"], comment = "the site" },`,
		"[roles.door]", "[roles.door-2]", "[roles.door-3]",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "Opens") || strings.Contains(out, "Closes, ") {
		t.Errorf("it differs:\n%s", out)
	}
	if _, said := f.run(0, "import", "--host", "web64"); strings.Contains(said, "own rules") {
		t.Errorf("a host without rules of fwpush: %s", said)
	}
	f.run(0, "apply", "-y", "-l", "web64")
	if _, said := f.run(0, "import", "--host", "web64"); !strings.Contains(said, "web64: fwpush's own rules are there already and left out") {
		t.Errorf("no word of fwpush's own rules: %s", said)
	}
	// Rules that are too many to work out are left out, and the other hosts have their roles.
	drops, jumps := strings.Repeat("ip saddr 203.0.113.7 tcp dport 9 drop\n", 100), strings.Repeat("jump d\n", 60)
	f.sh("web64", "nft -f - <<'X'\ntable ip many {\nchain d {\n"+drops+"}\nchain c {\ntype filter hook input priority 0; policy accept;\n"+jumps+"}\n}\nX")
	out, said := f.run(3, "import", "--host", "web[61-64]", "--role", "door")
	if !strings.Contains(out, "[roles.door-2]") || strings.Contains(out, "door-3") || !strings.Contains(said, "web64: left out: too many rules") || !strings.Contains(said, "exit 3: no role for web64: ") {
		t.Errorf("%s\n%s", out, said)
	}
	if after := f.sh("web61", "iptables-nft-save | grep -v '^[#:]'; nft list ruleset | grep -v counter"); after != before {
		t.Errorf("the rules are\n%s\nand were\n%s", after, before)
	}
}
