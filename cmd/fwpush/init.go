package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/adopt"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/ansible"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
)

// usualConfig is what --from-ssh-config means without a file.
const usualConfig = "~/.ssh/config"

// stdio is how a file is named that is standard input or output.
const stdio = "-"

// initFlags say what a first fleet file is made of, and where it goes.
type initFlags struct {
	ansible, sshConfig, hosts, out *checked[string]
	from                           []string
}

func newInit(c *console, g *globals) *cobra.Command {
	f := &initFlags{ansible: only("FILE|DIR"), sshConfig: only("FILE"), hosts: only("FILE"), out: only("FILE")}
	f.out.v = "fleet.toml"
	cmd := &cobra.Command{
		Use:   "init [HOST...]",
		Short: "write a first fleet file",
		Long: paragraph(`
		Write a fleet.toml to begin with: of an Ansible inventory, of an ssh_config, of a
		list of hosts as ssh takes them ([user@]host[:port]), or of nothing, with comments to
		go by. No host is contacted, and no file is overwritten.

		From Ansible, a group that names hosts becomes a role of them, without rules; a group
		of groups becomes a group. ansible_host, port, user, key, jump host (ProxyJump, or a
		ProxyCommand that is ssh -W) and become become ssh settings; fwpush_KEY is any key of
		a host. Hosts that are not reached by SSH are left out. FILE may be the JSON of
		"ansible-inventory --list", or - for that on standard input; anything else is read by
		ansible-inventory, if that is installed here.

		From an ssh_config, hosts are the names of Host lines without wildcards, and "ssh -G"
		says what ssh does for each.

		What a fleet file cannot say is named on stderr, and as a comment where the host
		stands. management.from is proposed from the addresses of this machine towards the
		hosts, or is what --from says; look at it before anything is pushed.`) + exitStatus(exitOK, exitConfig),
		Example: `  fwpush init --ansible inventory.json
  fwpush init --from-ssh-config
  fwpush init web1 root@db1:2222 --from 198.51.100.16/28`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.inventory.given && !f.out.given { // the file that the other verbs will read
				f.out.v = g.inventory.file
			}
			return c.init(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(f.ansible, "ansible", "make it of this inventory `FILE|DIR` of Ansible")
	flags.Var(f.sshConfig, "from-ssh-config", "make it of the hosts in this ssh_config `FILE`; default ~/.ssh/config")
	flags.Lookup("from-ssh-config").NoOptDefVal = usualConfig
	flags.Var(f.hosts, "hosts", "make it of the hosts in `FILE`, one a line; - is standard input")
	flags.StringArrayVar(&f.from, "from", nil, "`ADDRESS` or prefix that pushes come from, for management.from; repeated: each")
	flags.Var(f.out, "out", "write `FILE`; default what -i names, else fleet.toml; - is standard output")
	return cmd
}

func (c *console) init(ctx context.Context, f *initFlags, args []string) error {
	// FWPUSH_SSH_CONFIG=none is for all verbs: it says that there is none to go by.
	if f.sshConfig.v == "none" {
		f.sshConfig.given = false
	}
	// A flag whose value may be missing takes one behind = only; the word behind it was meant.
	if f.sshConfig.v == usualConfig && len(args) == 1 {
		f.sshConfig.v, args = args[0], nil
	}
	sources := 0
	for _, given := range []bool{f.ansible.given, f.sshConfig.given, f.hosts.given || len(args) > 0} {
		if given {
			sources++
		}
	}
	if sources > 1 {
		return ended(exitConfig, "a fleet file is made of one thing: --ansible, --from-ssh-config, or hosts")
	}
	// Before anything is asked or run: it would be for nothing.
	if err := free(f.out.v); err != nil {
		return err
	}
	var text string
	switch {
	case sources > 0:
		fleet, err := c.adopted(ctx, f, args)
		if err != nil {
			return err
		}
		if text, err = c.first(ctx, f, fleet); err != nil {
			return err
		}
	case len(f.from) > 0:
		return ended(exitConfig, "--from goes with hosts; fwpush init --help says where they can come from")
	default:
		text = adopt.Starter(ctx, plan.Towards)
	}
	return c.put(f.out.v, text)
}

// adopted is the fleet that a source names.
func (c *console) adopted(ctx context.Context, f *initFlags, args []string) (adopt.Fleet, error) {
	var fleet adopt.Fleet
	switch {
	case f.ansible.given:
		inv, err := c.readAnsible(ctx, f.ansible.v)
		if err != nil {
			return fleet, err
		}
		var standard []string
		for _, r := range roles.List(&inventory.Fleet{}) {
			standard = append(standard, r.Name)
		}
		fleet = adopt.OfAnsible(inv, standard)
		fleet.Made = "Made by fwpush init of the Ansible inventory " + f.ansible.v + "."
	case f.sshConfig.given:
		path := f.sshConfig.v
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			home, err := os.UserHomeDir()
			if err != nil {
				return fleet, ended(exitConfig, "--from-ssh-config: %v", err)
			}
			path = filepath.Join(home, rest)
		}
		var err error
		if fleet, err = adopt.OfSSHConfig(ctx, path); err != nil {
			return fleet, ended(exitConfig, "--from-ssh-config: %v", err)
		}
		fleet.Made = "Made by fwpush init of " + f.sshConfig.v + "."
	default:
		words := args
		if f.hosts.given {
			text, err := c.slurp(f.hosts.v, 1<<20)
			if err != nil {
				return fleet, ended(exitConfig, "--hosts: %v", err)
			}
			for line := range strings.Lines(string(text)) {
				line, _, _ = strings.Cut(line, "#")
				words = append(words, strings.Fields(line)...)
			}
		}
		fleet = adopt.OfList(words)
		fleet.Made = "Made by fwpush init of a list of hosts."
	}
	return fleet, nil
}

// readAnsible is an inventory of any kind that Ansible takes.
func (c *console) readAnsible(ctx context.Context, path string) (ansible.Inventory, error) {
	var text []byte
	info, err := os.Stat(path)
	switch {
	case path == stdio, err == nil && info.Mode().IsRegular():
		if text, err = c.slurp(path, ansible.MaxSize); err != nil {
			return ansible.Inventory{}, ended(exitConfig, "--ansible: %v", err)
		}
	case err != nil:
		return ansible.Inventory{}, ended(exitConfig, "--ansible: %v", err)
	}
	if start := bytes.TrimLeft(text, "\ufeff \t\r\n"); path != stdio && !bytes.HasPrefix(start, []byte("{")) {
		if text, err = ansible.List(ctx, path); err != nil {
			return ansible.Inventory{}, c.unread(err)
		}
	}
	inv, found := ansible.Read(text)
	wrong := 0
	for _, p := range found {
		line := path + ": "
		if p.Of != "" {
			line += p.Of + ": "
		}
		if line += p.Msg; p.Hint != "" {
			line += "; " + p.Hint
		}
		if p.Note {
			c.Note("%s", line)
			continue
		}
		c.Tell("%s", line)
		wrong++
	}
	if wrong > 0 {
		return inv, ended(exitConfig, "%s in %s", ui.Count(wrong, "error"), path)
	}
	return inv, nil
}

// first is the text of a fleet, which fwpush check takes without an error.
func (c *console) first(ctx context.Context, f *initFlags, fleet adopt.Fleet) (string, error) {
	fleet = fleet.Mended()
	for _, line := range fleet.Told() {
		c.Tell("%s", line)
	}
	if len(fleet.Hosts) == 0 {
		return "", ended(exitConfig, "no host is left to make a fleet of")
	}
	for _, from := range f.from {
		fleet.From = append(fleet.From, adopt.Source{Value: from, Comment: "as --from says"})
	}
	if len(fleet.From) == 0 {
		fleet.From = fleet.Guard(ctx, plan.Towards)
	}
	if len(fleet.From) == 0 {
		return "", ended(exitConfig, "no address is known that hosts see this machine come from: no name resolves, or there is no route; say it with --from ADDRESS")
	}
	text := fleet.Text()
	parsed, found := inventory.Parse(f.out.v, []byte(text))
	found = append(found, roles.Check(parsed)...)
	if errors := parsed.Annotate(found.Errors()); len(errors) > 0 {
		errors.Sort()
		if err := errors.Print(c.err); err != nil {
			return "", err
		}
		hint := ""
		if slices.ContainsFunc(errors, func(p inventory.Problem) bool { return strings.HasPrefix(p.Key, "management") }) {
			hint = "; --from ADDRESS says where pushes come from"
		}
		return "", ended(exitConfig, "%s in what would be written%s", ui.Count(len(errors), "error"), hint)
	}
	c.Note("%s, %s", ui.Count(len(fleet.Hosts), "host"), ui.Count(len(fleet.Roles), "role"))
	return text, nil
}

// slurp reads a file whole, or standard input.
func (c *console) slurp(path string, most int64) ([]byte, error) {
	in := c.in
	if path != stdio {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: larger than %d MiB", path, most>>20)
	}
	return text, err
}

// free refuses a path that something is at.
func free(path string) error {
	if path == stdio {
		return nil
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return ended(exitConfig, "%s is there already and is not overwritten; --out names another file, --out - prints", path)
	case !errors.Is(err, fs.ErrNotExist):
		return ended(exitConfig, "%v", err)
	}
	return nil
}

// put writes a new file, whole or not at all, or prints.
func (c *console) put(path, text string) error {
	if path == stdio {
		_, err := io.WriteString(c.out, text)
		return shown(nil, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".fleet-*")
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	_, err = io.WriteString(temp, text)
	if err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close()); err == nil {
		err = os.Link(temp.Name(), path) // which, unlike a rename, replaces nothing
	}
	err = errors.Join(err, os.Remove(temp.Name()))
	if err != nil {
		return ended(exitConfig, "%v", err)
	}
	then := "fwpush check"
	if path != "fleet.toml" {
		then += " -i " + ui.Shell(path)
	}
	c.Note("%s is written; look at management.from, then: %s", path, then)
	return nil
}
