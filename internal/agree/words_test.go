package agree

import (
	"fmt"
	"regexp"
	"strings"

	"fwpush/internal/wire"
	"fwpush/render"
)

const foreignTable = "table inet other {\n\tchain c {\n\t\ttype filter hook input priority 0; policy accept;\n\t\ttcp dport 9 drop\n\t}\n}\n"

// nftWords are the rows about what the programs take and list.
var nftWords = map[string]func(*bench){
	"N1 an error on the last line":             lastLine,
	"N3 loaded again":                          loadedAgain,
	"N5 iptables -F and -X":                    iptablesFlush,
	"N6 a table that iptables takes for its":   tableOfIptables,
	"N8 a table with an owner":                 ownedTable,
	"N9 a text that is cut":                    cutText,
	"N10 quotes":                               quotes,
	"N11 sets without elements":                emptySets,
	"N13 ports":                                ports,
	"N14 ten thousand prefixes":                manyPrefixes,
	"N15 the check and the load":               checkAndLoad,
	"N16 the zone of nft":                      zoneOfNft,
	"N17a what one release lists":              listedByOne,
	"N18 elements that packets have put there": dynamicElements,
	"N19 a reload forgets":                     reloadForgets,
	"I7 the limits of iptables":                limitsOfIptables,
}

func lastLine(b *bench) {
	good := b.ours(`in = [ { allow = "http" } ]`)
	for _, bad := range []string{
		"add rule inet fwpush input ip saddr @nosuch accept\n",
		"delete rule inet fwpush input handle 9999\n",
		"add rule inet fwpush input acept\n",
	} {
		for _, before := range []string{foreignTable, good} {
			b.nft(before)
			was := b.all()
			for _, args := range [][]string{{"nft", "-c", "-f", "-"}, {"nft", "-f", "-"}} {
				b.refused("rror", good+bad, args...)
				if now := b.all(); now != was {
					b.Errorf("%v left a trace of %q:\n%s", args, bad, now)
				}
			}
		}
		b.reset()
	}
	b.nft(good)
}

func loadedAgain(b *bench) {
	text := b.ours(`in = [ { allow = "http" } ]`)
	b.nft(text)
	first := b.all()
	b.nft(text)
	if again := b.all(); again != first {
		b.Errorf("loaded twice:\n%s\nonce:\n%s", again, first)
	}
	b.reset()
	b.refused("No such file or directory", "delete table inet fwpush\n", "nft", "-f", "-")
	const chain = "table inet t {\n\tchain c {\n\t\ttcp dport 80 accept\n\t}\n}\n"
	b.nft(chain)
	b.nft(chain)
	if n := strings.Count(b.all(), "dport 80 accept"); n != 2 {
		b.Errorf("without delete a rule stands there %d times, want twice", n)
	}
	b.reset()
	b.nft(text)
	if _, err := b.rig.Run(b.Context(), []byte(strings.Replace(text, "delete table inet fwpush\n", "", 1)), "nft", "-f", "-"); b.suite == "bullseye" {
		// It crashes where a set with ranges is there already.
		if err == nil || !strings.Contains(err.Error(), "segmentation fault") {
			b.Errorf("nft 0.9.8 without delete: %v", err)
		}
	} else if err != nil {
		b.Error(err)
	} else if n, once := strings.Count(b.all(), "dport 80 accept"), strings.Count(first, "dport 80 accept"); once == 0 || n != 2*once {
		b.Errorf("without delete there are %d rules for port 80 where there was %d", n, once)
	}
	if b.suite != "trixie" { // it is of nft 1.0.7
		b.refused("syntax error", "destroy table inet fwpush\n", "nft", "-f", "-")
	}
	if strings.Contains(text, "destroy") {
		b.Error("the text says destroy")
	}
}

func iptablesFlush(b *bench) {
	b.nft(b.ours(""))
	was := b.all()
	for _, variant := range []string{"nft", "legacy"} {
		for _, program := range []string{"iptables-", "ip6tables-"} {
			if saved := b.load("", program+variant+"-save"); strings.Contains(saved, "fwpush") || strings.Contains(saved, "-A ") {
				b.Errorf("%s lists ours:\n%s", program+variant, saved)
			}
			b.load("", program+variant, "-F")
			b.load("", program+variant, "-X")
		}
	}
	b.sh("nft delete table ip filter || true; nft delete table ip6 filter || true")
	if now := b.all(); now != was {
		b.Errorf("after -F and -X:\n%s\nbefore:\n%s", now, was)
	}
}

