package meaning_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/meaning"
)

// What was kept decides every packet as the policy does that it was made of.
func TestKeepAndRecall(t *testing.T) {
	kept := policy(t, `outbound = "drop"
in = [ { allow = "http", from = "set:b", rate = "6/min", expires = 2099-01-01, iface = "eth0", comment = "c", name = "n" }, { deny = "ping", from = "192.0.2.1" } ]
forward = [ { allow = "gre", in_iface = "eth0" } ]
published = [ { allow = "tcp/8080", from = "set:b" } ]
nat = [ { dnat = true, to_addr = "10.0.0.9:80", dport = "http" } ]`)
	text, err := meaning.Keep(kept)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := meaning.Keep(kept); again != text || strings.Contains(text, "\n") {
		t.Errorf("not one line that is the same again: %q", text)
	}
	p, err := meaning.Recall(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(kept.In[0].From, p.In[0].From, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Errorf("other peers: %s", d)
	}
	if list, err := meaning.Diff(kept, p); err != nil || len(list) > 0 {
		t.Errorf("what is recalled differs: %+v, %v", list, err)
	}
	if list, err := meaning.Diff(policy(t, ""), p); err != nil || len(list) == 0 {
		t.Error("what is recalled is nothing")
	}
}

func TestRecallRefuses(t *testing.T) {
	good, err := meaning.Keep(policy(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no JSON": "\x1b[2J", "another version": strings.Replace(good, `"Version":2`, `"Version":3`, 1), "cut": good[:len(good)/2],
		"a key of a later version": strings.Replace(good, `{"Version"`, `{"More":1,"Version"`, 1), "twice": good + good,
		"a list that names somebody twice": strings.Replace(good, `"Management":[0]`, `"Management":[0,0]`, 1),
		"a peer of no kind":                strings.Replace(good, `"Kind":"literal"`, `"Kind":"lateral"`, 1),
		"a range that is none":             strings.Replace(good, "10.0.0.1", "10.0.0.9-10.0.0.1", 1),
	} {
		if _, err := meaning.Recall(text); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a policy that is too large for a host to keep it keeps which it was.
func TestTooLargeToKeep(t *testing.T) {
	large := policy(t, "")
	var list []inventory.AddrRange
	for i := range 60_000 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i), 15: 1})
		list = append(list, inventory.AddrRange{From: a, To: a})
	}
	large.In = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{All: true}, From: []roles.Peer{{Kind: roles.SetPeer, Name: "l", V6: list}}}}
	text, err := meaning.Keep(large)
	if _, refused := meaning.Recall(text); err != nil || len(text) > 200 || refused == nil || !strings.Contains(refused.Error(), "too large") {
		t.Errorf("%d bytes, %v, %v", len(text), err, refused)
	}
	large.In[0].From[0].V6 = list[1:]
	if other, _ := meaning.Keep(large); other == text {
		t.Error("two policies are kept as the same")
	}
	large.In[0].From[0].V6 = list[:10_000]
	if text, err := meaning.Keep(large); err != nil || len(text) < 10_000 {
		t.Errorf("a moderate one is not kept: %d bytes, %v", len(text), err)
	}
}

// FuzzRecall: what a host says it has kept is refused, or is a policy that is kept as the same again.
func FuzzRecall(f *testing.F) {
	f.Add(`{"Version":2,"Peers":[{"Kind":"literal","V4":["10.0.0.0/8","1.2.3.4-1.2.3.9"]}],"Policy":{"Management":[0],"Ports":[22],"In":[{"Verb":"drop","Ports":["tcp/1-9"],"From":[0]}]}}`)
	f.Add(`{"Version":2,"TooLarge":"x"}`)
	f.Add(unions(3, 4))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := meaning.Recall(text)
		if err != nil {
			return
		}
		list, err := meaning.Diff(p, roles.Policy{})
		if err != nil && len(list) > 0 {
			t.Errorf("%d changes and %v", len(list), err)
		}
		once, err := meaning.Keep(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := meaning.Recall(once)
		if err != nil {
			if strings.Contains(err.Error(), "too large") {
				return
			}
			t.Fatalf("%v: %s", err, once)
		}
		if again, err := meaning.Keep(q); err != nil || again != once {
			t.Fatalf("%v: kept as\n%s\nand then as\n%s", err, once, again)
		}
		if list, err := meaning.Diff(p, q); err == nil && len(list) > 0 {
			t.Fatalf("not the same when it is recalled: %+v of %s", list, once)
		}
	})
}

