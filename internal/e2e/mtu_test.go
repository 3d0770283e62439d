package e2e

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// bulk is more than any window of TCP: it does not arrive unless full-sized
// packets get through.
const bulk = 200_000

// exchange sends bulk and expects bulk.
func exchange(conn net.Conn) {
	if _, err := conn.Write(bytes.Repeat([]byte{'x'}, bulk)); err == nil {
		io.CopyN(io.Discard, conn, bulk)
	}
	conn.Write([]byte("done"))
}

// TestC3PathMTUDiscoveryThroughANarrowLink moves data both ways between a host
// with the rules of a web server and another one, over a path whose narrow link
// neither end can see: the ICMP errors that tell of it must pass.
func TestC3PathMTUDiscoveryThroughANarrowLink(t *testing.T) {
	t.Parallel()
	hosts := start(t, lab.HostOptions{Name: "mtu-web", PathMTU: 1300}, lab.HostOptions{Name: "mtu-client"})
	web, client := hosts[0], hosts[1]
	// Both ends of the exchange are managed.
	c := newController(t, webFleet("", hosts).String())
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	web.serve(t, 80, exchange)

	learnt := func(h *host, to netip.Addr) bool {
		return strings.Contains(h.sh(t, "ip route get "+to.String()), "mtu 1300")
	}
	for i, addr := range web.both() {
		back := client.both()[i]
		if learnt(web, back) || learnt(client, addr) {
			t.Fatalf("%s: the ends know the path already, nothing is to be discovered", addr)
		}
		conn, err := client.net.dial("tcp", at(addr, 80))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, conn, bulk); err != nil {
			t.Errorf("%s: %d bytes of %d came from the host: %v", addr, n, bulk, err)
		}
		if _, err := conn.Write(bytes.Repeat([]byte{'x'}, bulk)); err != nil {
			t.Error(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || string(answer) != "done" {
			t.Errorf("%s: the host has not got %d bytes: %q %v", addr, bulk, answer, err)
		}
		conn.Close()
		if !learnt(web, back) || !learnt(client, addr) {
			t.Errorf("%s: an end did not learn of the narrow link: was there one?", addr)
		}
	}
}
