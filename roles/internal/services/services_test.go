package services

import (
	"slices"
	"testing"
)

func TestBuiltinsAreSortedAndComplete(t *testing.T) {
	var names []string
	for _, b := range builtins {
		names = append(names, b.name)
		if ports, ok := Ports(b.name); !ok || len(ports) == 0 {
			t.Errorf("%s is not found or has no port", b.name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted or not unique: %v", names)
	}
	if _, ok := Ports("httq"); ok {
		t.Error("httq was found")
	}
}
