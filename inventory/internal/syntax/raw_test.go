package syntax

import (
	"regexp"
	"strings"
	"testing"
)

// refusals holds texts against the beginning of what is said of them, "" for
// nothing.
func refusals(t *testing.T, check func(s string, table bool) (string, *Error), table bool, texts map[string]string) {
	t.Helper()
	for s, want := range texts {
		_, e := check(s, table)
		switch {
		case e == nil && want != "":
			t.Errorf("%q is taken, not refused: %s", s, want)
		case e != nil && (want == "" || !strings.HasPrefix(e.Error(), want)):
			t.Errorf("%q: %q, want %q", s, e.Error(), want)
		}
	}
}

func TestRawNftRules(t *testing.T) {
	refusals(t, RawNft, false, map[string]string{
		"tcp dport 113 reject with tcp reset":                    "",
		"tcp dport 1 log prefix \"# { ; include\" accept # { \"": "",
		"tcp dport vmap { 1 : jump x_a, 2 : goto x_b }":          "",
		"ip saddr @s_mgmt4 add @x_seen { ip saddr }":             "",
		"counter name \"x_c\" comment \"list; reset\"":           "",
		"ct event set new,destroy":                               "",
		"ip saddr { 192.0.2.1, 192.0.2.2 } tcp flags syn drop":   "",
		"meta mark set 1\n\n# comment\n\tlimit rate 1/second":    "",

		"log prefix \"#\" ; include \"/etc/shadow\"":    "';' is not allowed",
		"log prefix \"a\n\" accept":                     "a quote is open",
		"include \"/etc/shadow\"":                       "\"include\" is not allowed",
		"accept\n reset counters":                       "\"reset\" is not allowed",
		"delete table inet fwpush":                      "\"delete\" is not allowed",
		"delete @s_mgmt4 { ip saddr }":                  "\"delete s_mgmt4\" is not allowed",
		"ip saddr 192.0.2.1 add @ s_mgmt4 { ip saddr }": "\"add s_mgmt4\" is not allowed",
		"update @s_mgmt4 { ip saddr }":                  "\"update s_mgmt4\" is not allowed",
		"set add ip saddr @s_mgmt4":                     "\"set\" begins no rule",
		"ct state new set add ip saddr @s_mgmt4":        "\"add\" is not allowed",
		"meter d_ssh4 { ip saddr limit rate 1/second }": "\"meter d_ssh4\" is not allowed",
		"counter name \"c_web\"":                        "\"name c_web\" is not allowed",
		"jump icmp_in":                                  "\"jump icmp_in\" is not allowed",
		"tcp dport vmap { 22 : goto input }":            "\"goto input\" is not allowed",
		"jump":                                          "\"jump\" is not allowed",
		"type filter hook input priority 0":             "\"type\" is not allowed",
		"# nothing\n":                                   "raw text is empty",
		"policy accept":                                 "\"policy\" is not allowed",
		"set x_a {":                                     "\"set\" begins no rule",
		"counter x_a {":                                 "a rule goes on",
		"ip saddr {\n192.0.2.1 } accept":                "a rule goes on",
		"}\nchain x_a {":                                "a brace is closed",
		"accept \\":                                     "'\\\\' is not allowed",
		"ip saddr $x":                                   "'$' is not allowed",
	})
}

func TestRawNftBlocks(t *testing.T) {
	refusals(t, RawNft, true, map[string]string{
		"chain x_a {\n drop\n}\nchain x_b {\n drop\n}\nset x_s {\n type ipv4_addr\n}\nmap x_m {\n type ipv4_addr : verdict\n}": "",
		"set x_s {\n type ipv4_addr\n elements = { 192.0.2.1 } include \"/etc/shadow\"\n}":                                     "\"include\" is not allowed",
		"set x_s {\n type ipv4_addr\n auto-merge include \"/etc/shadow\"\n}":                                                   "\"include\" is not allowed",
		"set x_s {\n\ttype ipv4_addr\n\tpolicy memory\n\telements = { 192.0.2.1,\n 192.0.2.2 }\n} # end":                       "",
		"chain x_a { # own\n  tcp dport 1 accept; tcp dport 2 drop\n}\ncounter x_c {\n}":                                       "",
		"ct helper x_h {\n type \"ftp\" protocol tcp;\n}":                                                                      "",

		"set s_mgmt4 {\ntype ipv4_addr\n}":                                  "set \"s_mgmt4\" is not called x_NAME",
		"chain icmp_in {\ndrop\n}":                                          "chain \"icmp_in\" is not called x_NAME",
		"chain x_ {\ndrop\n}":                                               "chain \"x_\" is not called",
		"ct helper h_ftp_tcp {\ntype \"ftp\" protocol tcp\n}":               "ct helper \"h_ftp_tcp\"",
		"set s_mgmt4 { type ipv4_addr; }":                                   "\"set s_mgmt4 { type ipv4_addr; }\" begins no block",
		"flags dormant":                                                     "\"flags dormant\" begins no block",
		"log prefix \"#\" ; include \"/etc/shadow\"":                        "';' is not allowed",
		"tcp dport 1 accept":                                                "\"tcp dport 1 accept\" begins no block",
		"chain x_a {\n} chain icmp_in {\ndrop\n}":                           "\"} chain icmp_in {\" closes a block",
		"chain x_a {\naccept }":                                             "\"accept }\" closes a block",
		"chain x_a {\n}; chain icmp_in {\ndrop\n}":                          "';' is not allowed",
		"chain x_a {\naccept; include \"/etc/shadow\"\n}":                   "\"include\" is not allowed",
		"chain x_a {\ntype filter hook input priority -300\n}":              "\"type\" is not allowed",
		"chain x_a {\nupdate @s_mgmt4 { ip saddr }\n}":                      "\"update s_mgmt4\" is not allowed",
		"map x_m {\ntype mark : verdict\nelements = {\n1 : jump input }\n}": "\"jump input\" is not allowed",
		"chain x_a {\nip saddr 192.0.2.1":                                   "a brace is not closed",
	})
}

