package render_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fwpush/internal/lab"
	"fwpush/inventory"
	"fwpush/roles"
)

// TestC2BehaviourOnARealHost sends real packets, in both families, before and
// after the neighbour caches are flushed. Without a listener an open port
// answers with a reset, so "refused" is open where the default is drop.
func TestC2BehaviourOnARealHost(t *testing.T) {
	if world == nil {
		t.Fatal("needs namespaces; run without -fuzz")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	h, err := world.Host(ctx, lab.HostOptions{Name: "web1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	}()
	here := []string{world.Addr4().String(), world.Addr6().String()}
	heard := listen(t, here)

	me := peers(peer(roles.SetPeer, "me", here...))
	p := base(func(p *roles.Policy) {
		p.Management = roles.Management{Peers: me, Ports: []uint16{22}}
		p.Outbound = inventory.Reject
		p.In = []roles.Rule{
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(8443)}, From: me},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: portRange("tcp", 8000, 8010)}},
			{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(9000)}, From: peers(peer(roles.Literal, "", here[0]))}, // IPv4 only
			{Verb: inventory.DenyVerb, Traffic: roles.Traffic{Ports: tcp(8005)}},
		}
		p.Out = []roles.Rule{{Verb: inventory.AllowVerb, Traffic: roles.Traffic{Ports: tcp(heard)}, To: me}}
	})
	load := func(p roles.Policy) {
		t.Helper()
		if _, _, err := h.Exec(ctx, mustRender(t, p).Text, "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	load(p)
	for _, when := range []string{"after the load", "after the neighbours are forgotten"} {
		var knocks sync.WaitGroup
		for _, c := range []struct {
			port int
			want [2]string // v4, v6
		}{
			{22, [2]string{"open", "open"}},
			{8443, [2]string{"refused", "refused"}},
			{8010, [2]string{"refused", "refused"}},
			{8011, [2]string{"silent", "silent"}},
			{8005, [2]string{"silent", "silent"}},
			{9000, [2]string{"refused", "silent"}},
		} {
			for i, addr := range []netip.Addr{h.Addr4(), h.Addr6()} {
				knocks.Go(func() {
					if got := knock(ctx, addr, c.port); got != c.want[i] {
						t.Errorf("%s: %s port %d is %s, want %s", when, addr, c.port, got, c.want[i])
					}
				})
			}
		}
		knocks.Wait()
		for _, addr := range here {
			if out := call(ctx, h, addr, heard); out != "" {
				t.Errorf("%s: the host cannot call %s: %s", when, addr, out)
			}
			if out := call(ctx, h, addr, heard+1); !strings.Contains(out, "refused") {
				t.Errorf("%s: a call no rule allows: %q, want it refused at once", when, out)
			}
		}
		for _, f := range []string{"-4", "-6"} {
			if _, _, err := h.Exec(ctx, "", "ip", f, "neigh", "flush", "all"); err != nil {
				t.Fatal(err)
			}
		}
	}

	p.Inbound = inventory.Reject
	load(p)
	for _, addr := range []netip.Addr{h.Addr4(), h.Addr6()} {
		start := time.Now()
		if got := knock(ctx, addr, 8005); got != "refused" || time.Since(start) > patience/2 {
			t.Errorf("%s: a denied port is %s after %v, want refused at once", addr, got, time.Since(start))
		}
	}
}

// listen accepts connections on both addresses, at the same port.
func listen(t *testing.T, addrs []string) uint16 {
	t.Helper()
	var port uint16
	for _, a := range addrs {
		l, err := net.Listen("tcp", net.JoinHostPort(a, strconv.Itoa(int(port))))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
	return port
}

// patience is how long a packet may take before the port counts as silent.
const patience = 2 * time.Second

func knock(ctx context.Context, addr netip.Addr, port int) string {
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(port)).String())
	var timeout net.Error
	switch {
	case err == nil:
		c.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silent"
	}
	return err.Error()
}

// call connects from the host; it returns what bash says if that fails.
func call(ctx context.Context, h *lab.Host, addr string, port uint16) string {
	_, msg, err := h.Exec(ctx, "", "timeout", "5", "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d", addr, port))
	if err != nil && msg == "" {
		return err.Error()
	}
	return msg
}
