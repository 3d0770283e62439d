package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fwpush/inventory"
)

func resolver(t testing.TB, config string) *Resolver {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := New(path, func(string) (inventory.Endpoint, bool) { return inventory.Endpoint{}, false })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fleetOf(n int) []inventory.Endpoint {
	eps := make([]inventory.Endpoint, n)
	for i := range eps {
		eps[i] = inventory.Endpoint{Name: fmt.Sprintf("web%d", i), Address: fmt.Sprintf("10.0.%d.%d", i/256, i%256), Port: 22, Written: map[string]inventory.Place{}}
	}
	return eps
}

// Where the configuration says the same of every host ssh is asked once, beside once for
// its defaults; and what it says is what it would say of each.
func TestAskedOnce(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "shared")
	if err := os.WriteFile(shared, []byte("Port 2200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, config string
		once         bool
	}{
		{"nothing", "", true},
		{"for all", "# all\nHost *\n  User ops\n  IdentityFile ~/.ssh/%r_%h\n  ProxyCommand nc %h %p\n  ControlPath /tmp/%C\n", true},
		{"an include", "Include " + shared + "\nUser=ops\n", true},
		{"a host", "Host web1\n  User ops\n", false},
		{"a host in quotes", "\"Host\" web1\n  User ops\n", false},
		{"a match", "Match user ops\n  Port 23\n", false},
		{"a name", "HostName %h.example.com\n", false},
		{"a token that ssh expands", "UserKnownHostsFile /tmp/known_%h\n", false},
		{"a directory", "Include " + filepath.Dir(shared) + "\n", false},
		{"a pattern of files", `Include "` + shared + "\"\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const hosts = 5
			got, err := resolver(t, tt.config).resolveAll(t, hosts)
			if err != nil {
				t.Fatal(err)
			}
			slow := resolver(t, tt.config)
			slow.alike = func() bool { return false }
			want, err := slow.resolveAll(t, hosts)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			r := resolver(t, tt.config)
			if _, err := r.resolveAll(t, hosts); err != nil || (r.Asked() == 2) != tt.once {
				t.Errorf("ssh was run %d times, %v", r.Asked(), err)
			}
		})
	}
}

func (r *Resolver) resolveAll(t testing.TB, n int) ([]Resolved, error) {
	return r.Resolve(t.Context(), fleetOf(n))
}

// A configuration that ssh refuses is told once, with its own words, and a Match exec that
// hangs ends with its time.
func TestRefused(t *testing.T) {
	r := resolver(t, "Host web1\nfoo bar\nPort 99999\n")
	_, err := r.resolveAll(t, 50)
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "line 2: Bad configuration option: foo") || r.Asked() >= 50 {
		t.Errorf("after %d runs: %v", r.Asked(), err)
	}
	began := time.Now()
	_, err = resolver(t, "Match exec \"sleep 1000\"\n  User ops\n").resolveAll(t, 1)
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "Match exec") || took > askTime+5*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

// StrictHostKeyChecking and what else could weaken a connection are not taken over.
func TestNothingIsWeakened(t *testing.T) {
	weak, err := resolver(t, "StrictHostKeyChecking no\nControlMaster auto\nControlPath /tmp/x\nCheckHostIP no\nVerifyHostKeyDNS yes\nForwardAgent yes\n").resolveAll(t, 1)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := resolver(t, "").resolveAll(t, 1)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", weak) != fmt.Sprintf("%+v", plain) {
		t.Errorf("got  %+v\nwant %+v", weak, plain)
	}
	for _, bad := range []string{"User $(id)\n", "HostName -oProxyCommand=x\n", "HostName a`id`\n"} {
		if got, err := resolver(t, "Host *\n"+bad).resolveAll(t, 1); err == nil {
			t.Errorf("%s: taken as %+v", bad, got)
		}
	}
}

// BenchmarkResolve counts the processes that ten thousand hosts cost.
func BenchmarkResolve(b *testing.B) {
	for name, config := range map[string]string{"one for all": "User ops\n", "one each": "Host web1\n  User ops\n"} {
		b.Run(name, func(b *testing.B) {
			n := map[string]int{"one for all": 10000, "one each": 100}[name]
			for b.Loop() {
				r := resolver(b, config)
				if _, err := r.resolveAll(b, n); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.Asked()), "processes")
			}
		})
	}
}
