package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// exampleFlow is a connection that somebody tries to make.
type exampleFlow struct {
	from     string // host, or a stranger
	to       string // host, or a stranger
	src, dst netip.Addr
	proto    string
	port     int
	want     string     // open, refused, silent; "" for whatever the file means today
	seen     netip.Addr // whom the other end sees, if it tells
}

func (f exampleFlow) String() string {
	return fmt.Sprintf("%s (%s) > %s (%s) %s/%d", f.from, f.src, f.to, f.dst, f.proto, f.port)
}

// exampleTests are the flows of the [[tests]] of the example, every allow and deny of
// each, as lines of FROM > TO WHAT ANSWER. An end is a host, all its networks or the
// one after @, or a stranger.
var exampleTests = map[string][]string{
	"the internet reaches only the web ports": {
		"internet > web1,web2,web3 tcp/80,tcp/443,udp/443 open",
		"internet > web1,web2,web3 tcp/22,tcp/5432,tcp/9100 silent",
	},
	"databases are reached from web only": {
		"web1@lan,web2@lan,web3@lan > db1@lan,db2@lan tcp/5432 open",
		"web1@lan,web2@lan,web3@lan > db1@lan,db2@lan tcp/22 refused",
	},
	"databases cannot call home": {
		"db1,db2 > internet tcp/80,tcp/443 silent",
	},
}

// exampleMore are flows that the file has rules for and no tests.
var exampleMore = []string{
	// node-exporter, for monitoring only
	"mon1@lan > web1@lan,web2@lan,web3@lan,db1@lan,db2@lan,bastion1@lan,gw1@lan tcp/9100 open",
	"web1@lan,bastion1@lan,gw1@lan > web2@lan,mon1@lan tcp/9100 silent",
	"web1@lan > db1@lan,db2@lan tcp/9100 refused",
	// SSH from the bastion, and to it
	"bastion1@lan > web1@lan,web2@lan,web3@lan,db1@lan,db2@lan,mon1@lan,gw1@lan tcp/22 open",
	"mon1@lan > web1@lan,gw1@lan tcp/22 silent",
	"mon1@lan > db1@lan,db2@lan tcp/22 refused",
	"internet > bastion1@wan tcp/2222 open",
	"internet > bastion1@wan tcp/22,tcp/80,udp/60001 silent",
	"ops > bastion1@wan tcp/2222,udp/60000,udp/60100 open",
	"ops > bastion1@wan udp/60101 silent",
	"ops > web1@wan,web2@wan,web3@wan tcp/22 open",
	"badnets > web1,bastion1@wan tcp/80,tcp/443,udp/443,tcp/2222 silent",
	// the rule with a date, before or after it
	"ops > web3@wan tcp/8080 ",
	"internet > web3@wan tcp/8080 silent",
	// the proxy of the gateway, and what is no business of others
	"web1@lan,bastion1@lan,mon1@lan > gw1@lan tcp/3128 open",
	"web1@lan > gw1@lan tcp/80,tcp/5432 silent",
	"internet > gw1@wan tcp/3128,tcp/22,tcp/80 silent",
	// the gateway passes on what comes from lan, and nothing else
	"mon1@lan,resolver@lan > internet tcp/80,tcp/443,udp/443 open",
	"internet > mon1@lan,resolver@lan tcp/80,tcp/443,udp/443 silent",
	// what databases may do, and what not
	"db1@lan > db2@lan tcp/5432 open",
	"db2@lan > db1@lan tcp/5432 open",
	"db1@lan,db2@lan > resolver@lan tcp/53,udp/53,udp/123 open",
	"db1@lan,db2@lan > mon1@lan tcp/53,udp/53,tcp/80,udp/123 silent",
	"db1@lan,db2@lan > gw1@lan tcp/3128,tcp/80,tcp/443 silent",
	"db1@lan > db2@lan udp/123 refused", // out by the rule for NTP, and refused there
	"db1@lan > db2@lan tcp/9100 silent",
	"web1@lan > db1@lan,db2@lan tcp/80,udp/5432 refused",
}

