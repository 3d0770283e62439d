package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fwpush/internal/commit"
)

// testdata is the path of a file that belongs to these benchmarks.
func testdata(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "testdata", name)
}

// stageShell writes down what the script `change` needs, for both rulesets.
func (f *labFleet) stageShell(b *testing.B, jobs [2]job) {
	b.Helper()
	texts := commit.HostTexts()
	for ruleset, j := range jobs {
		dir := fmt.Sprintf("shell%d", ruleset)
		if err := os.Mkdir(filepath.Join(f.dir, dir), 0o700); err != nil {
			b.Fatal(err)
		}
		f.write(b, dir+"/begin", texts.Begin)
		f.write(b, dir+"/finish", texts.Finish)
		for name, from := range map[string]string{"identity": world.KeyFile(), "known_hosts": world.KnownHosts()} {
			data, err := os.ReadFile(from)
			if err != nil {
				b.Fatal(err)
			}
			f.write(b, dir+"/"+name, string(data))
		}
		for i, h := range j.Hosts {
			name := f.hosts[i].Name()
			f.write(b, dir+"/"+name+".addr", f.hosts[i].Addr4().String())
			f.write(b, dir+"/"+name+".lengths", fmt.Sprintf("%d %d %d 0 %d", len(h.Rules), len(h.Kept), len(j.Revert), len(h.Policy)))
			f.write(b, dir+"/"+name+".files", h.Owner+"\nxargs\n"+h.Rules+h.Kept+j.Revert+h.Policy)
		}
	}
}

// xargs runs the script for fifty hosts at a time.
func (f *labFleet) xargs(b *testing.B) *exec.Cmd {
	cmd := f.command(b, "xargs", "-n", "1", "-P", "50", testdata("change"), filepath.Join(f.dir, fmt.Sprintf("shell%d", f.turn())))
	cmd.Stdin = strings.NewReader(strings.Join(f.names(), "\n"))
	return cmd
}

func (f *labFleet) names() []string {
	names := make([]string, len(f.hosts))
	for i, h := range f.hosts {
		names[i] = h.Name()
	}
	return names
}

// stageAnsible writes an inventory, the rules and a configuration with what makes Ansible fast.
func (f *labFleet) stageAnsible(b *testing.B, jobs [2]job) {
	b.Helper()
	var s strings.Builder
	for _, h := range f.hosts {
		fmt.Fprintf(&s, "%s ansible_host=%s ansible_user=root\n", h.Name(), h.Addr4())
	}
	f.write(b, "hosts.ini", s.String())
	f.write(b, "ansible.cfg", fmt.Sprintf(`[defaults]
inventory = hosts.ini
forks = 50
private_key_file = %s
interpreter_python = /usr/bin/python3
retry_files_enabled = false
[ssh_connection]
pipelining = true
ssh_args = -F none -C -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=%s
control_path_dir = %s/cp
`, world.KeyFile(), world.KnownHosts(), f.dir))
	for ruleset, j := range jobs {
		f.write(b, fmt.Sprintf("rules%d.nft", ruleset), j.Hosts[0].Rules)
	}
}

func (f *labFleet) ansible(b *testing.B) *exec.Cmd {
	return f.command(b, "ansible-playbook", testdata("playbook.yml"), "-e", fmt.Sprintf("rules=%s/rules%d.nft", f.dir, f.turn()))
}
