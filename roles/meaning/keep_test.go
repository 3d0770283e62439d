package meaning_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/meaning"
	"fwpush/roles/verdict"
)

// What was kept decides every packet as the policy does that it was made of.
func TestKeepAndRecall(t *testing.T) {
	kept := policy(t, `outbound = "drop"
in = [ { allow = "http", from = "set:b", rate = "6/min", expires = 2099-01-01, iface = "eth0", comment = "c", name = "n" }, { deny = "ping", from = "192.0.2.1" } ]
forward = [ { allow = "gre", in_iface = "eth0" } ]
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
		"nothing": "", "no JSON": "\x1b[2J", "another version": strings.Replace(good, `"Version":1`, `"Version":2`, 1), "cut": good[:len(good)/2],
		"a key of a later version": strings.Replace(good, `{"Version"`, `{"More":1,"Version"`, 1), "twice": good + good,
		"a range that is none": strings.Replace(good, "10.0.0.1", "10.0.0.9-10.0.0.1", 1),
	} {
		if _, err := meaning.Recall(text); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRecall(f *testing.F) {
	f.Add(`{"Version":1,"Policy":{"Management":{"Peers":[{"Kind":"literal","V4":["10.0.0.0/8","1.2.3.4-1.2.3.9"]}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := meaning.Recall(text); err == nil {
			verdict.New(p)
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
	if _, err := meaning.Diff(hostile, policy(t, "in = [ { allow = \"http\" } ]")); !errors.Is(err, meaning.ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}
