package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/proposal"
	"fwpush/internal/foreign"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

// importFlags say where rules are read.
type importFlags struct {
	iptables, ip6tables, nft, role *checked[string]
}

func newImport(c *console) *cobra.Command {
	f := &importFlags{iptables: only("FILE"), ip6tables: only("FILE"), nft: only("FILE"), role: only("NAME")}
	f.role.v = "imported"
	cmd := &cobra.Command{
		Use:   "import",
		Short: "propose a role for the rules that a host has already",
		Long: paragraph(`
		Print a role that does what the rules of a host do, in TOML, with the services and
		sets it names. Rules are read from what iptables-save and ip6tables-save print, or
		"nft -j list ruleset". Nothing is changed, and no host is contacted.

		The rules of iptables and nft are asked in order, and those of a role have none. What
		becomes of the first packet of everything is worked out, and the role is made of that
		and compared with it: what it opens or closes is said. What each role has built in
		(replies, loopback, ICMP, neighbours of IPv6) is left out and named, and so is what
		belongs to Docker, ufw, firewalld and others: they go on beside fwpush, as coexist of
		a host says. A rule that is not understood opens nothing, and is named with its line.

		What is let in over IPv4 without an address in the rule is let in over IPv6 too where
		no rules of IPv6 were read: pass both.`) + exitStatus(exitOK, exitConfig),
		Example: `  iptables-save > v4; ip6tables-save > v6
  fwpush import --iptables v4 --ip6tables v6 --role web
  ssh web1 sudo nft -j list ruleset | fwpush import --nft -`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return c.importRules(f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(f.iptables, "iptables", "read what iptables-save printed into `FILE`; - is standard input")
	flags.Var(f.ip6tables, "ip6tables", "read what ip6tables-save printed into `FILE`")
	flags.Var(f.nft, "nft", "read what nft -j list ruleset printed into `FILE`; - is standard input")
	flags.Var(f.role, "role", "`NAME` of the role; default imported")
	return cmd
}

func (c *console) importRules(f *importFlags) error {
	switch {
	case !f.iptables.given && !f.ip6tables.given && !f.nft.given:
		return ended(exitConfig, "rules are read from --iptables FILE, --ip6tables FILE or --nft FILE")
	case f.nft.given && (f.iptables.given || f.ip6tables.given):
		return ended(exitConfig, "--nft goes without --iptables and --ip6tables: what iptables-nft loaded, iptables-save tells in full")
	}
	if _, found := inventory.ParseRoles("", []byte("[roles."+inventory.TOMLKey(f.role.v)+"]\n")); len(found.Errors()) > 0 {
		return ended(exitConfig, "--role: %s", found.Errors()[0].Msg)
	}
	rs, from, err := c.readRules(f)
	if err != nil {
		return err
	}
	p, err := proposal.Make(f.role.v, rs)
	if err != nil {
		return ended(exitConfig, "%s: %v", from, err)
	}
	for _, line := range append(p.Notes, p.Told()...) {
		c.Tell("%s", line)
	}
	c.Note("%s not carried over, %s, %s", ui.Count(len(p.Lost), "rule"), ui.Count(len(p.Opens), "opening"), ui.Count(len(p.Closes), "closing"))
	_, err = io.WriteString(c.out, ui.SafeText(p.File(from)))
	return shown(nil, err)
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
		return proposal.Rules{Files: map[foreign.Family]string{foreign.Inet: f.nft.v}, Rules: rules, V6: true}, f.nft.v, nil
	}
	rs = proposal.Rules{Rules: foreign.Join(foreign.Ruleset{}, saves...), V6: f.ip6tables.given,
		Files: map[foreign.Family]string{foreign.IPv4: f.iptables.v, foreign.IPv6: f.ip6tables.v}}
	return rs, from, nil
}
