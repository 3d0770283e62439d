package foreign

import (
	"fmt"
	"strings"
	"testing"
)

// What is within the bounds of a listing, and made to take long, is read and asked about in seconds.
// There is no limit of time here but that of the test: without the bounds they take minutes, or all memory.

func TestManyRulesOfOneSet(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
		{"set": {"family": "ip", "table": "t", "name": "s", "type": "ipv4_addr", "elem": ["203.0.113.1"`)
	for i := range 40_000 {
		fmt.Fprintf(&b, `, "10.9.%d.%d"`, i/256, i%256)
	}
	b.WriteString(`]}}`)
	for range 3000 {
		b.WriteString(`, {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}}, {"drop": null}]}}`)
	}
	rs, err := ParseNft(b.String() + "]}")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if got := rs.Walk("input", from("192.0.2.1/32", 6, 22)); got.Does != Passes {
			t.Fatalf("%d by %s", got.Does, got.By)
		}
	}
}

func TestElementsWithinElements(t *testing.T) {
	const depth = 4000
	deep := strings.Repeat(`{"elem": {"val": `, depth) + "22" + strings.Repeat("}}", depth)
	rs, err := ParseNft(`{"nftables": [{"set": {"family": "inet", "table": "t", "name": "s", "type": "inet_service", "elem": [` + strings.Repeat(deep+", ", 40) + `80]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if s := rs.Tables[0].Sets["s"]; !s.Opaque || len(s.Values.Numbers) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestManyConditionsBeforeAMap(t *testing.T) {
	rule := `{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [` + strings.Repeat(`{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 1}}, `, 20_000) +
		`{"vmap": {"key": {"payload": {"protocol": "th", "field": "dport"}}, "data": {"set": [[1, {"drop": null}]` + strings.Repeat(`, [2, {"drop": null}]`, 40_000) + `]}}}]}}`
	rs, err := ParseNft(`{"nftables": [` + rule + `]}`)
	if err != nil {
		t.Fatal(err)
	}
	if rules := rs.Tables[0].Chains[0].Rules; len(rules) != 1 || rules[0].Verdict.Kind != Unknown {
		t.Errorf("%d rules", len(rules))
	}
}
