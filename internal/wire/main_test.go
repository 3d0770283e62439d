package wire_test

import (
	"fmt"
	"os"
	"testing"

	"fwpush/internal/lab"
)

// world has the root trees. The rigs need none of the rest: their namespaces are their own.
var world *lab.World

func TestMain(m *testing.M) {
	code, err := lab.Enter(func(w *lab.World) int {
		world = w
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
