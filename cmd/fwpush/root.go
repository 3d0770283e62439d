package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/transport"
)

// run is fwpush from its arguments to its exit code.
func run(args []string, c console) int {
	root := newRoot(&c)
	root.SetArgs(args)
	return c.report(root.Execute())
}

// globals are the flags of every verb.
type globals struct {
	inventory *inventories
	colour    *checked[string]
	stateDir  *checked[string]
	found     string // the fleet file of a plan or a run, "" for the one here or above
}

func newRoot(c *console) *cobra.Command {
	g := &globals{inventory: &inventories{}, stateDir: only("DIR"),
		colour: oneOf(string(ui.Auto), string(ui.Always), string(ui.Never))}
	root := &cobra.Command{
		Use:   "fwpush VERB",
		Short: "push firewall rulesets to many hosts without locking anybody out",
		Long: paragraph(`
		fwpush renders an nftables ruleset for each host of a fleet file, pushes it over
		SSH, and applies it with a revert already armed on the host. Only a fresh SSH
		connection that gets in cancels the revert.

		The fleet file is fleet.toml in this directory or one above. Every flag can be
		given as FWPUSH_<FLAG> in the environment, such as FWPUSH_FORKS=10. FWPUSH_ACTOR
		says who acts, for the record on the hosts. Results go to stdout, everything else
		to stderr; unless all went well the last line there is "exit N: why".`) +
			exitStatus(exitOK, exitDifferences, exitConfig, exitFailed, exitUnreachable, exitUnknown, exitStopped, exitLocked, exitInterrupted),
		SilenceErrors: true,
		SilenceUsage:  true,
		// The root takes any word as an argument to say itself what is wrong.
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownVerb(cmd, args[0])
			}
			return &usageError{cmd, "a verb is missing"}
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd, c.environ); err != nil {
				return err
			}
			if f := cmd.Flag("progress"); f != nil {
				c.progress = f.Value.String()
			}
			if f := cmd.Flag("host-key"); f != nil {
				c.hostKeys = transport.HostKeyPolicy(f.Value.String())
			}
			c.become = becomingOf(cmd.Flags())
			if f := cmd.Flag("ssh-config"); f != nil {
				c.sshConfig = f.Value.String()
			}
			when := ui.When(g.colour.v)
			c.outColour, c.errColour = ui.ColourFor(when, c.out, c.getenv), ui.ColourFor(when, c.err, c.getenv)
			return nil
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd == root && len(words) > 0 {
			return unknownVerb(cmd, words[0])
		}
		return &usageError{cmd, err.Error()}
	})
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(c.out)
	root.SetErr(c.err)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.VarP(g.inventory, "inventory", "i", "fleet file `PATH`; default fleet.toml here or above; again for each program that prints an inventory, as with Ansible")
	flags.Var(g.stateDir, "state-dir", "keep the records of runs in `DIR`; default $XDG_STATE_HOME/fwpush, else ~/.local/state/fwpush")
	flags.Var(g.colour, "color", "colour the output: auto, always or never")
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "no progress and no notes, only errors and results")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "say more, such as which line of the file decided what")

	root.AddCommand(
		newCheck(c, g), newRender(c, g), newExplain(c, g), newDiff(c, g), newApply(c, g), newStatus(c, g), newDoctor(c, g),
		newConfirm(c, g), newRevert(c, g), newDrill(c, g), newRollback(c, g), newRemove(c, g), newHistory(c, g), newHosts(c, g), newTrust(c, g), newRoles(c, g), newSchema(c), newGraph(c, g), newDemo(c),
		newInit(c, g), newImport(c, g), newVersion(c),
	)
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(newHelp(root))
	root.SetUsageTemplate(usageTemplate)
	for _, verb := range root.Commands() {
		if verb.Name() == "completion" {
			verb.Short = "write a completion script for a shell"
		}
		verb.Args = asUsage(verb.Args)
		for _, sub := range verb.Commands() {
			sub.Args = asUsage(sub.Args)
		}
	}
	return root
}

// asUsage makes a wrong number of arguments a usage error.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			return &usageError{cmd, err.Error()}
		}
		return nil
	}
}

func unknownVerb(root *cobra.Command, word string) error {
	var names []string
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	text := fmt.Sprintf("unknown verb %q", word)
	if near := inventory.Nearest(word, names); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return &usageError{root, text}
}