// tableOfIptables is why ours has a name that no program of iptables knows: it would
// list a set as if there were none, and flush the table.
func tableOfIptables(b *bench) {
	b.nft("table ip filter { chain INPUT { type filter hook input priority 0; tcp dport { 80, 443 } accept; }; }")
	seen := b.sh("iptables-nft -S INPUT 2>&1 || true; iptables-nft -L INPUT 2>&1 || true")
	if strings.Contains(seen, "443") {
		b.Errorf("iptables understands the set now:\n%s", seen)
	}
	b.reset()
	for line := range strings.Lines(b.ours(`forward = [ { allow = "http" } ]`)) {
		if table, ok := strings.CutPrefix(line, "table "); ok && table != "inet fwpush {\n" {
			b.Errorf("a table of ours is %q", table)
		}
	}
}

// ownedTable holds a table by a program that stays, as firewalld can.
func ownedTable(b *bench) {
	if b.suite == "bullseye" { // it is of nft 0.9.9; see the row of internal/commit
		b.refused("unknown table option", "table inet fwpush { flags owner; }", "nft", "-f", "-")
		return
	}
	out := b.sh(`mkfifo /run/say; nft -i </run/say >/dev/null 2>&1 & exec 3>/run/say
echo 'table inet fwpush { flags owner; }' >&3
n=0; until nft list table inet fwpush >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 100 ] || exit 9; sleep 0.05; done
for how in '' -c; do nft $how delete table inet fwpush 2>&1 && echo "gone $how" || echo "rc $?"; done
exec 3>&-; wait; nft list tables`)
	if strings.Count(out, "Operation not permitted") != 2 || strings.Contains(out, "gone") {
		b.Errorf("to take away a table that has an owner:\n%s", out)
	}
}

func cutText(b *bench) {
	text := b.ours(`in = [ { allow = "http", from = ["10.9.0.8/29", "fd09::/64"] } ]`)
	block := strings.Index(text, "table inet fwpush {\n")
	block += len("table inet fwpush {\n")
	b.load(text, "tee", "/run/whole")
	out := b.sh(fmt.Sprintf(`i=%d; end=%d
while [ $i -lt $end ]; do
	head -c $i /run/whole >/run/cut; ! nft -c -f /run/cut 2>/dev/null || echo "loads when cut at $i"; i=$((i+17))
done`, block, len(text)-2))
	if out != "" {
		b.Error(out)
	}
	b.refused("rror", strings.ReplaceAll(text, "\n", "\r\n"), "nft", "-f", "-")
	b.refused("rror", "\ufeff"+text, "nft", "-f", "-")
	b.nft(strings.TrimSuffix(text, "\n"))
	b.reset()
	// A line for each thing loads as far as it goes, and that locks out.
	b.nft("add table inet t\nadd chain inet t c { type filter hook input priority 0; policy drop; }\n")
	b.expect(wire.Dropped, to(wire.TCP, 22, 7)...)
}

func quotes(b *bench) {
	rule := func(comment string) string {
		return "table inet t {\n\tchain c {\n\t\taccept comment \"" + comment + "\"\n\t}\n}\n"
	}
	b.refused("rror", rule(`a\"b`), "nft", "-f", "-")
	b.refused("rror", rule(`a" accept`), "nft", "-f", "-")
	b.refused("rror", rule(strings.Repeat("x", 129)), "nft", "-f", "-")
	b.nft(rule(strings.Repeat("x", 128)))
	b.nft(rule(strings.Repeat("x", 126) + "é"))
	b.reset()
	b.nft(rule("one\ntwo")) // so a program that reads lines is misled
	if !strings.Contains(b.all(), "one\ntwo") {
		b.Error("a line feed in a comment is gone")
	}
	b.reset()
	for _, c := range []string{`; flush ruleset`, `$x`, `\\`, `}`, `# x`} {
		b.nft(b.ours(`in = [ { allow = "http", comment = "` + c + `" } ]`))
		b.expect(wire.Accepted, to(wire.TCP, 80, 9)...)
		b.expect(wire.Dropped, to(wire.TCP, 81, 9)...)
	}
}

