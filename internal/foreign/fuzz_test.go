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
		for _, p := range []Packets{{}, {IPv6: true, State: "new"}, from("192.0.2.1/32", 6, 22), from("2001:db8::/32", 17, 53)} {
			if got := rs.Walk(hook, p); got.Does == Refuses && got.By.Table == nil {
				t.Errorf("refused by nobody: %+v", got)
			}
		}
	}
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
