package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/past"
	"fwpush/internal/journal"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
)

const (
	shownRuns    = 20
	maxShownRuns = 100_000
)

func newHistory(c *console, g *globals) *cobra.Command {
	output := oneOf("text", "json")
	most := &checked[int]{v: shownRuns, text: strconv.Itoa(shownRuns), kind: "N", parse: func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxShownRuns {
			return 0, fmt.Errorf("must be 1..%d", maxShownRuns)
		}
		return n, nil
	}}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "list the runs of this machine, or show one",
		Long: paragraph(`
		List the runs that were started on this machine, newest first: when, by whom, of
		which fleet, and how their hosts ended. A run without an exit code still goes on
		(running), or its controller died before it could say how it ended (died).

		The last 1,000 runs are kept, in the directory that --state-dir names. No host is
		asked: fwpush status tells how hosts stand now.`) + exitStatus(exitOK, exitConfig),
		Args: none,
		RunE: func(*cobra.Command, []string) error {
			list, err := c.history(g, most.v)
			if output.v == "json" {
				return shown(err, ui.WriteJSON(c.out, past.History{Schema: 1, Command: "history",
					Exit: exitCode(err), Error: reason(err), Runs: append([]past.Entry{}, list...)}))
			}
			if len(list) == 0 {
				return err
			}
			return shown(err, past.WriteHistory(c.out, c.outColour, list))
		},
	}
	cmd.Flags().VarP(most, "number", "n", "list the last `N` runs")
	addOutput(cmd, output)
	cmd.AddCommand(newHistoryShow(c, g))
	return cmd
}

func newHistoryShow(c *console, g *globals) *cobra.Command {
	output := oneOf("text", "json")
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "show one run: who, of what, and how each host ended",
		Long: paragraph(`
		Show what is recorded of RUN: who started it, from which fleet file, and for each
		host how it ended, its rules before and after, and the fresh connection that got in
		under the new ones. Hosts with the same story are folded.

		RUN is printed by fwpush apply, fwpush status and fwpush history.`) + exitStatus(exitOK, exitConfig),
		Args:              one("RUN", exampleRun),
		ValidArgsFunction: c.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := rollout.CheckRunID(args[0]); err != nil {
				return &usageError{cmd, err.Error()}
			}
			record, err := c.recall(g, args[0])
			if output.v == "json" {
				object := past.Shown{Schema: 1, Command: "history show", Exit: exitCode(err), Error: reason(err)}
				if err == nil {
					whole := past.RecordOf(record)
					object.Record = &whole
				}
				return shown(err, ui.WriteJSON(c.out, object))
			}
			if err != nil {
				return err
			}
			return shown(nil, past.WriteRecord(c.out, c.outColour, record, g.typing(record.File)))
		},
	}
	addOutput(cmd, output)
	return cmd
}

// store is the journal of this machine. Nothing is made before it is written to.
func (c *console) store(g *globals) (*journal.Store, error) {
	return c.storeIn(g.stateDir.v)
}

func (c *console) storeIn(dir string) (*journal.Store, error) {
	if dir == "" {
		var err error
		if dir, err = journal.DefaultDir(c.getenv); err != nil {
			return nil, ended(exitConfig, "%v", err)
		}
	}
	s, err := journal.Open(dir)
	if err != nil {
		return nil, ended(exitConfig, "%v", err)
	}
	return s, nil
}

// history are the last runs. One that cannot be read is told and does not hide the rest.
func (c *console) history(g *globals, most int) ([]past.Entry, error) {
	store, err := c.store(g)
	if err != nil {
		return nil, err
	}
	var list []past.Entry
	for sum, err := range store.Runs() {
		if err != nil {
			if sum.Run == "" {
				return nil, ended(exitConfig, "%v", err)
			}
			c.Tell("%v", err)
		}
		list = append(list, past.EntryOf(sum, err))
		if len(list) == most {
			break
		}
	}
	if len(list) == 0 {
		c.Note("no run is recorded in %s", store.Dir())
	}
	return list, nil
}

// completeRuns offers the runs there are, newest first.
func (c *console) completeRuns(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	// The environment is looked at when a verb runs, and here none does.
	dir := c.getenv("FWPUSH_STATE_DIR")
	if f := cmd.Flag("state-dir"); f != nil && f.Changed {
		dir = f.Value.String()
	}
	store, err := c.storeIn(dir)
	if err != nil || len(args) > 0 {
		return nil, directive
	}
	var list []string
	for sum, err := range store.Runs() {
		if err == nil {
			list = append(list, fmt.Sprintf("%s\t%s", sum.Run, ui.Safe(sum.Command+" by "+sum.Who)))
		}
		if len(list) == shownRuns {
			break
		}
	}
	return list, directive
}
