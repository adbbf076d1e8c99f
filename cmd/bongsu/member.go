package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func memberCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:     "member",
		Short:   "Look at the nodes of the control plane",
		Example: `  bongsu member list --config sites/anyang/bongsu.yaml`,
	}, memberListCommand(a))
}

func memberListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the nodes: who votes, who leads, who is there",
		Example: `  bongsu member list --config sites/anyang/bongsu.yaml`, Args: exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := r.client(cmd.Context())
		if err != nil {
			return err
		}
		members, err := c.Members(cmd.Context())
		if err != nil {
			return err
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"members": members})
		}
		for _, m := range members {
			role, there := "observes", "not heard of"
			if m.Voter {
				role = "votes"
			}
			if m.Witness {
				role = "witness, " + role
			}
			if m.Leader {
				role += ", leads"
			}
			if m.Healthy {
				there = "there"
			}
			fmt.Fprintf(a.out, "%-16s %-22s %s\n", m.Site, role, there)
		}
		return nil
	}
	return cmd
}
