package lab

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Tests runs the tests of a package that need hosts, in a world that begin has been given first, and
// returns what its TestMain exits with. Above 0, parallel is how many of them run at once where the
// command line does not say: most wait for deadlines and do not compute.
//
// A fuzzer talks to its workers through descriptors that a world does not hand on, so under -fuzz
// there is no world; a fuzz target has to do without hosts.
func Tests(m interface{ Run() int }, parallel int, begin func(*World) error) int {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzz=") || strings.HasPrefix(arg, "-test.fuzzworker") {
			return m.Run()
		}
	}
	code, err := Enter(func(w *World) int {
		flag.Parse()
		f := flag.Lookup("test.parallel")
		if parallel > 0 && f.Value.String() == f.DefValue {
			if err := f.Value.Set(strconv.Itoa(parallel)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		if err := begin(w); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}
