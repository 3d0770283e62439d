package proposal

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"fwpush/internal/foreign"
)

// proposed is what is made of rules of IPv4.
func proposed(t *testing.T, rules string) Proposal {
	t.Helper()
	rs, err := foreign.ParseSave("*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:one - [0:0]\n"+rules+"COMMIT\n", foreign.IPv4, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Make("web", Rules{Files: map[foreign.Family]string{foreign.IPv4: "v4"}, Lines: true, Rules: rs})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text)
	}
	return p
}

var spaces = regexp.MustCompile(` +# .*`)

// rulesOf are the lines of the rules, without places.
func rulesOf(p Proposal) string {
	var lines []string
	for line := range strings.Lines(p.Text) {
		if line = spaces.ReplaceAllString(strings.TrimSpace(line), ""); strings.HasPrefix(line, "{") {
			lines = append(lines, strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(line, "{ "), ","), " }"))
		}
	}
	return strings.Join(lines, "\n")
}

func TestRules(t *testing.T) {
	const ssh = "-A INPUT -p tcp -m tcp --dport 22 "
	for name, tt := range map[string]struct{ rules, want, lost string }{
		"recent, by the minute": {
			ssh + "-m recent --set --name S --mask 255.255.255.255 --rsource\n" + ssh + "-m recent --rcheck --seconds 60 --hitcount 4 --name S --mask 255.255.255.255 --rsource -j DROP\n" + ssh + "-j ACCEPT\n",
			`allow = "ssh", rate = "3/min per source burst 3"`, "",
		},
		"recent, by the hour": {
			ssh + "-m recent --set --name S\n" + ssh + "-m recent --update --seconds 300 --hitcount 11 --name S -j DROP\n" + ssh + "-j ACCEPT\n",
			`allow = "ssh", rate = "2/min per source burst 10"`, "",
		},
		"recent of a list that somebody fills is no rate": {
			"-A INPUT -m recent --rcheck --name BAD -j DROP\n" + ssh + "-j ACCEPT\n",
			`allow = "ssh"`, "what it refuses may be let in",
		},
		"a limit that accepts":      {ssh + "-m limit --limit 3/min --limit-burst 9 -j ACCEPT\n", `allow = "ssh", rate = "3/min global burst 9"`, ""},
		"a limit that is none":      {ssh + "-m limit --limit 3/min -j ACCEPT\n" + ssh + "-j ACCEPT\n", `allow = "ssh"`, ""},
		"a limit turned round":      {ssh + "-m limit --limit 3/min -j DROP\n" + ssh + "-j ACCEPT\n", `allow = "ssh"`, "a limit turned round"},
		"hashlimit up to":           {ssh + "-m hashlimit --hashlimit-upto 10/min --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name s -j ACCEPT\n", `allow = "ssh", rate = "10/min per source burst 5"`, ""},
		"hashlimit above":           {ssh + "-m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-srcmask 24 --hashlimit-name s -j DROP\n" + ssh + "-j ACCEPT\n", `allow = "ssh", rate = "2/s per net burst 5"`, ""},
		"hashlimit of destinations": {ssh + "-m hashlimit --hashlimit-upto 2/sec --hashlimit-mode dstip --hashlimit-name s -j ACCEPT\n", "", "it opens nothing"},
		"connlimit":                 {"-A INPUT -p tcp -m tcp --dport 80 -m connlimit --connlimit-above 20 --connlimit-mask 32 --connlimit-saddr -j REJECT\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n", `allow = "http", max_conns = 20`, ""},
		"a limit on a part": {
			ssh + "-s 10.0.0.0/8 -j ACCEPT\n" + ssh + "-m hashlimit --hashlimit-above 2/sec --hashlimit-mode srcip --hashlimit-name s -j DROP\n" + ssh + "-j ACCEPT\n",
			`allow = "ssh", from = "10.0.0.0/8"` + "\n" + `allow = "ssh", from = ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"], rate = "2/s per source burst 5"`, "",
		},
		"a limit for all but some": {
			ssh + "-s 10.0.0.0/8 -j ACCEPT\n" + ssh + "-m limit --limit 3/min -j ACCEPT\n",
			`allow = "ssh", from = "10.0.0.0/8"` + "\n" + `allow = "ssh", from = ["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255", "::/0"], rate = "3/min global burst 5"`, "",
		},
		"a limit before a chain": {ssh + "-m limit --limit 3/min -j one\n-A one -j ACCEPT\n", "", "left out with all behind it"},

		"a refusal before": {"-A INPUT -s 203.0.113.0/24 -j DROP\n" + ssh + "-j ACCEPT\n", `deny = "all", from = "203.0.113.0/24"` + "\n" + `allow = "ssh"`, ""},
		"a refusal behind": {ssh + "-j ACCEPT\n-A INPUT -s 203.0.113.0/24 -j DROP\n", `allow = "ssh"`, ""},
		"a refusal that something got past": {
			ssh + "-s 203.0.113.7 -j ACCEPT\n-A INPUT -s 203.0.113.0/24 -j DROP\n" + ssh + "-j ACCEPT\n",
			`allow = "ssh", from = ["0.0.0.0-203.0.112.255", "203.0.113.7", "203.0.114.0-255.255.255.255"]`, "",
		},
		"many sources are a set": {many(20), `allow = "ssh", from = "set:web-1"`, ""},
		"a chain that returns":   {"-A INPUT -p tcp -m tcp --dport 80 -j one\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n-A one -s 10.0.0.0/8 -j RETURN\n-A one -j DROP\n", `allow = "http", from = "10.0.0.0/8"`, ""},
		"half of a condition":    {ssh + "-m geoip --source-country DE -j ACCEPT\n", "", "it opens nothing"},
		"names are wildcards":    {ssh + "-i eth+ -j ACCEPT\n", "", "interfaces called eth*"},
		"replies without state":  {"-A INPUT -p tcp -m tcp --sport 443 -j ACCEPT\n", "", "replies are let in anyway"},
	} {
		p := proposed(t, tt.rules)
		lost := strings.Join(words(p.Lost), "\n")
		if got := rulesOf(p); got != tt.want || !strings.Contains(lost, tt.lost) || tt.lost == "" && lost != "" {
			t.Errorf("%s: got\n%s\nlost %s\nwant\n%s", name, got, lost, tt.want)
		}
		if len(p.Opens) > 0 {
			t.Errorf("%s: opens %q", name, words(p.Opens))
		}
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "-A INPUT -s 198.51.100.%d/32 -p tcp -m tcp --dport 22 -j ACCEPT\n", 2*i)
	}
	return b.String()
}

