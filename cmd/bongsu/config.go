package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bongsu/incident"
	"bongsu/internal/config"
)

func configCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:     "config",
		Short:   "Explain and check the configuration of a node",
		Example: `  bongsu config describe`,
	}, configDescribeCommand(a), configCheckCommand(a), configClocksCommand(a), configPasswordCommand(a))
}

func configClocksCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clocks",
		Short: "Print the duties with a deadline that an outage brings",
		Long: `Print the policy of the clocks that is shipped: which duties the law ties to an
outage, by when, for which services, with the sources. Copy it, name your company
and your contact in it, and name the copy in bongsu.yaml (clocks: clocks.yaml).`,
		Example: `  bongsu config clocks > clocks.yaml`,
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(incident.ShippedPolicy())
			return err
		},
	}
}

func configDescribeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe",
		Short: "Print a bongsu.yaml with every field explained",
		Long: `Print a bongsu.yaml with every field, its default and what it means; with --public
the public.yaml of a node of the public side. It can be read back: bongsu init writes
one that says only what is not the default.`,
		Example: `  bongsu config describe > bongsu.yaml
  bongsu config describe --public > public.yaml`,
		Args: exactly(),
	}
	public := cmd.Flags().Bool("public", false, "of a public node")
	cmd.RunE = func(*cobra.Command, []string) error {
		if *public {
			return config.DescribePublic(a.out)
		}
		return config.Describe(a.out)
	}
	return cmd
}

func configCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a node's configuration without starting the node",
		Long: `Read the bongsu.yaml FILE as bongsu serve would, with the files that it names, and
say everything that is wrong with it, each with its line. Nothing is started.`,
		Example: `  bongsu config check sites/anyang/bongsu.yaml`,
		Args:    exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := config.Load(args[0])
			if err != nil {
				return &usageError{err: err, hint: "bongsu config describe explains every field"}
			}
			for _, w := range c.Warnings() {
				a.warn(w)
			}
			if _, err := config.LoadAccounts(c.Console.Accounts); err != nil {
				return &usageError{err: err}
			}
			if _, _, err := c.Signer(); err != nil {
				return &usageError{err: err, hint: "bongsu init makes record.key and record.pub"}
			}
			if _, err := c.ClockPolicy(); err != nil {
				return &usageError{err: err, hint: "bongsu config clocks prints the policy that is shipped"}
			}
			_, err = fmt.Fprintf(a.out, "%s is sound: %s of cluster %s, %d of %s vote\n",
				args[0], c.Site, c.Cluster, len(c.Members()), counted(len(c.Nodes), "node", "nodes"))
			return err
		},
	}
}