func TestRawIptables(t *testing.T) {
	refusals(t, RawIptables, false, map[string]string{
		"-p tcp --dport 113 -j REJECT --reject-with tcp-reset":     "",
		"! -s 192.0.2.0/24 -m policy --pol ipsec --dir in -j DROP": "",

		"-m comment --comment \"it is fine\" -f -j ACCEPT":                            "",
		"-m recent --set --name x --rsource":                                          "",
		"-m set --match-set fwp4-ops-01234567 src -j ACCEPT":                          "",
		"-j LOG --log-prefix \"- x: \"":                                               "",
		"-m statistic --mode random --probability 0.5 -m helper --helper ftp -j DROP": "",

		"# a comment\n -m comment --comment \"-A; x\" -j ACCEPT": "';' is not allowed",
		"-h":                      "\"-h\" is not allowed",
		"-j ACCEPT \"-h\"":        "\"-h\" is not allowed",
		"-j ACCEPT -\"h\"":        "\"-h\" is not allowed",
		"-fh -j ACCEPT":           "\"-fh\" is not allowed",
		"-j ACCEPT --hel":         "\"--hel\" is not allowed",
		"-V":                      "\"-V\" is not allowed",
		"-4 -j ACCEPT":            "\"-4\" is not allowed",
		"--ipv6 -j ACCEPT":        "\"--ipv6\" is not allowed",
		"-w 5 -j ACCEPT":          "\"-w\" is not allowed",
		"-C INPUT -j ACCEPT":      "\"-C\" is not allowed",
		"-j ACCEPT -- -A INPUT":   "\"--\" is not allowed",
		"-s 192.0.2.1 # office":   "\"#\" is not allowed",
		"-j FWPUSH-IN":            "\"FWPUSH-IN\" is a name of fwpush",
		"--goto=FWPUSH-REFUSE-IN": "\"--goto=FWPUSH-REFUSE-IN\" is a name of fwpush",
		"-j SET --add-set fwp4-mgmt-01234567 src":       "\"fwp4-mgmt-01234567\" is a name of fwpush",
		"-m hashlimit --hashlimit-name=fwp-ssh -j DROP": "\"--hashlimit-name=fwp-ssh\" is a name of fwpush",
		"\"\"":                   "\"\\\"\\\"\" is no rule",
		"-j ACCEPT --comment \"": "a quote is not closed",
		"COMMIT":                 "\"COMMIT\" is no rule",
	})
}

var (
	quotedText = regexp.MustCompile(`"[^"]*"`)
	fileWord   = regexp.MustCompile(`(^|[^A-Za-z0-9_./*-])(include|define)($|[^A-Za-z0-9_./*-])`)
)

// FuzzRawNft holds what is taken against a reading of its own, character by
// character: text stays in the place it is put into, and reading it on brings up
// nothing new.
func FuzzRawNft(f *testing.F) {
	for _, seed := range []string{
		"tcp dport 1 accept # x", "log prefix \"#\" ; include \"/x\"", "set x_s {\ntype ipv4_addr;\n}", "chain x_a {\n} chain b {\n}",
		"set x_s {\nauto-merge include \"/x\"\n}", "jump x_a", "add @ x_s { ip saddr }", "} {", "\"", "a\nlist",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, s string, table bool) {
		clean, e := RawNft(s, table)
		if e != nil {
			if e.Msg == "" || strings.ContainsAny(e.Error(), "\n\x00\x1b") || e.Char >= len(s) {
				t.Errorf("%q: %+v", s, e)
			}
			return
		}
		if again, e := RawNft(clean, table); e != nil || again != clean {
			t.Fatalf("%q became %q, and that %q, %v", s, clean, again, e)
		}
		depth := 0
		for line := range strings.Lines(clean) {
			outer, quoted := depth, false
			for _, c := range line {
				switch {
				case c == '"':
					quoted = !quoted
				case quoted:
				case c == '{':
					depth++
				case c == '}':
					depth--
				case c == '#', c == '$', c == '\\', c == ';' && depth == 0:
					t.Fatalf("%q is taken with %q", s, c)
				}
			}
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch {
			case quoted, depth < 0, !table && depth > 0:
				t.Fatalf("%q is taken and does not end with its line %q", s, line)
			case table && outer == 0 && (!strings.Contains(line, " x_") || !strings.HasSuffix(line, " {\n")):
				t.Fatalf("%q is taken with %q", s, line)
			case word == "table", fileWord.MatchString(quotedText.ReplaceAllString(line, `""`)):
				t.Fatalf("%q is taken with %q", s, line)
			}
		}
		if depth != 0 {
			t.Fatalf("%q is taken and not closed", s)
		}
	})
}