// TestExampleWithPackets: connections between the eight hosts, and between them and
// the internet, end as the file says of them. Each of them works as long as no host
// has rules.
func TestExampleWithPackets(t *testing.T) {
	t.Parallel()
	c := exampleController(t)
	hosts := startExample(t)
	var flows []exampleFlow
	for name, lines := range exampleTests {
		list := exampleExpand(t, lines...)
		if len(list) != exampleFlows[name] {
			t.Errorf("%s: %d flows, check asks about %d", name, len(list), exampleFlows[name])
		}
		flows = append(flows, list...)
	}
	flows = append(flows, exampleExpand(t, exampleMore...)...)
	datagrams := serveExample(t, hosts, flows)

	eachFlow(len(flows), mostTries, func(i int) {
		if got, _ := flows[i].try(hosts, "before"); got != "open" {
			t.Errorf("without rules: %s: %s", flows[i], got)
		}
	})
	if t.Failed() {
		return
	}
	loadExample(t, c, hosts)
	if t.Failed() {
		return
	}
	answers := make([]string, len(flows))
	eachFlow(len(flows), mostTries, func(i int) {
		f := flows[i]
		var seen netip.Addr
		answers[i], seen = f.try(hosts, "after")
		if f.want != "" && answers[i] != f.want {
			t.Errorf("%s: %s, want %s", f, answers[i], f.want)
		}
		if seen.IsValid() && seen != f.seen {
			t.Errorf("%s: the other end sees %s, want %s", f, seen, f.seen)
		}
		if _, arrived := datagrams.Load("after " + f.String()); f.proto == "udp" && arrived != (answers[i] == "open") {
			t.Errorf("%s: %s, but the datagram arrived: %v", f, answers[i], arrived)
		}
	})
	eachFlow(len(flows), 8, func(i int) {
		if said, by := flows[i].explained(t, c); said != answers[i] {
			t.Errorf("%s: %s, explain says %s by %s", flows[i], answers[i], said, by)
		}
	})
}

// mostTries are the connections that are tried at the same time. Most of them wait
// for an answer that does not come.
const mostTries = 100

// eachFlow does something for the flows from 0 to n, some at a time.
func eachFlow(n, atATime int, do func(i int)) {
	var going sync.WaitGroup
	slots := make(chan struct{}, atATime)
	for i := range n {
		slots <- struct{}{}
		going.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	going.Wait()
}

// exampleEnd is one end of flows in one network.
type exampleEnd struct {
	name, net string
	addrs     []netip.Addr
}

func exampleEnds(t *testing.T, words string) []exampleEnd {
	t.Helper()
	var list []exampleEnd
	for word := range strings.SplitSeq(words, ",") {
		name, net, _ := strings.Cut(word, "@")
		if n, ok := exampleStrangers[name]; ok {
			list = append(list, exampleEnd{name, "", n.addrs()})
			continue
		}
		e := exampleNamed(name)
		if e.name == "" {
			t.Fatalf("no host %s", name)
		}
		if net != "wan" {
			list = append(list, exampleEnd{name, "lan", e.lan.addrs()})
		}
		if net != "lan" {
			list = append(list, exampleEnd{name, "wan", e.wan.addrs()})
		}
	}
	return list
}

func exampleNamed(name string) exampleHost {
	for _, e := range exampleHosts {
		if e.name == name {
			return e
		}
	}
	return exampleHost{}
}

// exampleExpand are the flows of lines: every pair of addresses of one family.
func exampleExpand(t *testing.T, lines ...string) []exampleFlow {
	t.Helper()
	var list []exampleFlow
	for _, line := range lines {
		words := strings.Split(line, " ")
		if len(words) != 5 || words[1] != ">" {
			t.Fatalf("not a line of flows: %q", line)
		}
		for _, from := range exampleEnds(t, words[0]) {
			for _, to := range exampleEnds(t, words[2]) {
				for what := range strings.SplitSeq(words[3], ",") {
					for _, src := range from.addrs {
						for _, dst := range to.addrs {
							if src.Is4() != dst.Is4() {
								continue
							}
							f := exampleFlow{from: from.name, to: to.name, src: src, dst: dst, want: words[4], seen: src}
							if f.via() && src.Is4() && from.net == "lan" {
								f.seen = netip.MustParseAddr(exampleNamed("gw1").wan.v4)
							}
							f.proto, what, _ = strings.Cut(what, "/")
							if _, err := fmt.Sscan(what, &f.port); err != nil {
								t.Fatal(err)
							}
							what = fmt.Sprintf("%s/%d", f.proto, f.port)
							list = append(list, f)
						}
					}
				}
			}
		}
	}
	return list
}

// via tells whether a flow passes the gateway: between the internet and hosts that
// are in lan only.
func (f exampleFlow) via() bool {
	inside := func(name string) bool { e := exampleNamed(name); return e.lan.iface != "" && e.wan.iface == "" }
	_, in := exampleStrangers[f.from]
	_, out := exampleStrangers[f.to]
	return in && inside(f.to) || out && inside(f.from)
}

// host is the lab host that has an end.
func exampleLab(hosts map[string]*host, name string) *host {
	if _, ok := exampleStrangers[name]; ok {
		name = "internet"
	}
	return hosts[name]
}

// serveExample listens on every port that a flow goes to, but that of sshd. Whoever
// connects is told as whom he is seen. The map has what datagrams said that arrived.
func serveExample(t *testing.T, hosts map[string]*host, flows []exampleFlow) *sync.Map {
	t.Helper()
	type service struct {
		h     *host
		proto string
		port  int
		dst   netip.Addr // of UDP, whose answers must come from where the question went
	}
	done, datagrams := map[service]bool{}, &sync.Map{}
	for _, f := range flows {
		s := service{h: exampleLab(hosts, f.to), proto: f.proto, port: f.port}
		if f.proto == "udp" {
			s.dst = f.dst
		}
		if done[s] || f.proto == "tcp" && f.port == s.h.Port() {
			continue
		}
		done[s] = true
		if f.proto == "udp" {
			s.h.serveUDP(t, at(f.dst, f.port), func(from net.Addr, said []byte) []byte {
				datagrams.Store(string(said), true)
				return []byte(from.String())
			})
			continue
		}
		s.h.serve(t, f.port, func(conn net.Conn) { io.WriteString(conn, conn.RemoteAddr().String()) })
	}
	return datagrams
}

// try makes the connection and says what came of it, and as whom the other end saw
// it if that told. A datagram says when it was sent, and in which flow.
func (f exampleFlow) try(hosts map[string]*host, when string) (answer string, seen netip.Addr) {
	var conn net.Conn
	dialer := net.Dialer{Timeout: silence}
	local := netip.AddrPortFrom(f.src, 0)
	if f.proto == "tcp" {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(local)
	} else {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(local)
	}
	said := make([]byte, 100)
	n := 0
	var timeout net.Error
	err := exampleLab(hosts, f.from).net.do(func() (err error) {
		conn, err = dialer.Dial(f.proto, at(f.dst, f.port))
		return err
	})
	if err == nil {
		defer conn.Close()
		err = conn.SetDeadline(time.Now().Add(silence))
	}
	if err == nil && f.proto == "udp" {
		_, err = conn.Write([]byte(when + " " + f.String()))
	}
	if err == nil {
		n, err = conn.Read(said)
	}
	switch {
	case err == nil:
		peer, err := netip.ParseAddrPort(string(said[:n]))
		if err == nil {
			seen = peer.Addr().Unmap()
		}
		return "open", seen
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EACCES):
		return "refused", seen
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, syscall.EPERM): // EPERM: its own rules drop it
		return "silent", seen
	}
	return err.Error(), seen
}

