package compare

import (
	"net/netip"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/meaning"
	"fwpush/roles/space"
)

// Hosts are named where they are the other end, and not where the other end is a
// prefix that they happen to be in, nor when they get no rules or are selected.
func TestOthersAtTheOtherEnd(t *testing.T) {
	host := func(name, addr string, unmanaged bool) inventory.Host {
		return inventory.Host{Name: name, Unmanaged: unmanaged,
			Addresses: []inventory.Net{{Addresses: []inventory.At[netip.Addr]{{V: netip.MustParseAddr(addr)}}}}}
	}
	fleet := &inventory.Fleet{Hosts: []inventory.Host{
		host("db1", "10.0.0.1", false), host("db2", "10.0.0.2", false), host("printer", "10.0.0.3", true), host("web1", "10.0.0.4", false)}}
	others := OthersOf(fleet, func(name string) bool { return name == "web1" })
	for _, tt := range []struct{ name, from, to, want string }{
		{"one host", "10.0.0.1/32", "0.0.0.0/0", "db1 at the other end is not selected: what was edited may change rules there too, see fwpush diff -l db1"},
		{"hosts and an address of nobody", "0.0.0.0/0", "10.0.0.0/30", ""},
		{"a prefix", "10.0.0.0/8", "0.0.0.0/0", ""},
		{"anybody", "0.0.0.0/0", "0.0.0.0/0", ""},
		{"no rules there", "10.0.0.3/32", "0.0.0.0/0", ""},
		{"selected", "10.0.0.4/32", "0.0.0.0/0", ""},
		{"out", "0.0.0.0/0", "10.0.0.2/32", "db2 at the other end is not selected: what was edited may change rules there too, see fwpush diff -l db2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := space.All(false)
			b.Src, b.Dst = space.Prefix(netip.MustParsePrefix(tt.from)), space.Prefix(netip.MustParsePrefix(tt.to))
			if got := others.note([]meaning.Change{{Kind: meaning.Opened, Direction: roles.Input, Packets: b}}); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