// Thousands of rules, as fail2ban leaves, are worked out in seconds or given up.
func TestManyRules(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "-A INPUT -s 10.%d.%d.%d/32 -j DROP\n", i%200, i/200, i%7)
	}
	p := proposed(t, b.String()+"-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT\n")
	if !strings.Contains(p.Text, `allow = "https"`) || len(p.Opens)+len(p.Closes) > 0 {
		t.Errorf("%.2000s", p.File("v4"))
	}
	b.Reset()
	for i := range 4000 {
		fmt.Fprintf(&b, "-A INPUT ! -s 10.%d.%d.0/24 -p tcp -m tcp --dport %d -d 192.0.2.%d -j DROP\n", i%200, i/200, 1+i, i%250)
	}
	rs, err := foreign.ParseSave("*filter\n:INPUT ACCEPT [0:0]\n"+b.String()+"COMMIT\n", foreign.IPv4, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make("web", Rules{Rules: rs}); err != nil && err != errTooMuch {
		t.Error(err)
	}
	b.Reset()
	for i := range 4000 {
		fmt.Fprintf(&b, "-A INPUT -s 10.%d.%d.0/24 -p tcp -m tcp --dport %d -m connlimit --connlimit-above 9 --connlimit-mask 32 --connlimit-saddr -j DROP\n", i%200, i/200, 1+i)
	}
	if rs, err = foreign.ParseSave("*filter\n:INPUT ACCEPT [0:0]\n"+b.String()+"COMMIT\n", foreign.IPv4, false); err != nil {
		t.Fatal(err)
	}
	if _, err := Make("web", Rules{Rules: rs}); err != errTooMuch {
		t.Errorf("4000 limits: %v", err)
	}
}
