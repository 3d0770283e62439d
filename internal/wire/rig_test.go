package wire_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fwpush/internal/wire"
)

// The addresses of the hosts in these tests.
var (
	own4 = netip.MustParseAddr("10.0.0.1")
	own6 = netip.MustParseAddr("fd00::1")
	link = netip.MustParseAddr("fe80::1")
)

// newRig makes a rig that ends with the test. It needs root.
func newRig(t testing.TB, o wire.Options) *wire.Rig {
	t.Helper()
	if o.Interfaces == nil {
		o.Interfaces = []string{"eth0", "eth1", "wan0", "wan1"}
	}
	if o.Own == nil {
		for _, a := range []netip.Addr{own4, own6, link} {
			o.Own = append(o.Own, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	r, err := wire.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func load(t testing.TB, r *wire.Rig, script string, program ...string) {
	t.Helper()
	if err := r.Load(t.Context(), []byte(script), program...); err != nil {
		t.Fatal(err)
	}
}

func fates(t testing.TB, r *wire.Rig, packets ...wire.Packet) []wire.Fate {
	t.Helper()
	fates, err := r.Fates(t.Context(), packets)
	if err != nil {
		t.Fatal(err)
	}
	if len(fates) != len(packets) {
		t.Fatalf("%d fates of %d packets", len(fates), len(packets))
	}
	return fates
}

// TestNothingIsLeft closes rigs and looks for what keeps a namespace alive: files and sockets, and
// threads that are in it.
func TestNothingIsLeft(t *testing.T) {
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	use := func() {
		r, err := wire.New(t.Context(), wire.Options{Interfaces: []string{"eth0"}, Own: []netip.Prefix{netip.PrefixFrom(own4, 32)}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		load(t, r, "table inet t { chain c { type filter hook input priority 0; policy drop; }; }", "nft", "-f", "-")
		fates(t, r, syn4)
	}
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	astray := func() bool {
		threads, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(threads, func(path string) bool {
			ns, err := os.Readlink(path)
			return err == nil && ns != home
		})
	}
	use() // opens what the Go runtime keeps
	before := open()
	for range 3 {
		use()
	}
	if after := open(); after > before {
		t.Errorf("%d files are open after closing all rigs, %d before", after, before)
	}
	for deadline := time.Now().Add(10 * time.Second); astray(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a thread is still in a rig's namespace")
		}
	}
	// A rig that cannot be made leaves nothing either.
	if _, err := wire.New(t.Context(), wire.Options{Interfaces: []string{"eth0"}, Root: t.TempDir()}); err == nil {
		t.Error("a root tree without directories makes a rig")
	}
	if _, err := wire.New(t.Context(), wire.Options{Interfaces: []string{"all"}}); err == nil {
		t.Error("an interface with the name of a setting makes a rig")
	}
	if after := open(); after > before {
		t.Errorf("%d files are open after rigs that cannot be made, %d before", after, before)
	}
}
