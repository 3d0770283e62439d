package verbtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretsAreNowhere looks, while a host runs rules that are not confirmed, for the two words that
// confirm them: they stand in two files of root's on the host, and in the record of the run, which its
// owner alone can read. Nobody else on the host finds out anything, and no variable of the controller's
// gets there, be it into a job.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web66")
	cmd := f.command("apply", "-y", "-v", "--window", "60s", "--soak", "3s")
	cmd.Env = append(cmd.Env, "TOKEN=hunter2-hunter2")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.until("web66", "cat /run/fwpush/tx/*/seal 2>/dev/null")
	words := map[string]string{"nonce": f.sh("web66", "cat /run/fwpush/tx/*/nonce"), "seal": f.sh("web66", "cat /run/fwpush/tx/*/seal"), "token": "hunter2-hunter2"}
	for name, word := range words {
		if len(word) < 15 {
			t.Fatalf("%s is %q", name, word)
		}
		if name == "token" {
			continue // the controller has it in its environment
		}
		for _, file := range []string{"cmdline", "environ"} {
			f.lacks(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file), map[string]string{name: word})
		}
	}
	f.sh("web66", "printf '%s\\n' "+words["nonce"]+" "+words["seal"]+" "+words["token"]+" >/needle")
	// The console's own shell came by its input as these words.
	if got := f.sh("web66", `for p in /proc/[0-9]*; do grep -aqFf /needle $p/cmdline $p/environ 2>/dev/null && echo $p; done
find /run /var/spool /var/lib/fwpush -type f -exec grep -laFf /needle {} + | sed 's|tx/[0-9a-f]*|tx/T|' | sort`); got != "/run/fwpush/tx/T/nonce\n/run/fwpush/tx/T/seal" {
		t.Errorf("the words are in %q", got)
	}
	if got := f.sh("web66", `sed -n 's/;* export .*//p' /var/spool/cron/atjobs/a* | sed 's/=.*//' | sort -u | tr '\n' ' '`); strings.Trim(strings.NewReplacer("LC_ALL", "", "PATH", "", "TZ", "", "OLDPWD", "", "PWD", "", "SHLVL", "").Replace(got), " ") != "" {
		t.Errorf("jobs carry the variables %s", got)
	}
	if got := f.sh("web66", `find /run/fwpush /var/lib/fwpush \( -perm /077 -o ! -user root \) ! -type l
setpriv --reuid 65534 --regid 65534 --clear-groups find /run/fwpush /var/lib/fwpush -mindepth 1 2>/dev/null || true`); got != "" {
		t.Errorf("open to others:\n%s", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	f.lacksText("what apply printed", said.String(), words)
	if console, err := f.hosts["web66"].Console(); err != nil {
		t.Error(err)
	} else {
		f.lacksText("the console", console, words)
	}
	records := 0
	_ = filepath.WalkDir(f.state, func(path string, e fs.DirEntry, _ error) error {
		info, err := e.Info()
		if err != nil || path == f.state {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), words["nonce"]) {
			records++
		}
		return err
	})
	if records != 1 {
		t.Errorf("%d files have the nonce, want the record of the run", records)
	}
}

// TestJumpHostAnswersForItsHosts has a jump host turn on the host behind it in the middle of a change: it
// answers itself. It can keep the change from being confirmed, and no more.
func TestJumpHostAnswersForItsHosts(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web67", "bastion67")
	web, bastion := f.hosts["web67"], f.hosts["bastion67"]
	f.write("fleet.toml", bastion.Addr4().String(), bastion.Addr6().String())
	f.append("[hosts.web67.ssh]\njump = \"bastion67\"\n")
	f.rewrite("[hosts.bastion67]\nroles = [\"bastion\"]\n", "[hosts.bastion67]\nunmanaged = true\n")
	f.json(0, "apply", "-y")
	before := f.ruleset("web67")
	f.append("[roles.web]\nin = [ { allow = \"tcp/8080\" } ]\n")
	o := f.json(0, "apply", "-y", "--confirm", "manual", "--window", "60s")
	f.sh("bastion67", fmt.Sprintf("nft -f - <<'X'\ntable inet answer {\n chain c {\n  type nat hook output priority -100;\n  ip daddr %s tcp dport 22 redirect\n  ip6 daddr %s tcp dport 22 redirect\n }\n}\nX\n",
		web.Addr4(), web.Addr6()))
	for _, verb := range [][]string{{"status"}, {"confirm", o.Run}, {"apply", "-y"}} {
		stdout, stderr := f.run(4, verb...)
		if !strings.Contains(stdout+stderr, "host key has changed") {
			t.Errorf("%s: %s\n%s", verb[0], stdout, stderr)
		}
	}
	if console, err := bastion.Console(); err != nil || !strings.Contains(console, "Connection from "+bastion.Addr4().String()) ||
		strings.Contains(console, "Accepted publickey for root from "+bastion.Addr4().String()) {
		t.Errorf("%v, the jump host was not asked, or it was logged in to as if it were the host:\n%s", err, console)
	}
	if got := f.sh("web67", "ls /run/fwpush"); !strings.Contains(got, ".applied.") {
		t.Errorf("not pending any more: %s", got)
	}

	f.sh("bastion67", "nft delete table inet answer")
	if o := f.json(0, "revert", o.Run); o.outcomes()["web67"] != "reverted" {
		t.Errorf("revert: %+v", o)
	}
	if got := f.ruleset("web67"); got != before {
		t.Errorf("runs\n%s\nand ran\n%s", got, before)
	}
}
