package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/hostkeys"
	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/transport"
)

// trustFlags are the flags of trust.
type trustFlags struct {
	selecting
	output     *checked[string]
	forks      *checked[int]
	from       *checked[string]
	yes, check bool
}

func newTrust(c *console, g *globals) *cobra.Command {
	f := &trustFlags{output: oneOf("text", "json"), forks: forksFlag(), from: only("FILE")}
	cmd := &cobra.Command{
		Use:   "trust [PATTERN]",
		Short: "get to know the host keys of new hosts",
		Long: paragraph(`
		Have the selected hosts show their SSH host keys, compare these with known_hosts, and
		show those that are new, folded. One question, and its yes records them. Hosts are not
		logged in to. A jump host on the way comes first: what is behind it is asked only when
		its own key is trusted, so that there may be a question for each jump.

		A fingerprint proves nothing until somebody has compared it with what the host itself
		says, on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Or --from FILE
		compares it with fingerprints that came by another way: lines of NAME SHA256:..., or as
		ssh-keygen -l or known_hosts have them; "-" is the standard input. Hosts that show what
		is listed are recorded without a question, those that show something else are refused.

		A key that has changed or is revoked is never recorded (exit 3); the message says what
		to do. Keys go into the first file of ssh.known_hosts, else into ~/.ssh/known_hosts,
		with hidden names if there are hidden names in it.`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitInterrupted),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return one("PATTERN", "'web[01-20]'")(cmd, args)
		},
		ValidArgsFunction: completeHosts,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.Named = args[0]
			}
			hosts, err := c.trust(cmd.Context(), g, f)
			if f.output.v == "json" {
				return shown(err, ui.WriteJSON(c.out, hostkeys.Report{Schema: 1, Command: "trust",
					Exit: exitCode(err), Error: reason(err), Hosts: hostkeys.ReportOf(hosts)}))
			}
			return err
		},
	}
	f.selecting.register(cmd)
	flags := cmd.Flags()
	flags.Var(f.forks, "forks", "ask `N` hosts at a time; default rollout.parallel of the fleet file")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask: record what is new, whoever it is from")
	flags.BoolVar(&f.check, "check", false, "record nothing; exit 1 if something is new")
	addSSHConfig(cmd)
	flags.Var(f.from, "from", "compare with the fingerprints in `FILE`, - for the standard input")
	addOutput(cmd, f.output)
	return cmd
}

// trust gets to know the hosts stage by stage, and returns all that were looked at.
func (c *console) trust(ctx context.Context, g *globals, f *trustFlags) ([]*hostkeys.Host, error) {
	file, err := c.load(ctx, g, nil)
	if err != nil {
		return nil, err
	}
	members, err := choose(file, f.Selection)
	if err != nil {
		return nil, err
	}
	if _, err := c.asSSH(ctx, file, members); err != nil {
		return nil, err
	}
	listed, err := c.fingerprints(f.from)
	if err != nil {
		return nil, err
	}
	selected := make([]inventory.Host, len(members))
	for i, m := range members {
		selected[i] = m.Host
	}
	stages := hostkeys.Stages(selected)
	dialer := c.dial(transport.Collect)
	defer func() { _ = dialer.Close() }() // has no error
	// Nothing but a jump host is logged in to, so that only these need a key.
	if err := errors.Join(slices.Concat(
		plan.Check(ctx, dialer.CheckHostKeys, endpoints(selected)), plan.Check(ctx, dialer.Check, hostkeys.Jumps(stages)))...); err != nil {
		return nil, err
	}
	forks := file.Fleet.Rollout.Parallel
	if f.forks.given {
		forks = f.forks.v
	}
	for _, stage := range stages {
		if err := c.meet(ctx, dialer, stage, listed, forks, f); err != nil {
			return slices.Concat(stages...), err
		}
	}
	hosts := slices.Concat(stages...)
	return hosts, endedTrust(hosts)
}

// endpoints are how hosts are reached.
func endpoints(hosts []inventory.Host) []inventory.Endpoint {
	list := make([]inventory.Endpoint, len(hosts))
	for i, h := range hosts {
		list[i] = h.SSH
	}
	return list
}

