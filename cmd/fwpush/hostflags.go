package main

import (
	"time"

	"github.com/spf13/cobra"

	"fwpush/transport"
)

// hostFlags are the flags of verbs that contact hosts.
type hostFlags struct {
	selecting
	output   *checked[string]
	forks    *checked[int]
	progress *checked[string]
	hostKey  *checked[string]
}

// Values of --progress.
const (
	progressAuto  = "auto"
	progressPlain = "plain"
	progressNone  = "none"
)

func newHostFlags() *hostFlags {
	return &hostFlags{output: oneOf("text", "json"), forks: forksFlag(), progress: oneOf(progressAuto, progressPlain, progressNone),
		hostKey: oneOf(string(transport.Strict), string(transport.AcceptNew))}
}

func (f *hostFlags) json() bool { return f.output.v == "json" }

// register adds the flags to a verb; one that names its hosts as arguments has
// no flags to select them.
func (f *hostFlags) register(cmd *cobra.Command, selects bool) {
	if selects {
		f.selecting.register(cmd)
	}
	f.asking(cmd)
	addOutput(cmd, f.output)
}

// asking adds the flags that say how hosts are asked.
func (f *hostFlags) asking(cmd *cobra.Command) {
	cmd.Flags().Var(f.forks, "forks", "work on `N` hosts at a time; default rollout.parallel of the fleet file")
	cmd.Flags().Var(f.progress, "progress", "show how the run goes: auto draws it on a terminal and prints lines elsewhere, plain prints lines, none tells only what went wrong")
	cmd.Flags().Var(f.hostKey, "host-key", "for hosts that no known_hosts file knows: strict refuses them, accept-new records the key they show first; fwpush trust shows keys before")
	registerBecoming(cmd.Flags())
	addSSHConfig(cmd)
}

// changeFlags are the flags of verbs that change hosts.
type changeFlags struct {
	*hostFlags
	*walkFlags
	window *checked[time.Duration]
	accept risks
	yes    bool
	events *checked[string]
	probes []string // of apply alone
}

// readiness is what a push prepares for.
func (f *changeFlags) readiness() readiness {
	return readiness{accept: f.accept.Risks, probes: f.probes}
}

func newChangeFlags() *changeFlags {
	return &changeFlags{hostFlags: newHostFlags(), walkFlags: newWalkFlags(), window: windowFlag(), events: only("FILE")}
}

func (f *changeFlags) register(cmd *cobra.Command, selects bool) {
	f.hostFlags.register(cmd, selects)
	f.walkFlags.register(cmd)
	flags := cmd.Flags()
	flags.Var(f.window, "window", "revert what is not confirmed after `DURATION`, 15s to 60m; default rollout.window of the fleet file")
	registerEvents(cmd, f.events)
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask; never overrides a lock or a lock-out proof")
	flags.Var(&f.accept, "accept-risk", "name a `RISK` to take it: lose-ssh tries rules that a lock-out proof refuses, take-over changes hosts of another fleet, stuck-revert takes the running rules as they are where an earlier revert cannot be finished")
	_ = cmd.RegisterFlagCompletionFunc("accept-risk", cobra.FixedCompletions(
		[]string{riskLoseSSH, "take-over", "stuck-revert"}, cobra.ShellCompDirectiveNoFileComp))
}

// registerEvents adds --events to a verb.
func registerEvents(cmd *cobra.Command, events *checked[string]) {
	cmd.Flags().Var(events, "events", "append what happens to `FILE`, one JSON object a line")
}
