package main

import (
	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/doctor"
	"fwpush/cmd/fwpush/internal/progress"
	"fwpush/internal/rollout"
	"fwpush/internal/ui"
	"fwpush/inventory"
)

func newDoctor(c *console, g *globals) *cobra.Command {
	f := newHostFlags()
	strict := false
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "find out what could make a push fail, without pushing",
		Long: paragraph(`
		Look at everything that a push to the selected hosts depends on, and say what to
		do about what is wrong. First the fleet file and the lock-out proof, as fwpush
		check does; then on each host:

		  login, become         the way in, and to root
		  tools, disk           programs that are missing, room, read-only file systems
		  owner, pending        another fleet or another run has the host
		  backend, rules        which one and why, and whether the new rules would load
		  revert                whether the rules that run could be put back
		  lockout               whether the new rules admit this machine
		  timers                each kind, proved by a real job
		  clock, boot, drift    what a confirm and a reboot depend on
		  conntrack, foreign    a full table, firewalls of others
		  addresses, interfaces, forwarding, dhcp, sshd
		                        where the host is not as the fleet file says

		✗ is what would make a push fail, or the host do something else than the file
		says; ! is worth a look; ? could not be told. -v shows also what is right.

		The timers are proved by jobs that do nothing. They, and all else that was made on
		the host, are gone afterwards, but for lines in its logs and the number that at
		gives its next job. A run that is under way is left alone.`) +
			exitStatus(exitOK, exitConfig, exitFailed, exitUnreachable, exitInterrupted),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var reports []doctor.Report
			p, err := c.prepare(cmd.Context(), g, f.Selection, readiness{})
			defer p.close()
			if err == nil {
				err = p.preflight(cmd.Context())
			}
			if err == nil {
				results := progress.New(c, p.targets, progress.Reads).Work(rollout.Examine, p.targets, p.options(f.forks, rollout.Risks{}))
				for i, r := range results {
					reports = append(reports, doctor.Of(p.targets[i], r))
				}
				err = endedDoctor(reports, strict)
			}
			if f.json() {
				return shown(err, ui.WriteJSON(c.out, doctor.Answer{Schema: 1, Command: "doctor",
					Exit: exitCode(err), Error: reason(err), Hosts: doctor.Hosts(reports)}))
			}
			if len(reports) == 0 {
				return err
			}
			return shown(err, doctor.Write(c.out, c.outColour, reports, c.verbose))
		},
	}
	f.register(cmd, true)
	cmd.Flags().BoolVar(&strict, "strict", false, "fail for warnings, and for what could not be told, too")
	return cmd
}

// endedDoctor is how an examination ends; the worst that was found counts.
func endedDoctor(reports []doctor.Report, strict bool) error {
	for _, how := range []struct {
		code  int
		what  string
		hosts []string
	}{
		{exitFailed, "not healthy", doctor.Failing(reports, strict)},
		{exitUnreachable, "unreachable", doctor.Unreachable(reports)},
		{exitInterrupted, "not looked at", doctor.NotLookedAt(reports)},
	} {
		if len(how.hosts) > 0 {
			return ended(how.code, "%s %s: %s", ui.Count(len(how.hosts), "host"), how.what, inventory.Fold(how.hosts))
		}
	}
	return nil
}
