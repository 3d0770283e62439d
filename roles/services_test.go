package roles

import (
	"slices"
	"testing"

	"fwpush/inventory"
)

func TestBuiltinsAreSortedAndComplete(t *testing.T) {
	var names []string
	for _, b := range builtins {
		names = append(names, b.name)
		if ports, ok := builtinPorts(b.name); !ok || len(ports) == 0 {
			t.Errorf("%s is not found or has no port", b.name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted or not unique: %v", names)
	}
	if _, ok := builtinPorts("httq"); ok {
		t.Error("httq was found")
	}
}

func TestMergePorts(t *testing.T) {
	tcp := func(from, to uint16) inventory.PortRange {
		return inventory.PortRange{Proto: "tcp", From: from, To: to}
	}
	udp := inventory.PortRange{Proto: "udp", From: 443, To: 443}
	for _, tt := range []struct{ in, want []inventory.PortRange }{
		{[]inventory.PortRange{tcp(443, 443), udp, tcp(80, 80), tcp(443, 443)}, []inventory.PortRange{tcp(80, 80), tcp(443, 443), udp}},
		{[]inventory.PortRange{tcp(82, 90), tcp(80, 81)}, []inventory.PortRange{tcp(80, 90)}},
		{[]inventory.PortRange{tcp(1, 65535), tcp(80, 81)}, []inventory.PortRange{tcp(1, 65535)}},
		{[]inventory.PortRange{tcp(65535, 65535), tcp(1, 1)}, []inventory.PortRange{tcp(1, 1), tcp(65535, 65535)}},
		{nil, nil},
	} {
		before := slices.Clone(tt.in)
		if got := mergePorts(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.in, got, tt.want)
		}
		if !slices.Equal(before, tt.in) {
			t.Errorf("%v was changed", before)
		}
	}
}
