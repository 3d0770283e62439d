package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const cache = "/var/cache/fwpush-lab"

// fakeDebootstrap puts an empty cache over the machine's, in the world alone, and a debootstrap
// and an apt-get first in PATH. It returns a file with a line for each call of debootstrap.
func fakeDebootstrap(t *testing.T, script string) (calls string) {
	t.Helper()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("test", cache, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(cache, 0); err != nil {
			t.Error(err)
		}
	})
	bin := t.TempDir()
	calls = filepath.Join(bin, "calls")
	for name, text := range map[string]string{
		"debootstrap": "#!/bin/sh\necho \"$3 $5 $(readlink /proc/self/ns/net)\" >>" + calls + "\n" + script + "\n",
		"apt-get":     "#!/bin/sh\necho http://mirror.test/debian/\necho http://mirror.test/debian/\necho http://security.test/debian-security/\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return calls
}

func TestRootIsMadeOnceByTheMachinesMirror(t *testing.T) {
	calls := fakeDebootstrap(t, `sleep 0.3; mkdir -p "$4/var/cache/apt/archives"; touch "$4/made" "$4/var/cache/apt/archives/x.deb"`)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if dir, err := world.Root(t.Context(), "forky"); err != nil || dir != cache+"/forky" {
				t.Errorf("%q %v", dir, err)
			}
		})
	}
	wg.Wait()
	f := strings.Fields(read(t, calls))
	if len(f) != 3 || f[0] != "forky" || f[1] != "http://mirror.test/debian/" {
		t.Errorf("debootstrap was called with %q, want one call with the machine's mirror", f)
	} else if f[2] == ownNetSpace(t) {
		t.Error("debootstrap ran in the world's network, which leads nowhere")
	}
	if _, err := os.Stat(cache + "/forky/var/cache/apt/archives/x.deb"); err == nil {
		t.Error("the downloaded packages are still there")
	}
}

func TestInterruptedRootIsMadeAnew(t *testing.T) {
	fakeDebootstrap(t, `mkdir "$4" && touch "$4/made"`)
	if err := os.MkdirAll(cache+"/forky/half", 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := world.Root(t.Context(), "forky")
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != "made" {
		t.Errorf("the tree has %v, %v", entries, err)
	}
}

func TestRootFallsBackToAnotherMirror(t *testing.T) {
	calls := fakeDebootstrap(t, `mkdir "$4"; [ -z "$5" ] || { echo E: no such release; exit 1; }`)
	if _, err := world.Root(t.Context(), "forky"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(read(t, calls), "\n"); n != 2 {
		t.Errorf("%d calls, want the machine's mirror and then debootstrap's own", n)
	}
}

func TestRootThatCannotBeMade(t *testing.T) {
	fakeDebootstrap(t, `mkdir "$4"; echo "E: no such release $5"; exit 1`)
	for range 2 { // the second time must not take the failed tree for a good one
		_, err := world.Root(t.Context(), "forky")
		if err == nil || !strings.Contains(err.Error(), "E: no such release http://mirror.test/debian/") {
			t.Errorf("error %v does not say what debootstrap said", err)
		}
	}
	for _, suite := range []string{"", "../etc", "a b", "--help"} {
		if dir, err := world.Root(t.Context(), suite); err == nil {
			t.Errorf("%q was made in %s", suite, dir)
		}
	}
}

func TestWaitingForARootEndsWithItsContext(t *testing.T) {
	fakeDebootstrap(t, `mkdir "$4"`)
	lock, err := os.Create(cache + "/forky.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := world.Root(ctx, "forky"); err == nil || !strings.Contains(err.Error(), "wait for the root tree of forky") {
		t.Errorf("%v", err)
	}
}

func TestInterruptedDebootstrapEndsWithItsChildren(t *testing.T) {
	calls := fakeDebootstrap(t, `mkdir "$4"; sleep 1000`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { _, err := world.Root(ctx, "forky"); ended <- err }()
	sleepers := func() int {
		n := 0
		for pid := range descendants(os.Getpid()) {
			if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); string(line) == "sleep\x001000\x00" {
				n++
			}
		}
		return n
	}
	eventually(t, "debootstrap's child", func() bool { return sleepers() == 1 })
	cancel()
	if err := <-ended; err == nil {
		t.Error("an interrupted tree was called complete")
	}
	eventually(t, "its end", func() bool { return sleepers() == 0 })
	if n := strings.Count(read(t, calls), "\n"); n != 1 {
		t.Errorf("%d calls, want no further try after the interruption", n)
	}
}