// explained is what explain says of the flow at all that have a say: the host it
// leaves, the gateway, and the host it comes to.
func (f exampleFlow) explained(t *testing.T, c *controller) (answer, by string) {
	from, gw, to := exampleNamed(f.from), exampleNamed("gw1"), exampleNamed(f.to)
	var asks [][]string
	if f.from != "internet" && from.name != "" && from.backend != "none" {
		asks = append(asks, []string{from.name, "--leaves"})
	}
	if f.via() {
		in, out := gw.lan.iface, gw.wan.iface
		if from.name == "" || f.from == "internet" {
			in, out = out, in
		}
		asks = append(asks, []string{"gw1", "--forward", "--iface", in, "--out-iface", out})
	}
	if f.to != "internet" && to.backend != "none" {
		iface := to.lan.iface
		if f.dst.String() == to.wan.v4 || f.dst.String() == to.wan.v6 {
			iface = to.wan.iface
		}
		asks = append(asks, []string{to.name, "--iface", iface})
	}
	for _, ask := range asks {
		packet := fmt.Sprintf("%s %s > %s", f.proto, f.src, at(f.dst, f.port))
		var got struct{ Verdict, Host, Direction, Why, Place string }
		out := c.run(t, 0, append([]string{"explain", "-q", "-o", "json", "--packet", packet}, ask...)...).stdout
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Error(err)
		}
		by = fmt.Sprintf("%s of %s, %s, %s", got.Direction, got.Host, got.Why, got.Place)
		switch got.Verdict {
		case "accept":
		case "reject":
			return "refused", by
		case "drop":
			return "silent", by
		default:
			return got.Verdict, by
		}
	}
	return "open", by
}