func emptySets(b *bench) {
	set := "set none { type ipv4_addr; flags interval;"
	chain := "chain c { type filter hook input priority 0; policy accept;"
	b.refused("syntax error", "table inet t { "+set+" elements = { }; }; }", "nft", "-f", "-")
	b.refused("syntax error", "table inet t { "+chain+" ip saddr { } drop; }; }", "nft", "-f", "-")
	b.nft("table inet t { " + set + " }; " + chain + " ip saddr @none drop; }; }")
	b.expect(wire.Accepted, to(wire.TCP, 80, 9)...)
	b.reset()
	b.nft("table inet t { " + set + " }; " + chain + " ip saddr != @none drop; }; }")
	b.expect(wire.Dropped, to(wire.TCP, 80, 9)[0])
	b.expect(wire.Accepted, to(wire.TCP, 80, 9)[1]) // the other family goes by
	b.reset()
	text := b.ours(`in = [ { allow = "http", from = "set:none", allow_empty = true }, { allow = "tcp/81", from = ["set:none", "10.9.0.9"], allow_empty = true } ]`,
		"[sets.none]\nallow_empty = true\naddresses = []")
	if m := regexp.MustCompile(`(elements = |addr )\{\s*\}|addr != `).FindString(text); m != "" {
		b.Errorf("the text has %q:\n%s", m, text)
	}
	b.nft(text)
	b.expect(wire.Dropped, to(wire.TCP, 80, 9)...)
	b.expect(wire.Accepted, to(wire.TCP, 81, 9)[0])
	b.expect(wire.Dropped, to(wire.TCP, 81, 9)[1])
}

func ports(b *bench) {
	for _, bad := range []string{"65536", "90-80", "{ 65536 }"} {
		b.refused("rror", "table inet t { chain c { tcp dport "+bad+" accept; }; }", "nft", "-f", "-")
	}
	text := b.ours(`in = [ { allow = ["ssh", "http", "dns", "ntp", "tcp/1-79", "tcp/65535"] } ]`)
	if m := regexp.MustCompile(`[sd]port \{? ?[a-z]+`).FindString(text); m != "" {
		b.Errorf("a name of a service reaches the host: %q", m)
	}
	b.nft(text)
	b.expect(wire.Dropped, append(to(wire.TCP, 0, 9), to(wire.TCP, 65534, 9)...)...)
	b.expect(wire.Accepted, append(to(wire.TCP, 1, 9), to(wire.TCP, 65535, 9)...)...)
}

func manyPrefixes(b *bench) {
	var list []string
	for i := range 5000 {
		list = append(list, fmt.Sprintf(`"10.%d.%d.0/25", "fd09:%x::/48"`, 10+i/250, i%250, i+1))
	}
	text := b.ours(`in = [ { allow = "http", from = "set:many" } ]`, "[sets.many]\naddresses = ["+strings.Join(list, ", ")+"]")
	b.refused("argument list too long", "", "nft", text)
	b.nft(text)
	p := to(wire.TCP, 80, 9)
	b.expect(wire.Dropped, p...)
	for i, a := range []string{"10.29.249.1", "fd09:1388::1"} {
		p[i].Src = mustAddr(a)
	}
	b.expect(wire.Accepted, p...)
}

// checkAndLoad: on one kernel, what the check takes the load takes.
func checkAndLoad(b *bench) {
	for what, script := range map[string]string{
		"ours":              b.ours(`in = [ { allow = "http", rate = "3/min" } ]`),
		"a flowtable":       "table inet t { flowtable f { hook ingress priority 0; devices = { eth0 }; }; }",
		"no such interface": "table inet t { flowtable f { hook ingress priority 0; devices = { nosuch }; }; }",
		"no such hook":      "table ip t { chain c { type nat hook forward priority 0; }; }",
		"no such chain":     "table inet t { chain c { jump nosuch; }; }",
	} {
		_, check := b.rig.Run(b.Context(), []byte(script), "nft", "-c", "-f", "-")
		if left := b.all(); left != "" {
			b.Errorf("%s: the check left\n%s", what, left)
		}
		_, load := b.rig.Run(b.Context(), []byte(script), "nft", "-f", "-")
		if (check == nil) != (load == nil) || (what == "ours") != (load == nil) && what != "a flowtable" {
			b.Errorf("%s: the check says %v and the load %v", what, check, load)
		}
		b.reset()
	}
}

func zoneOfNft(b *bench) {
	b.nft("table inet t { chain c { meta time < \"2037-12-31 12:00:00\" accept; }; }")
	utc := b.load("", "nft", "list", "ruleset")
	other := b.load("", "env", "TZ=XXX5", "nft", "list", "ruleset")
	if utc == other || !strings.Contains(utc, "12:00:00") {
		b.Errorf("nft lists the same in another zone:\n%s", other)
	}
}

