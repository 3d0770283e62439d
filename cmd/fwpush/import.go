package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/cmd/fwpush/internal/proposal"
	"fwpush/internal/foreign"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// importFlags say where rules are read.
type importFlags struct {
	iptables, ip6tables, nft, role *checked[string]
	hosts                          []string
	*hostFlags
}

func newImport(c *console, g *globals) *cobra.Command {
	f := &importFlags{iptables: only("FILE"), ip6tables: only("FILE"), nft: only("FILE"), role: only("NAME"), hostFlags: newHostFlags()}
	f.role.v = "imported"
	cmd := &cobra.Command{
		Use:   "import",
		Short: "propose a role for the rules that a host has already",
		Long: paragraph(`
		Print a role that does what the rules of a host do, in TOML, with the services and
		sets it names. Rules are read from what iptables-save and ip6tables-save print, or
		"nft -j list ruleset", or with --host by logging in to hosts of the fleet file. There
		all of them are read, iptables of both variants and nft, but for fwpush's own; hosts
		with the same rules share a role. Nothing is changed anywhere.

		The rules of iptables and nft are asked in order, and those of a role have none. What
		becomes of the first packet of everything is worked out, and the role is made of that
		and compared with it: what it opens or closes is said, with limits and with where dnat
		leads. What each role has built in (replies, loopback, ICMP, neighbours of IPv6) is
		left out and named, and so is what belongs to Docker, ufw, firewalld and others: they
		go on beside fwpush, as coexist of a host says. Each rule that is not carried over is
		named with its line: one that lets in and is not understood opens nothing, and behind
		one that refuses, what it refused may be let in.

		What is let in over IPv4 without an address in the rule is let in over IPv6 too where
		no rules of IPv6 were read: pass both.`) + exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitInterrupted),
		Example: `  iptables-save > v4; ip6tables-save > v6
  fwpush import --iptables v4 --ip6tables v6 --role web
  fwpush import --host 'web[01-20]' --role web
  ssh web1 sudo nft -j list ruleset | fwpush import --nft -`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.importRules(cmd.Context(), g, f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(f.iptables, "iptables", "read what iptables-save printed into `FILE`; - is standard input")
	flags.Var(f.ip6tables, "ip6tables", "read what ip6tables-save printed into `FILE`")
	flags.Var(f.nft, "nft", "read what nft -j list ruleset printed into `FILE`; - is standard input")
	flags.StringArrayVar(&f.hosts, "host", nil, "read the rules of the hosts that match `PATTERN`, as in -l of other verbs; repeated: each of them")
	_ = cmd.RegisterFlagCompletionFunc("host", completeHosts)
	flags.Var(f.role, "role", "`NAME` of the role; default imported")
	f.asking(cmd)
	return cmd
}

func (c *console) importRules(ctx context.Context, g *globals, f *importFlags) error {
	files := f.iptables.given || f.ip6tables.given || f.nft.given
	switch {
	case files && len(f.hosts) > 0:
		return ended(exitConfig, "rules are read from files or from hosts")
	case len(f.hosts) > 0:
	case !f.iptables.given && !f.ip6tables.given && !f.nft.given:
		return ended(exitConfig, "rules are read from --iptables FILE, --ip6tables FILE, --nft FILE or --host PATTERN")
	case f.nft.given && (f.iptables.given || f.ip6tables.given):
		return ended(exitConfig, "--nft goes without --iptables and --ip6tables: what iptables-nft loaded, iptables-save tells in full")
	}
	if _, found := inventory.ParseRoles("", []byte("[roles."+inventory.TOMLKey(f.role.v)+"]\n")); len(found.Errors()) > 0 {
		return ended(exitConfig, "--role: %s", found.Errors()[0].Msg)
	}
	if len(f.hosts) > 0 {
		return c.importHosts(ctx, g, f)
	}
	rs, from, err := c.readRules(f)
	if err != nil {
		return err
	}
	p, err := proposal.Make(f.role.v, rs)
	if err != nil {
		return ended(exitConfig, "%s: %v", from, err)
	}
	return shown(nil, c.propose(p, from))
}

// propose prints a proposal, and on stderr what differs.
func (c *console) propose(p proposal.Proposal, from string) error {
	for _, line := range append(p.Notes, p.Told()...) {
		c.Tell("%s", line)
	}
	c.Note("%s: %s not carried over, %s, %s", from, ui.Count(len(p.Lost), "rule"), ui.Count(len(p.Opens), "opening"), ui.Count(len(p.Closes), "closing"))
	_, err := io.WriteString(c.out, ui.SafeText(p.File(from)))
	return err
}

// importHosts proposes roles for hosts: one for those with the same rules. A host whose
// rules could not all be read has none.
func (c *console) importHosts(ctx context.Context, g *globals, f *importFlags) error {
	p, err := c.reach(ctx, g, inventory.Selection{Limit: []string{strings.Join(f.hosts, ",")}})
	defer p.close()
	if err == nil {
		err = p.preflight(ctx)
	}
	if err != nil {
		return err
	}
	results := progress.New(c, p.targets, progress.Reads).Work(observe, p.targets, p.options(f.forks, rollout.Risks{}))
	err = endedRun(results)
	var order []proposal.Rules
	hosts := map[string][]string{}
	var texts, unread, managed []string
	for _, r := range results {
		if r.Facts == nil || r.Err != nil {
			continue
		}
		if why := r.Facts.Foreign.Unread; why != "" {
			c.Tell("%s: left out, not all of its rules can be read: %s", r.Name, why)
			unread = append(unread, r.Name)
			continue
		}
		if r.Facts.Running != "" {
			managed = append(managed, r.Name)
		}
		rules := proposal.Rules{Files: map[foreign.Family]string{foreign.Inet: "the host"}, Rules: r.Facts.Foreign.Ruleset, V6: true}
		made, wrong := proposal.Make(f.role.v, rules)
		if wrong != nil {
			c.Tell("%s: left out: %v", r.Name, wrong)
			unread = append(unread, r.Name)
			continue
		}
		text := made.File("")
		if hosts[text] == nil {
			order, texts = append(order, rules), append(texts, text)
		}
		hosts[text] = append(hosts[text], r.Name)
	}
	if len(managed) > 0 {
		c.Tell("%s: fwpush's own rules are there already and left out: a role is made of what others have", inventory.Fold(managed))
	}
	for i, rules := range order {
		names, role := hosts[texts[i]], f.role.v
		if i > 0 {
			role = fmt.Sprintf("%.25s-%d", role, i+1) // 31 bytes are what a role's name may have
			if _, printing := io.WriteString(c.out, "\n"); printing != nil {
				return shown(err, printing)
			}
		}
		made, wrong := proposal.Make(role, rules)
		if wrong != nil {
			return ended(exitConfig, "%s: %v", inventory.Fold(names), wrong)
		}
		if printing := c.propose(made, fmt.Sprintf("%s (%d)", inventory.Fold(names), len(names))); printing != nil {
			return shown(err, printing)
		}
	}
	if err == nil && len(unread) > 0 {
		err = ended(exitFailed, "no role for %s: not all of the rules can be read, or worked out", inventory.Fold(unread))
	}
	return err
}

// readRules reads what the flags name.
func (c *console) readRules(f *importFlags) (rs proposal.Rules, from string, err error) {
	read := func(flag string, path string) (string, error) {
		text, err := c.slurp(path, foreign.MaxText)
		if err != nil {
			return "", ended(exitConfig, "--%s: %v", flag, err)
		}
		return string(text), nil
	}
	var saves []foreign.Ruleset
	for _, s := range []struct {
		name   string
		flag   *checked[string]
		family foreign.Family
	}{{"iptables", f.iptables, foreign.IPv4}, {"ip6tables", f.ip6tables, foreign.IPv6}} {
		if !s.flag.given {
			continue
		}
		text, err := read(s.name, s.flag.v)
		if err != nil {
			return rs, "", err
		}
		save, err := foreign.ParseSave(text, s.family, false)
		if err == nil && len(save.Tables) == 0 {
			err = errors.New("no table is in it")
		}
		if err != nil {
			return rs, "", ended(exitConfig, "%s: %v", s.flag.v, err)
		}
		saves = append(saves, save)
		if from != "" {
			from += " and "
		}
		from += s.flag.v
	}
	if f.nft.given {
		text, err := read("nft", f.nft.v)
		if err != nil {
			return rs, "", err
		}
		rules, err := foreign.ParseNft(text)
		if err != nil {
			return rs, "", ended(exitConfig, "%s: %v", f.nft.v, err)
		}
		return proposal.Rules{Files: map[foreign.Family]string{foreign.Inet: f.nft.v}, Lines: true, Rules: rules, V6: true}, f.nft.v, nil
	}
	rs = proposal.Rules{Rules: foreign.Join(foreign.Ruleset{}, saves...), V6: f.ip6tables.given, Lines: true,
		Files: map[foreign.Family]string{foreign.IPv4: f.iptables.v, foreign.IPv6: f.ip6tables.v}}
	return rs, from, nil
}
