package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"fwpush/cmd/fwpush/internal/plan"
	"fwpush/transport/sshconfig"
)

// addSSHConfig adds --ssh-config to a verb that contacts hosts.
func addSSHConfig(cmd *cobra.Command) {
	cmd.Flags().Var(only("FILE"), "ssh-config", "have ssh read `FILE` instead of ~/.ssh/config and /etc/ssh/ssh_config, as ssh -F does; none for nothing")
}

// asSSH fills in what ssh says of how hosts are reached, for what the fleet file does not
// write. Without ssh there is the fleet file alone, unless a configuration was named.
func (c *console) asSSH(ctx context.Context, f *plan.File, members []plan.Member) ([]sshconfig.Resolved, error) {
	resolved, err := f.AsSSH(ctx, c.sshConfig, members)
	var refused *sshconfig.RefusedError
	switch {
	case errors.Is(err, sshconfig.ErrNoSSH) && c.sshConfig == "":
		c.Note("%v: only the fleet file says how hosts are reached", err)
		return nil, nil
	case errors.As(err, &refused):
		return nil, ended(exitConfig, "ssh does not say how %s is reached: %s; no host was contacted", refused.Host, refused.Reason)
	case ctx.Err() != nil:
		return nil, ended(exitInterrupted, "interrupted before a host was contacted")
	case err != nil:
		return nil, ended(exitConfig, "%v", err)
	}
	return resolved, nil
}
