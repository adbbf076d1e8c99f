package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
)

// Members asks the cluster for its members, sorted by name. A member that was added
// and has never started has no name yet.
func (n *Node) Members(ctx context.Context) ([]Member, error) {
	var r *clientv3.MemberListResponse
	err := n.retry(ctx, func(ctx context.Context) (err error) {
		r, err = n.client.MemberList(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the members: %w", err)
	}
	var all []Member
	for _, m := range r.Members {
		all = append(all, Member{
			Name: m.Name, ID: m.ID, Learner: m.IsLearner,
			PeerURL: hostOf(m.PeerURLs), ClientURL: hostOf(m.ClientURLs),
		})
	}
	sortMembers(all)
	return all, nil
}

// hostOf is the host:port of the first of the URLs.
func hostOf(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	_, addr, _ := strings.Cut(urls[0], "://")
	return addr
}

func (n *Node) member(ctx context.Context, name string) (Member, error) {
	all, err := n.Members(ctx)
	if err != nil {
		return Member{}, err
	}
	var names []string
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Member{}, fmt.Errorf("no member is called %q: there are %s", name, strings.Join(names, ", "))
}

// Replace removes a member that is lost, with its disk or for ever, and admits a node
// of that or another name at peer (host:port) in its stead. It returns the Members that
// the new node is started with, with Join set and an empty folder; it gets a vote once
// it has caught up. When adding fails after the removal, go on with [Node.Admit].
func (n *Node) Replace(ctx context.Context, lost, name, peer string) ([]Peer, error) {
	old, err := n.member(ctx, lost)
	if err != nil {
		return nil, err
	}
	if old.Name == n.cfg.Name && n.server != nil {
		return nil, fmt.Errorf("%q is this node: replace it from another one", lost)
	}
	if _, err := n.client.MemberRemove(ctx, old.ID); err != nil {
		return nil, fmt.Errorf("remove member %q: %w", lost, classify(err))
	}
	return n.Admit(ctx, name, peer)
}

// Move tells the cluster that a member has another peer address (host:port) from now on.
// Its data stays; it is restarted with the new address.
func (n *Node) Move(ctx context.Context, name, peer string) error {
	m, err := n.member(ctx, name)
	if err != nil {
		return err
	}
	if _, err := n.client.MemberUpdate(ctx, m.ID, []string{n.cfg.url(peer)}); err != nil {
		return fmt.Errorf("move member %q to %s: %w", name, peer, classify(err))
	}
	return nil
}

// Admit adds a member that does not vote until it has caught up, and returns the Members
// that it is started with.
func (n *Node) Admit(ctx context.Context, name, peer string) ([]Peer, error) {
	all, err := n.Members(ctx)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(m Member) bool { return m.Name == name }) {
		return nil, fmt.Errorf("a member called %q exists", name)
	}
	whole, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := n.client.MemberAddAsLearner(whole, []string{n.cfg.url(peer)})
		if err == nil {
			break
		}
		// etcd wants to have been in touch with the others for some seconds.
		if !errors.Is(err, rpctypes.ErrUnhealthy) || pause(whole, n.cfg.Election) != nil {
			return nil, fmt.Errorf("add member %q: %w", name, classify(err))
		}
	}
	peers := []Peer{{Name: name, URL: peer}}
	for _, m := range all {
		peers = append(peers, Peer{Name: m.Name, URL: m.PeerURL})
	}
	return peers, nil
}

// askForVote lets a node that joined become a full member as soon as it has caught up.
// The leader decides whether it has; what the node itself knows of its membership is
// old until then.
func (n *Node) askForVote(ctx context.Context) {
	for {
		if self := n.server.Server; self.Leader() != 0 {
			once, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := self.PromoteMember(once, uint64(self.MemberID()))
			cancel()
			if err == nil || errors.Is(err, membership.ErrMemberNotLearner) {
				return
			}
			if n.log != nil {
				n.log.Debug("not promoted yet", "member", n.cfg.Name, "error", err)
			}
		}
		if pause(ctx, 4*n.cfg.Heartbeat) != nil {
			return
		}
	}
}

// MoveLeader makes the named member the raft leader, which saves its site one trip
// for each write. Leadership in the sense of kv.Campaign is another thing.
func (n *Node) MoveLeader(ctx context.Context, name string) error {
	to, err := n.member(ctx, name)
	if err != nil {
		return err
	}
	if to.Learner {
		return fmt.Errorf("%q does not vote yet and cannot lead", name)
	}
	leader, err := n.leader(ctx)
	if err != nil {
		return err
	}
	if leader.ID == to.ID {
		return nil
	}
	if err := n.onMember(leader, func(c *clientv3.Client) error {
		_, err := c.MoveLeader(ctx, to.ID)
		return err
	}); err != nil {
		return fmt.Errorf("move the leadership from %s to %s: %w", leader.Name, name, classify(err))
	}
	return nil
}

// leader asks who leads.
func (n *Node) leader(ctx context.Context) (Member, error) {
	all, err := n.Members(ctx)
	if err != nil {
		return Member{}, err
	}
	var r *clientv3.StatusResponse
	for _, m := range all {
		if err = n.onMember(m, func(c *clientv3.Client) (err error) {
			once, cancel := context.WithTimeout(ctx, 2*n.cfg.Election)
			defer cancel()
			r, err = c.Status(once, n.cfg.url(m.ClientURL))
			return err
		}); err != nil {
			continue
		}
		for _, l := range all {
			if l.ID == r.Leader {
				return l, nil
			}
		}
	}
	return Member{}, fmt.Errorf("nobody leads now: %w", unavailable{fmt.Errorf("last answer: %v", err)})
}

// onMember does something at one member. It goes over the network even if that is this
// one: etcd's in-process client cannot defragment.
func (n *Node) onMember(m Member, do func(*clientv3.Client) error) error {
	if m.ClientURL == "" {
		return fmt.Errorf("member at %s has never started", m.PeerURL)
	}
	c, err := n.connect([]string{m.ClientURL})
	if err != nil {
		return err
	}
	err = do(c)
	if cerr := c.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return err
}
