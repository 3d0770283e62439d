package sshconfig

import (
	"testing"

	"fwpush/inventory"
)

// A host of the fleet that ProxyJump names with its port is another way than the same
// without, though the port is the usual one: ssh_config may have another for the second.
func TestJumpHostWithAPortAndWithout(t *testing.T) {
	r := resolver(t, "Host bastion\n  Port 2222\nHost web1\n  ProxyJump bastion:22\nHost web2\n  ProxyJump bastion\n")
	r.fleet = func(name string) (inventory.Endpoint, bool) {
		return inventory.Endpoint{Name: "bastion", Address: "10.9.0.1", Port: 22, Written: map[string]inventory.Place{}}, name == "bastion"
	}
	for name, want := range map[string]uint16{"web1": 22, "web2": 2222} {
		got, err := r.Resolve(t.Context(), []inventory.Endpoint{{Name: name, Address: "10.9.0.2", Port: 22, Written: map[string]inventory.Place{}}})
		if err != nil {
			t.Fatal(err)
		}
		if via := got[0].Via; via == nil || via.Port != want {
			t.Errorf("%s goes through %+v, want port %d", name, via, want)
		}
	}
}
