package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bongsu/web"
)

// Replace implements [web.Steward].
func (n *Node) Replace(ctx context.Context, r web.Replacement) ([]web.Member, error) {
	if err := n.isMember(ctx, r.Lost); err != nil {
		return nil, err
	}
	if r.Lost == n.o.Name {
		return nil, fmt.Errorf("%w: %q is the node that was asked: ask another one to replace it", web.ErrRefused, r.Lost)
	}
	peers, err := n.store.Replace(ctx, r.Lost, r.Name, r.Peer)
	if err != nil {
		return nil, err
	}
	n.log.Warn("replaced a member", "lost", r.Lost, "by", r.Name, "peer", r.Peer, "who", r.Who, "why", r.Why)
	members := make([]web.Member, len(peers))
	for i, p := range peers {
		members[i] = web.Member{Site: p.Name, ID: p.Name, Voter: p.Name != r.Name, Peer: p.URL}
	}
	return members, nil
}

// Move implements [web.Steward].
func (n *Node) Move(ctx context.Context, r web.Replacement) error {
	if err := n.isMember(ctx, r.Name); err != nil {
		return err
	}
	if err := n.store.Move(ctx, r.Name, r.Peer); err != nil {
		return err
	}
	n.log.Warn("moved a member", "member", r.Name, "peer", r.Peer, "who", r.Who, "why", r.Why)
	return nil
}

// isMember returns an error that says who is a member if name is none.
func (n *Node) isMember(ctx context.Context, name string) error {
	all, err := n.store.Members(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range all {
		names = append(names, m.Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("%w: no member is called %q: there are %s", web.ErrNotFound, name, strings.Join(names, ", "))
}

// Repair implements [web.Steward].
func (n *Node) Repair(ctx context.Context, by, why string) error {
	if err := n.store.Repair(ctx); err != nil {
		return err
	}
	n.log.Warn("repaired the store", "who", by, "why", why)
	return nil
}
