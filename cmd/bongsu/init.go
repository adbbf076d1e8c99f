package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"bongsu/internal/config"
)

func initCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write what a new control plane is configured with",
		Long: `Make DIR with a folder for each site: its bongsu.yaml, certificates of the cluster's
own authority, accounts and the key that signs sessions. Of three or four sites
three vote, of more five; with two sites name a witness in a third place. Passwords
are shown once and kept nowhere; DIR/*.token are the API tokens of the command line;
DIR/ca is to be kept away from the nodes.`,
		Example: `  bongsu init --sites pangyo,anyang,gasan sites
  bongsu init --sites a,b --witness c --host a=10.1.0.5,b=10.2.0.5,c=10.3.0.5 d`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	var o config.InitOptions
	f := cmd.Flags()
	f.StringSliceVar(&o.Sites, "sites", nil, "the sites, in the order in which they get votes")
	f.StringVar(&o.Witness, "witness", "", "a place that runs no services, whose node observes and votes")
	f.StringSliceVar(&o.Voters, "voters", nil, "which of them vote, instead")
	f.StringToStringVar(&o.Hosts, "host", nil, "SITE=HOST where a node is reached; without it, this machine")
	f.IntVar(&o.BasePort, "port", 7400, "first of the eight ports of a site: members, observers and console of control, then members, observers, page, push and desk of the public node")
	f.StringVar(&o.Cluster, "cluster", "", "name of the cluster; without it one is made up")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(o.Sites) == 0 {
			return usagef("bongsu init --sites a,b,c "+args[0], "--sites is missing")
		}
		if most := 65535 - 10*len(o.Sites); o.BasePort < 1 || o.BasePort > most {
			return usagef("a site takes eight ports, and sites on one machine ten after one another", "--port %d must be from 1 to %d", o.BasePort, most)
		}
		r, err := config.Init(args[0], o)
		if err != nil {
			return &usageError{err: err}
		}
		for _, w := range r.Warnings {
			a.warn(w)
		}
		fmt.Fprintf(a.out, "Cluster %s. Start each node with its own file:\n", r.Cluster)
		for _, site := range slices.Sorted(maps.Keys(r.Files)) {
			fmt.Fprintf(a.out, "  bongsu serve --config %s\n", r.Files[site])
		}
		fmt.Fprintln(a.out, "\nThe status page has a node of its own at each site; run it as another user:")
		for _, site := range slices.Sorted(maps.Keys(r.Public)) {
			fmt.Fprintf(a.out, "  bongsu public --config %s\n", r.Public[site])
		}
		fmt.Fprintln(a.out, "\nAccounts of the console; the passwords are shown only now:")
		for _, l := range r.Logins {
			fmt.Fprintf(a.out, "  %-10s %s\n", l.Name, l.Password.Reveal())
		}
		fmt.Fprintln(a.out, "\nAccounts of the desk, where questions of readers are answered and claims decided\nand paid (each with its duties):")
		for _, l := range r.Agents {
			fmt.Fprintf(a.out, "  %-10s %s  %s\n", l.Name, l.Password.Reveal(), l.Duties())
		}
		fmt.Fprintln(a.out, "\nTokens of the command line:")
		for _, name := range slices.Sorted(maps.Keys(r.Tokens)) {
			fmt.Fprintf(a.out, "  %-14s %s\n", name, r.Tokens[name])
		}
		fmt.Fprintln(a.out, "\nTokens of bongsu claim, at the desk (of editor and decider, for what two people have to agree to):")
		for _, file := range r.DeskTokens {
			fmt.Fprintf(a.out, "  %s\n", file)
		}
		return nil
	}
	return cmd
}
