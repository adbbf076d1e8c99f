package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/web"
)

func memberCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "member",
		Short: "Look at the nodes, and replace one that is lost",
		Long: `The members are the nodes that keep the store and vote. Each change of them is
logged by the node that carries it out, with who and why.`,
		Example: `  bongsu member list --config sites/anyang/bongsu.yaml`,
	}, memberListCommand(a), memberReplaceCommand(a), memberMoveCommand(a), memberRepairCommand(a))
}

func memberListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the nodes: who votes, who leads, who is there",
		Long: `List the nodes of the control plane: who votes, who leads, and who was heard of
lately.

With --format json: {members}, each {site, id, voter, witness, leader, healthy,
peer}; peer is the address of its console.`,
		Example: `  bongsu member list --config sites/anyang/bongsu.yaml`, Args: exactly(),
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client(cmd.Context(), r)
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
		a.members(members)
		return nil
	}
	return cmd
}

func (a *app) members(members []web.Member) {
	p := a.palette()
	t := table{right: []bool{false, false, false}}
	t.add("CONSOLE", cell{text: "SITE"}, cell{text: "ROLE"}, cell{text: "HEARD OF"})
	for _, m := range members {
		role, there := "observes", cell{"no", p.bad}
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
			there = cell{"yes", p.good}
		}
		t.add(m.Peer, cell{text: m.Site}, cell{text: role}, there)
	}
	t.print(a.out)
}

func memberReplaceCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace LOST --name NAME --peer HOST:PORT",
		Short: "Give the vote of a member that is lost for good to another node",
		Long: `Remove the member LOST, which will never come back with its disk, and admit the node
NAME at HOST:PORT, its address for other members, in its stead. NAME may be LOST
itself, on a new disk. Then give the new node an empty data folder, set store.join:
true in its bongsu.yaml, and start it; it votes once it has caught up. It needs the
token of an approver.

With --format json: {members}, those that nodes in the bongsu.yaml of the new node
must list as members, each {site, peer, voter}.`,
		Example: `  bongsu member replace pangyo --peer 10.1.0.9:7400 --why "disk burned" --yes`,
		Args:    exactly("LOST"),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	name := cmd.Flags().String("name", "", "the `site` of the new node; without it, that of the lost one")
	peer := cmd.Flags().String("peer", "", "`host:port` at which other members reach the new node")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *peer == "" {
			return usagef("name where other members reach the new node: --peer 10.1.0.9:7400", "--peer is missing")
		}
		if *name == "" {
			*name = args[0]
		}
		if err := a.confirm(*yes, fmt.Sprintf("remove member %s for good and admit %s at %s", args[0], *name, *peer)); err != nil {
			return err
		}
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		members, err := work(cmd.Context(), a, "replacing "+args[0], func() ([]web.Member, error) {
			return c.Replace(cmd.Context(), web.Replacement{Lost: args[0], Name: *name, Peer: *peer, Why: *why})
		})
		if err != nil {
			return ofMembers(err)
		}
		if *f == formatJSON {
			return a.printJSON(map[string]any{"members": members})
		}
		a.paragraph(fmt.Sprintf("%s is removed and %s is admitted. Its bongsu.yaml must list these members:", args[0], *name))
		for _, m := range members {
			fmt.Fprintf(a.out, "  %s at %s\n", m.Site, m.Peer)
		}
		a.hint("empty its data folder, set store.join: true, start it; bongsu member list shows when it votes")
		return nil
	}
	return cmd
}

func memberMoveCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "move NAME --peer HOST:PORT",
		Short: "Tell the members that one of them has another address",
		Long: `Tell the members that NAME is reached at HOST:PORT from now on. Its data stays: stop
it, move it, correct its address in the bongsu.yaml of every node, and start it. It
needs the token of an approver.

With --format json: {id, did}.`,
		Example: `  bongsu member move gasan --peer 10.3.0.9:7400 --why "another rack" --yes`,
		Args:    exactly("NAME"),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	peer := cmd.Flags().String("peer", "", "`host:port` at which other members reach it from now on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *peer == "" {
			return usagef("name where other members reach it: --peer 10.3.0.9:7400", "--peer is missing")
		}
		if err := a.confirm(*yes, "move member "+args[0]+" to "+*peer); err != nil {
			return err
		}
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		if err := c.Move(cmd.Context(), web.Replacement{Name: args[0], Peer: *peer, Why: *why}); err != nil {
			return ofMembers(err)
		}
		return a.did(*f, args[0], "moved to "+*peer)
	}
	return cmd
}

func memberRepairCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Let a store that was full take writes again",
		Long: `Forget the history of the store, give the room of each member back, one after the
other, and clear the alarm that made it refuse writes. Make room first: a larger
store.quota in every bongsu.yaml and a restart, node by node. Nothing that is stored
now is lost. It needs the token of an approver.

With --format json: {id, did}.`,
		Example: `  bongsu member repair --why "the quota is 4 GiB now" --yes`,
		Args:    exactly(),
	}
	r, f, why, yes := remoteFlags(cmd), formatFlag(cmd), whyFlag(cmd), yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.confirm(*yes, "repair the store; each member stops for a moment"); err != nil {
			return err
		}
		ctx := cmd.Context()
		c, err := a.client(ctx, r)
		if err != nil {
			return err
		}
		if _, err := work(ctx, a, "repairing the store", func() (any, error) { return nil, c.Repair(ctx, *why) }); err != nil {
			return err
		}
		return a.did(*f, "the store", "repaired")
	}
	return cmd
}

// did says what was done to what.
func (a *app) did(f format, what, done string) error {
	if f == formatJSON {
		return a.printJSON(map[string]string{"id": what, "did": done})
	}
	_, err := fmt.Fprintf(a.out, "%s: %s\n", what, strings.TrimSpace(done))
	return err
}

// ofMembers gives an answer about members the hint that fits.
func ofMembers(err error) error {
	return hinted(err, "not-found", "bongsu member list shows them")
}
