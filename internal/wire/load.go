package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Load runs a program of the root tree on the host, with the script as its input, such as
// Load(ctx, rules, "nft", "-f", "-"), or "sh", "-e" for a script of commands. The error of a program
// that fails has what it wrote.
func (r *Rig) Load(ctx context.Context, script []byte, program ...string) error {
	if len(program) == 0 {
		return errors.New("wire: load: no program")
	}
	_, err := r.Run(ctx, script, program...)
	return err
}

// Run is Load for programs whose output matters, such as nft list ruleset. The output is what the
// program has written to both of its outputs.
func (r *Rig) Run(ctx context.Context, script []byte, program ...string) (output []byte, err error) {
	cmd := exec.CommandContext(ctx, "/usr/bin/env", program...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC0"}
	cmd.Dir = "/"
	if r.root != "" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.root}
	}
	cmd.Stdin = bytes.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := r.mounts.do(r.test.inside, cmd.Run); err != nil {
		return out.Bytes(), fmt.Errorf("wire: %s: %w: %s", strings.Join(program, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return out.Bytes(), nil
}

// Reset removes all rules and sets: of nftables, of iptables in both variants, and of ipset. It
// must not be called while a program loads some.
func (r *Rig) Reset(ctx context.Context) error {
	if err := r.resetLegacy(ctx); err != nil {
		return err
	}
	if err := r.test.forgetRules(); err != nil {
		return err
	}
	return r.test.forgetSets(ctx)
}

// setsLimit is how long ipset may hold sets that no rule uses any more, setsAgain when it is asked
// again: rules are taken apart after the answer that they are gone (nf_tables_trans_destroy_work).
const (
	setsLimit = 10 * time.Second
	setsAgain = time.Millisecond
)

// builtin are the chains of the tables that iptables-legacy may have.
func builtin(table string) string {
	switch table {
	case "filter", "security":
		return "INPUT FORWARD OUTPUT"
	case "nat":
		return "PREROUTING INPUT OUTPUT POSTROUTING"
	case "raw":
		return "PREROUTING OUTPUT"
	}
	return "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
}

// resetLegacy empties the tables of iptables-legacy, which only its own programs can. A host that
// never had one has no need of them.
func (r *Rig) resetLegacy(ctx context.Context) error {
	for _, family := range []string{"ip", "ip6"} {
		var tables []byte
		err := r.test.inside.do(func() (err error) {
			tables, err = os.ReadFile("/proc/thread-self/net/" + family + "_tables_names")
			if errors.Is(err, fs.ErrNotExist) { // a kernel without it
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("wire: %w", err)
		}
		var script strings.Builder
		for _, table := range strings.Fields(string(tables)) {
			fmt.Fprintf(&script, "*%s\n", table)
			for _, chain := range strings.Fields(builtin(table)) {
				fmt.Fprintf(&script, ":%s ACCEPT [0:0]\n", chain)
			}
			script.WriteString("COMMIT\n")
		}
		if script.Len() == 0 {
			continue
		}
		if err := r.Load(ctx, []byte(script.String()), family+"tables-legacy-restore"); err != nil {
			return err
		}
	}
	return nil
}
