package foreign

import (
	"encoding/json"
	"os"
	"testing"
)

// Whatever a host sends, reading it and asking it about packets ends, without a panic.
func ask(t *testing.T, rs Ruleset, err error) {
	if err != nil {
		return
	}
	rs.By()
	rs.Published()
	rs.Without([]string{"inet fwpush"}, []string{"FWPUSH-*"})
	for _, hook := range []string{"prerouting", "input", "output", "forward"} {
		// Each is one of those before it: what is sure of all packets is sure of some of them.
		for _, narrower := range [][]Packets{{{}, {State: "new"}, from("192.0.2.0/24", 6, 22), from("192.0.2.1/32", 6, 22)}, {{IPv6: true, State: "new"}, from("2001:db8::/32", 17, 53)}} {
			var before Fate
			for i, p := range narrower {
				got := rs.Walk(hook, p)
				if got.Does == Refuses && got.By.Table == nil {
					t.Errorf("refused by nobody: %+v", got)
				}
				if i > 0 && before.Does != Unsure && got.Does != Unsure && got.Does != before.Does {
					t.Errorf("%s: %+v, but of %+v: %+v", hook, before, p, got)
				}
				if before = got; got.Does == Unsure && i > 0 {
					before = rs.Walk(hook, narrower[0])
				}
			}
		}
	}
}

// FuzzParseChains: each base chain is one of which nothing is known but where it stands.
func FuzzParseChains(f *testing.F) {
	f.Add("table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n\tchain x {\n\t}\n}\n")
	f.Add("table inet a {\n\tchain b {\n\t\ttype nat hook prerouting device \"eth0\" priority dstnat - 10; policy accept;\n\t}\n}\ntable netdev c {\n")
	f.Add("\tchain x {\n\t\ttype filter hook input priority 99999999999999999999 + 9; policy drop;\n")
	f.Fuzz(func(t *testing.T, text string) {
		rs := ParseChains(text)
		for _, table := range rs.Tables {
			for _, c := range table.Chains {
				if c.Base != nil && (len(c.Rules) != 1 || c.Rules[0].Verdict.Kind != Unknown) || c.Base == nil && len(c.Rules) > 0 {
					t.Errorf("%s %s: %+v", table, c.Name, c.Rules)
				}
			}
		}
		ask(t, rs, nil)
	})
}

func FuzzParseSave(f *testing.F) {
	for _, name := range []string{"docker.save", "mixed.save", "empty.save"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		rs, err := ParseSave(text, IPv4, false)
		ask(t, rs, err)
	})
}

func FuzzParseNft(f *testing.F) {
	text, err := os.ReadFile("testdata/words.json")
	if err != nil {
		f.Fatal(err)
	}
	// One seed for each object: large ones take the fuzzer minutes to make smaller.
	var doc struct{ Nftables []json.RawMessage }
	if err := json.Unmarshal(text, &doc); err != nil {
		f.Fatal(err)
	}
	for _, object := range doc.Nftables {
		f.Add(`{"nftables": [` + string(object) + `]}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rs, err := ParseNft(text)
		ask(t, rs, err)
	})
}