func listedByOne(b *bench) {
	const form = "table inet t { chain c { type filter hook input priority 0; reject with icmpx %sadmin-prohibited; }; }"
	b.nft(fmt.Sprintf(form, "type "))
	if b.suite == "bullseye" {
		b.refused("syntax error", fmt.Sprintf(form, ""), "nft", "-f", "-")
	} else {
		b.nft(fmt.Sprintf(form, ""))
	}
	b.reset()
	b.nft(b.ours(`inbound = "reject"`))
	listing := b.load("", "nft", "-s", "list", "table", "inet", "fwpush")
	if long := strings.Contains(listing, "icmpx type "); long != (b.suite == "bullseye") {
		b.Errorf("icmpx is listed with type: %v", long)
	}
	b.nft("delete table inet fwpush\n" + listing)
	if again := b.load("", "nft", "-s", "list", "table", "inet", "fwpush"); render.Canonical(again) != render.Canonical(listing) {
		b.Errorf("a release does not load what it has listed:\n%s", again)
	}
}

func dynamicElements(b *bench) {
	text := b.ours(`in = [ { allow = "http", rate = "3/min burst 3" } ]`)
	b.nft(text)
	list := func() string { return b.load("", "nft", "-s", "list", "table", "inet", "fwpush") }
	before := list()
	b.expect(wire.Accepted, to(wire.TCP, 80, 9)...)
	after := list()
	if !strings.Contains(after, "10.9.0.9") {
		b.Errorf("no element of a dynamic set in\n%s", after)
	}
	if render.Canonical(before) != render.Canonical(after) {
		b.Error("a packet makes drift")
	}
	restore := "delete table inet fwpush\n" + after
	if b.suite == "bullseye" { // so what is kept of a host has no such elements
		b.refused("segmentation fault", restore, "nft", "-f", "-")
		restore = "delete table inet fwpush\n" + before
	}
	b.nft(restore)
	if render.Canonical(list()) != render.Canonical(before) {
		b.Error("a listing is another table once loaded")
	}
}

func reloadForgets(b *bench) {
	text := b.ours(`in = [ { allow = "ssh", rate = "3/min burst 3" } ]`)
	b.nft(text)
	knocks := make([]wire.Packet, 0, 12)
	for i := range uint16(6) {
		p := to(wire.TCP, 22, 9)[0]
		p.SrcPort += i
		knocks = append(knocks, p)
	}
	if n := b.accepted(knocks...); n != 3 {
		b.Errorf("%d of 6 pass", n)
	}
	if n := b.accepted(knocks...); n != 0 {
		b.Errorf("%d of 6 more pass", n)
	}
	b.nft(text)
	if n := b.accepted(knocks...); n != 3 {
		b.Errorf("after a reload %d of 6 pass", n)
	}
	for i := range knocks { // who manages is above the limit
		knocks[i].Src = address(false, 7)
	}
	b.expect(wire.Accepted, knocks...)
}

func limitsOfIptables(b *bench) {
	list := func(n int) string { return strings.TrimSuffix(strings.Repeat("7,", n), ",") }
	for _, variant := range []string{"nft", "legacy"} {
		filter := func(rules string) string { return "*filter\n" + rules + "\nCOMMIT\n" }
		restore := []string{"iptables-" + variant + "-restore"}
		ports := func(n string) string { return filter("-A INPUT -p tcp -m multiport --dports " + n + " -j ACCEPT") }
		b.load(ports(list(15)), restore...)
		b.load(ports(list(13)+",8:9"), restore...)
		b.refused("too many ports", ports(list(16)), restore...)
		b.refused("too many ports", ports(list(14)+",8:9"), restore...)
		b.load(filter(":"+strings.Repeat("N", 28)+" - [0:0]"), restore...)
		b.refused("", filter(":"+strings.Repeat("N", 29)+" - [0:0]"), restore...)
		b.reset()
	}
	var allow []string
	var open []wire.Packet
	for i := range uint16(25) {
		allow = append(allow, fmt.Sprintf(`"tcp/%d"`, 1000+10*i), fmt.Sprintf(`"tcp/%d-%d"`, 1003+10*i, 1005+10*i))
		open = append(open, append(to(wire.TCP, 1000+10*i, 9), to(wire.TCP, 1004+10*i, 9)...)...)
	}
	name := strings.Repeat("long-", 5) + "name"
	p := b.policy(`in = [ { allow = [`+strings.Join(allow, ", ")+`], from = "set:`+name+`", comment = "`+strings.Repeat("x", 120)+`" } ]`,
		"[sets."+name+"]\naddresses = [\"10.9.0.0/24\", \"fd09::/64\"]")
	for _, variant := range []string{"nft", "legacy"} { // the trees have no ipset
		_, script := way{text: iptables(false), script: loader(variant)}.load(b, p)
		b.sh(script)
		b.expect(wire.Accepted, open...)
		b.expect(wire.Dropped, to(wire.TCP, 1001, 9)...)
		b.reset()
	}
}
