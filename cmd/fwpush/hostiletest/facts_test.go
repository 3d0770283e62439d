package hostiletest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fwpush/internal/simhost"
)

// word is evil as one word of a line: without what separates words.
var word = strings.Join(strings.Fields(evil), "_")

// spelled is evil in JSON, as nft -j would print it.
func spelled() string {
	text, _ := json.Marshal(evil) // of a string it has no error
	return string(text)
}

// again stands between lines that have a marker each.
const again = "\n\x00again\x00\n"

const txid = "0123456789abcdef0123456789abcdef"

// tales are what a host may add to its facts: lines, and sections of raw text.
func tales() map[string]string {
	m := map[string]string{
		"pending":       "pending " + txid + " " + word + " 30 " + word + " no " + word + " " + evil,
		"pending, open": "pending " + txid + " reverting 30 " + word + " yes " + word + " " + evil,
		"owner":         "owner 1 " + word + " " + word + " " + word,
		"lastrevert":    "lastrevert 1700000000 " + txid + " " + word,
		"lastdrill":     "lastdrill 1700000000 " + txid + " " + word + " 3 " + word,
		"nft":           "nft nftables v1.0.6 (" + evil + ")",
		"iptables":      "iptables iptables v1.8.9 (" + evil + ")",
		"probe":         "probe failed " + evil,
		"meta":          "section meta\ntx " + evil + "\nrun " + evil + "\nwhen " + evil + "\nby " + evil + "\n" + evil,
		"home":          "section home\n-A INPUT -m comment --comment " + evil + " -j DROP\nrefuse " + evil,
		"iptables -S":   "section foreign\n#: iptables nft\n*filter\n:INPUT DROP [0:0]\n:" + word + " - [0:0]\n-A INPUT -m comment --comment \"" + evil + "\" -j " + word + "\nCOMMIT\n",
		"nft -j": "section foreign\n#: nft\n" + fmt.Sprintf(`{"nftables":[{"table":{"family":"ip","name":%[1]s,"handle":1}},
{"chain":{"family":"ip","table":%[1]s,"name":%[1]s,"handle":1,"type":"filter","hook":"input","prio":0,"policy":"drop"}},
{"rule":{"family":"ip","table":%[1]s,"chain":%[1]s,"handle":2,"comment":%[1]s,"expr":[{"match":{"op":"==","left":{"meta":{"key":%[1]s}},"right":%[1]s}},{"jump":{"target":%[1]s}}]}}]}`, spelled()),
		"chains":        "section chains\ntable ip " + word + " {\n\tchain " + word + " {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}",
		"deep json":     "section foreign\n#: nft\n" + `{"nftables":` + strings.Repeat("[", 100_000),
		"running":       "section running\ntable inet fwpush {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 comment \"" + evil + "\" accept\n\t}\n}",
		"running, deep": "section running\n" + strings.Repeat("table inet fwpush {\n", 50_000),
		"policy":        "section policy\n{\"version\":1,\"host\":" + spelled() + ",\"inbound\":" + spelled() + "}",
		"timerat":       "timerat failed 500 " + evil + ";",
		"candidate":     "candidate refused " + evil,
		"run":           "run ro " + word + " 1 1 1 1",
		"lib":           "lib rw " + word + " -1 9999999999999999999 0 1",
		"addrs":         "section addrs\n2: " + word + "    inet 10.0.0.1/24 " + evil + "\n" + evil,
		"listen":        "section listen\nLISTEN 0 128 0.0.0.0:" + evil + " users:((\"" + evil + "\",pid=32,fd=3))\nLISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd" + word + "\",pid=1,fd=3))",
		"sshd":          "section sshd\nmaxstartups " + evil + "\nmaxsessions " + word + "\n" + evil,
	}
	for _, key := range []string{"proto", "uid", "uptime", "clock", "tracked", "trackable", "generation", "homelines", "engines", "stray", "unit", "unaged",
		"refused", "refused check", "held", "stuck"} {
		m[key+" of escapes"] = key + " " + evil
	}
	// These stop nothing: several at a time.
	for _, keys := range []string{"host bootid connection tools systemd", "ipv6 ipset loader exclusive homeforwards homesum", "init booted rules canon homed", "leased lacks ifaces loaders timersystemd backnft"} {
		var told []string
		for key := range strings.FieldsSeq(keys) {
			told = append(told, key+" "+evil)
		}
		m[keys] = strings.Join(told, again)
	}
	for _, key := range []string{"uptime", "clock", "tracked", "trackable", "generation", "homelines", "uid", "proto"} {
		for _, n := range []string{"-1", "9223372036854775807", "-9223372036854775808", "1e9", "0x10", "", strings.Repeat("9", 1000)} {
			m[key+" "+n[:min(len(n), 20)]] = key + " " + n
		}
	}
	for _, names := range []string{"running boot rules", "nfterror xterror", "policy canon meta nobody", "chains home"} {
		var told []string
		for name := range strings.FieldsSeq(names) {
			told = append(told, "section "+name+"\n"+evil+"\n"+evil)
		}
		m["sections "+names] = strings.Join(told, again)
	}
	return m
}

