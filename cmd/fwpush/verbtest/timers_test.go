package verbtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fwpush/internal/lab"
)

// A host with one timer is left alone until its file says that one is enough; from then
// on everything that is told of it says so.
func TestOneTimer(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "timer1", "timer2")
	f.append("[roles.timer]\nin = [ { allow = \"https\" } ]\n")
	f.sh("timer2", lab.AtdDies)
	_, said := f.run(3, "apply", "-y", "-l", "timer2")
	for _, want := range []string{"timer2  failed at arm: 1 of 2 timers could be proved (watchdog): atd does not run jobs", "systemctl start atd", "there is no systemd", "timers = 1"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	if got := f.sh("timer2", "nft list tables"); got != "" {
		t.Errorf("rules were loaded: %s", got)
	}

	edit := func(old, text string) {
		t.Helper()
		path := filepath.Join(f.dir, "fleet.toml")
		file, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(file), old) {
			t.Fatalf("no %q in the file: %v", old, err)
		}
		f.file("fleet.toml", strings.Replace(string(file), old, text, 1))
	}
	edit("[hosts.timer2]\n", "[hosts.timer2]\ntimers = 1\n")
	file, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(file), "timers = 1")
	note := fmt.Sprintf("1 timer, accepted by fleet.toml:%d", strings.Count(before, "\n")+1)
	out, _ := f.run(1, "diff", "--color", "never")
	if strings.Count(out, note) != 1 {
		t.Errorf("diff does not say it once:\n%s", out)
	}
	_, said = f.run(0, "apply", "-y", "-v")
	for _, want := range []string{"timer2  note: " + note, "timer2  timers: watchdog", "timer1  timers: at, watchdog", "not persistent: "} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
	if out, _ := f.run(0, "status", "--color", "never"); !strings.Contains(out, note) {
		t.Errorf("status does not say it:\n%s", out)
	}
	edit("\"https\"", "\"http\"")
	stdout, _ := f.run(0, "apply", "-y", "-o", "json")
	var o struct {
		Hosts []struct {
			Name          string
			Timers, Notes []string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &o); err != nil {
		t.Fatal(err)
	}
	for _, h := range o.Hosts {
		want := []string{"at", "watchdog"}
		if h.Name == "timer2" {
			want = []string{"watchdog"}
		}
		if !slices.Equal(h.Timers, want) || slices.Contains(h.Notes, note) != (h.Name == "timer2") {
			t.Errorf("%s: timers %q, notes %q", h.Name, h.Timers, h.Notes)
		}
	}
}