// A host that keeps a policy with rules that cut each other to pieces is told of, and
// not waited for.
func TestHostilePolicyIsGivenUp(t *testing.T) {
	hostile := policy(t, "")
	for i := range 4_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), 1})
		one := []roles.Peer{{Kind: roles.Literal, V4: []inventory.AddrRange{{From: a, To: a}}}}
		r := roles.Rule{Verb: inventory.DenyVerb, Name: "r", Traffic: roles.Traffic{All: true}, From: one}
		switch i % 3 {
		case 1:
			r.From, r.To = nil, one
		case 2:
			r.From, r.Traffic = nil, roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: uint16(i), To: uint16(i)}}}
		}
		hostile.In = append(hostile.In, r)
	}
	hostile.In = append(hostile.In, roles.Rule{Verb: inventory.AllowVerb, Name: "all", Traffic: roles.Traffic{All: true}})
	if _, err := meaning.Diff(hostile, policy(t, "in = [ { allow = \"http\" } ]")); err == nil {
		t.Error("it is worked out")
	}
}

// keptWith is what a host may keep, with lists of JSON in it.
func keptWith(peers, in string) string {
	list := func(s string) string { return "[" + strings.TrimSuffix(s, ",") + "]" }
	return `{"Version":2,"Peers":` + list(peers) + `,"Policy":{"Inbound":"drop","Outbound":"accept","In":` + list(in) + `}}`
}

// blocks are peers with as many addresses each.
func blocks(n, addresses int) string {
	var text strings.Builder
	for p := range n {
		fmt.Fprintf(&text, `{"Kind":"set","Name":"s%d","V4":[`, p)
		for i := range addresses {
			fmt.Fprintf(&text, `"%d.%d.%d.%d",`, p+1, i>>15, i>>7&255, i<<1&255)
		}
		text.WriteString("]},")
	}
	return strings.ReplaceAll(text.String(), ",]", "]")
}

// unions are rules of which each names other peers with many addresses.
func unions(rules, addresses int) string {
	peers, in := blocks(2, addresses), ""
	for i := range rules {
		peers += fmt.Sprintf(`{"Kind":"set","Name":"o%d","V4":["9.0.%d.%d"]},`, i, i>>8, i&255)
		in += fmt.Sprintf(`{"Verb":"allow","All":true,"From":[0,1,%d]},`, i+2)
	}
	return keptWith(peers, in)
}

// A policy that would take minutes and gigabytes is told of, and not waited for.
func TestHostileTextIsGivenUp(t *testing.T) {
	alike := ""
	for i := range 9_000 { // of one signature
		alike += fmt.Sprintf(`{"Verb":"drop","Ports":["tcp/1","udp/%d"]},`, i+1)
	}
	now := policy(t, "in = [ { allow = \"http\" } ]")
	many := now
	for i := range 9_000 {
		many.In = append(many.In, roles.Rule{Verb: inventory.DropVerb, Traffic: roles.Traffic{Ports: []inventory.PortRange{{Proto: "tcp", From: 1, To: 1}, {Proto: "udp", From: uint16(20_000 + i), To: uint16(20_000 + i)}}}})
	}
	const refused, tooMuch = "the text is refused", "more differs than can be worked out"
	for name, tt := range map[string]struct {
		text string
		now  roles.Policy
		want string
	}{
		"more than is kept":          {keptWith(strings.Repeat("{},", 200_000), ""), now, refused},
		"rules that say nothing":     {keptWith("", strings.Repeat("{},", 100_000)), now, refused},
		"ports of management":        {strings.Replace(keptWith("", ""), `"Inbound"`, `"Ports":[`+strings.Repeat("22,", 1_000)+`22],"Inbound"`, 1), now, refused},
		"a long name":                {keptWith(`{"Kind":"set","Name":"`+strings.Repeat("n", 1_000)+`"}`, ""), now, refused},
		"a peer that is not there":   {keptWith(blocks(1, 3), `{"Verb":"drop","From":[1]}`), now, refused},
		"many peers and rules":       {keptWith(strings.Repeat(`{"Kind":"literal"},`, 18_000), strings.Repeat(`{"Verb":""},`, 12_000)), now, ""},
		"one union in many rules":    {keptWith(blocks(2, 15_000), strings.Repeat(`{"Verb":"allow","All":true,"From":[0,1]},`, 50)), now, ""},
		"a union of its own in each": {unions(1_000, 14_000), now, tooMuch},
		"one peer many times":        {keptWith(blocks(1, 15_000), strings.TrimSuffix(`{"Verb":"drop","All":true,"From":[`+strings.Repeat("0,", 100_000), ",")+"]}"), now, refused},
		"groups in each refusal":     {strings.ReplaceAll(strings.Replace(keptWith(strings.ReplaceAll(blocks(1, 15_000), `"1.`, `"224.`), strings.Repeat(`{"Verb":"reject","All":true,"To":[0]},`, 6_000)), `"drop"`, `"reject"`, 1), "\n", ""), now, tooMuch},
		"steps that look alike":      {keptWith("", alike), many, tooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if p, err := meaning.Recall(tt.text); err != nil {
				got = refused
			} else if _, err = meaning.Diff(p, tt.now); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
