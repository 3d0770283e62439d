package e2e

import (
	"net"
	"testing"
	"time"
)

// TestAHostHearsItsOwnMulticast has two programs of one host speak to each other
// through a group, as mDNS and cluster software do. What a host sends to a group
// that it is in comes back with its own source: no spoofed packet.
func TestAHostHearsItsOwnMulticast(t *testing.T) {
	t.Parallel()
	hosts := startLight(t, "group", 1)
	h := hosts[0]
	f := fleet{}
	f.add(h, `"web"`, `in = [ { allow = "mdns" } ]`)
	c := newController(t, f.String())
	hears := func(t *testing.T) {
		t.Helper()
		for _, family := range []struct {
			network string
			group   net.IP
			from    *net.UDPAddr
		}{
			{"udp4", net.ParseIP("224.0.0.251"), &net.UDPAddr{IP: h.Addr4().AsSlice()}},
			{"udp6", net.ParseIP("ff02::fb"), &net.UDPAddr{IP: h.Addr6().AsSlice()}},
		} {
			var listener, speaker *net.UDPConn
			err := h.net.do(func() error {
				eth, err := net.InterfaceByName("eth0")
				if err != nil {
					return err
				}
				to := &net.UDPAddr{IP: family.group, Port: 5353, Zone: eth.Name}
				if listener, err = net.ListenMulticastUDP(family.network, eth, to); err != nil {
					return err
				}
				speaker, err = net.DialUDP(family.network, family.from, to)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			defer speaker.Close()
			if err := listener.SetReadDeadline(time.Now().Add(silence)); err != nil {
				t.Fatal(err)
			}
			if _, err := speaker.Write([]byte("anybody?")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := listener.ReadFrom(make([]byte, 100)); err != nil {
				t.Errorf("%s: %v", family.network, err)
			}
		}
	}
	hears(t)
	c.runJSON(t, 0, "apply", "-y").expect(t, all(hosts, "confirmed"))
	hears(t)
}
