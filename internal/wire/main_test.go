package wire_test

import (
	"os"
	"testing"

	"fwpush/internal/lab"
)

// world has the root trees. The rigs need none of the rest: their namespaces are their own.
var world *lab.World

func TestMain(m *testing.M) {
	os.Exit(lab.Tests(m, 0, func(w *lab.World) error { world = w; return nil }))
}