// TestHostileFacts: every field of what a host tells holds what no terminal shall get. It is told
// in no output of any verb, and not recorded.
func TestHostileFacts(t *testing.T) { facts(t, some) }

func facts(t *testing.T, s scale) {
	told := tales()
	for name := range told {
		if _, n, _ := strings.Cut(name, " "); s == some && strings.Trim(n, "-0123456789ex") == "" && n != "" {
			delete(told, name)
		}
	}
	f := newFleet(t, 1+len(told), simhost.Options{Systemd: true})
	f.window = 20 * time.Second
	f.serve(80)
	f.push()
	var fired atomic.Int64
	tell := func(p simhost.Program, before string) {
		for i, name := range sorted(told) {
			tale := told[name]
			b := behaviour{name, func(h *hijack, line string) {
				for l := range strings.SplitSeq(tale, again) {
					h.tell(l)
				}
				if strings.HasPrefix(tale, "section foreign") { // is looked at once all chains are known
					h.tell("section chains")
				}
				h.tell(line)
			}}
			f.sim.Host(1 + i).SetFaults(b.fault(point{p, before}, 1_000_000, &fired))
		}
	}
	tell(simhost.Inspect, "ask")
	runs := 0
	if s == all {
		runs++
		hosts, e := f.json(time.Minute, "status", "--forks", "300")
		t.Logf("%d hosts in %s", len(f.names), e.took)
		if h := hosts[f.names[0]]; h.Outcome != "ok" {
			t.Errorf("the honest host is %s: %s", h.Outcome, h.Error)
		}
	}
	verbs := [][]string{{"status", "-v"}, {"diff"}, {"import", "--host", "web*"}}
	if s == all {
		verbs = append(verbs, []string{"diff", "-v", "--stat"}, []string{"diff", "--between"}, []string{"diff", "-o", "json"}, []string{"diff", "--out", "plan.json"})
	}
	for _, args := range verbs {
		e := f.run(time.Minute, append(args, "--forks", "300")...)
		if !strings.Contains(e.out+e.err, "]0;pwned") {
			t.Errorf("%v tells nothing of it:\n%.3000s\n%.1000s", args, e.out, e.err)
		}
	}
	if runs += len(verbs); fired.Load() != int64(runs*len(told)) {
		t.Errorf("told %d times, by %d hosts in %d runs", fired.Load(), len(told), runs)
	}
	if s == all {
		f.defaults = `mode = "exclusive"`
		f.write()
		f.run(time.Minute, "diff", "--forks", "300")
	}
	tell(simhost.Doctor, "lib")
	f.run(time.Minute, "doctor", "--forks", "300", "-v")
	if s == all {
		f.run(time.Minute, "doctor", "--forks", "300", "-o", "json")
	}
}