// meet has the hosts of one stage show their keys, and records what is to be trusted.
func (c *console) meet(ctx context.Context, dialer *transport.Dialer, stage []*hostkeys.Host, listed *hostkeys.Fingerprints, forks int, f *trustFlags) error {
	interruptible, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	hostkeys.Ask(interruptible, dialer, stage, forks)
	interrupted := interruptible.Err() != nil
	stop()
	if interrupted {
		return ended(exitInterrupted, "interrupted, nothing more was recorded")
	}
	if listed != nil {
		listed.Vouch(stage)
	}
	out, colour := c.out, c.outColour
	if f.output.v == "json" {
		out, colour = c.err, c.errColour
	}
	if f.output.v != "json" || !c.quiet {
		if err := hostkeys.Write(out, colour, stage); err != nil {
			return shown(nil, err)
		}
	}
	if f.check {
		return nil
	}
	unknown := hostkeys.With(stage, hostkeys.OutcomeNew)
	vouched := slices.DeleteFunc(slices.Clone(unknown), func(h *hostkeys.Host) bool { return !h.Vouched })
	unknown = slices.DeleteFunc(unknown, func(h *hostkeys.Host) bool { return h.Vouched })
	c.record(vouched)
	if len(unknown) == 0 {
		return nil
	}
	if err := c.mayTrust(f, unknown); err != nil {
		return err
	}
	c.record(unknown)
	return nil
}

// mayTrust has somebody say yes to what was shown.
func (c *console) mayTrust(f *trustFlags, unknown []*hostkeys.Host) error {
	what := "these " + ui.Count(len(unknown), "host")
	if len(unknown) == 1 {
		what = unknown[0].Name
	}
	left := "not recorded: " + inventory.Fold(hostkeys.Names(unknown))
	switch {
	case f.yes:
		return nil
	case !c.isInteractive() || f.from.v == "-":
		return ended(exitConfig, "refused: not interactive; to trust %s needs --yes, --from or a terminal; %s", what, left)
	}
	return c.ask(fmt.Sprintf("Trust %s?", what), left)
}

// record writes keys down and tells where.
func (c *console) record(hosts []*hostkeys.Host) {
	hostkeys.Record(hosts)
	var files []string
	in := map[string][]string{}
	for _, h := range hosts {
		if !h.Recorded {
			c.Tell("%v", h.Err)
			continue
		}
		if in[h.File] == nil {
			files = append(files, h.File)
		}
		in[h.File] = append(in[h.File], h.Name)
	}
	for _, file := range files {
		c.Note("recorded in %s: %s (%d)", file, inventory.Fold(in[file]), len(in[file]))
	}
}

// fingerprints are those of --from, nil without it.
func (c *console) fingerprints(from *checked[string]) (*hostkeys.Fingerprints, error) {
	var in io.Reader
	switch {
	case !from.given:
		return nil, nil
	case from.v == "-":
		in = c.in
	default:
		file, err := os.Open(from.v)
		if err != nil {
			return nil, ended(exitConfig, "--from: %v", err)
		}
		defer file.Close()
		in = file
	}
	listed, err := hostkeys.ReadFingerprints(in, from.v)
	if err != nil {
		return nil, ended(exitConfig, "--from: %v", err)
	}
	return listed, nil
}

// endedTrust is the exit of trust: the worst that any host came to.
func endedTrust(hosts []*hostkeys.Host) error {
	refused := hostkeys.With(hosts, hostkeys.OutcomeChanged, hostkeys.OutcomeRevoked, hostkeys.OutcomeUncertified, hostkeys.OutcomeMismatch)
	unwritten := hostkeys.With(hosts, hostkeys.OutcomeUnwritten)
	away := hostkeys.With(hosts, hostkeys.OutcomeUnreachable, hostkeys.OutcomeBehind)
	left := slices.DeleteFunc(hostkeys.With(hosts, hostkeys.OutcomeNew), func(h *hostkeys.Host) bool { return h.Recorded })
	var parts []string
	say := func(list []*hostkeys.Host, what string) {
		if len(list) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s: %s", ui.Count(len(list), "host"), what, inventory.Fold(hostkeys.Names(list))))
		}
	}
	say(refused, "refused")
	say(unwritten, "not recorded")
	say(away, "unreachable")
	say(left, "new")
	code := exitOK
	switch {
	case len(refused)+len(unwritten) > 0:
		code = exitFailed
	case len(away) > 0:
		code = exitUnreachable
	case len(left) > 0:
		code = exitDifferences
	default:
		return nil
	}
	return ended(code, "%s", strings.Join(parts, ", "))
}
