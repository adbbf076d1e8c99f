package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"bongsu/internal/kv"
)

// Status is what a node knows of the store without asking anybody.
type Status struct {
	Name     string
	Member   bool
	Quorum   bool      // the store takes writes, as far as this node can tell
	Since    time.Time // since when Quorum is what it is
	Leader   string    // name of the raft leader; empty: none known, or this node is a client
	Leading  bool      // this node is it
	Members  []Member  // sorted by name
	Size     int64     // bytes of the database file
	InUse    int64     // bytes of it that hold something
	Quota    int64
	Alarms   []string // "NOSPACE at pangyo"
	Revision int64    // last one this node has
}

// Member is a member of the cluster.
type Member struct {
	Name      string
	ID        uint64
	PeerURL   string
	ClientURL string
	Learner   bool // gets everything, does not vote yet
}

// quorumWatch remembers whether and since when there is a quorum.
type quorumWatch struct {
	mu       sync.Mutex
	quorum   bool
	since    time.Time
	revision int64 // last one seen, of a client
	ready    chan struct{}
	once     sync.Once
}

func (w *quorumWatch) set(quorum bool, rev int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revision = max(w.revision, rev)
	if quorum != w.quorum {
		w.quorum, w.since = quorum, time.Now()
	}
	if quorum {
		w.once.Do(func() { close(w.ready) })
	}
}

func (w *quorumWatch) get() (bool, time.Time, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quorum, w.since, w.revision
}

// watchQuorum looks at the member's own raft state, which follows the loss of the others
// after an election time, or, on a client, at whether a read succeeds.
func (n *Node) watchQuorum(ctx context.Context) {
	if n.server == nil {
		for {
			once, cancel := context.WithTimeout(ctx, 2*n.cfg.Election)
			rev, err := n.revision(once)
			cancel()
			n.watch.set(err == nil, rev)
			if pause(ctx, n.cfg.Election) != nil {
				return
			}
		}
	}
	select {
	case <-n.server.Server.ReadyNotify():
	case <-ctx.Done():
		return
	}
	for {
		n.watch.set(n.server.Server.Leader() != 0, 0)
		if pause(ctx, n.cfg.Heartbeat) != nil {
			return
		}
	}
}

// revision asks the majority for the present one.
func (n *Node) revision(ctx context.Context) (int64, error) {
	r, err := n.client.Get(ctx, n.prefix, clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return r.Header.Revision, nil
}

// Status never waits for other nodes. A client knows nothing of members: it has
// [Node.Members].
func (n *Node) Status() Status {
	quorum, since, rev := n.watch.get()
	s := Status{Name: n.cfg.Name, Member: n.server != nil, Quorum: quorum, Since: since, Revision: rev}
	if n.server == nil {
		return s
	}
	server := n.server.Server
	backend, lead := server.Backend(), server.Leader()
	s.Size, s.InUse, s.Quota = backend.Size(), backend.SizeInUse(), n.cfg.Quota
	s.Revision = server.KV().Rev()
	names := map[uint64]string{}
	for _, m := range server.Cluster().Members() {
		names[uint64(m.ID)] = m.Name
		s.Members = append(s.Members, Member{
			Name: m.Name, ID: uint64(m.ID), Learner: m.IsLearner,
			PeerURL: strings.Join(m.PeerURLs, ","), ClientURL: strings.Join(m.ClientURLs, ","),
		})
	}
	sortMembers(s.Members)
	s.Leader, s.Leading = names[uint64(lead)], lead != 0 && lead == server.MemberID()
	for _, a := range server.Alarms() {
		s.Alarms = append(s.Alarms, fmt.Sprintf("%v at %s", a.Alarm, names[a.MemberID]))
	}
	slices.Sort(s.Alarms)
	return s
}

// Room says how full the store is: the bytes of its file that hold something, and its quota. A
// member looks at its own file; a client asks whichever member answers.
func (n *Node) Room(ctx context.Context) (used, quota int64, err error) {
	if n.server != nil {
		// The file never shrinks by itself: what is free in it is used first, but near the
		// quota etcd refuses writes by the size of the file.
		b := n.server.Server.Backend()
		return room(b.Size(), b.SizeInUse(), n.cfg.Quota), n.cfg.Quota, nil
	}
	once, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	for _, e := range n.client.Endpoints() {
		r, err := n.client.Status(once, e)
		if err == nil {
			return room(r.DbSize, r.DbSizeInUse, r.DbSizeQuota), r.DbSizeQuota, nil
		}
		if once.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		return 0, 0, ctx.Err()
	}
	return 0, 0, unavailable{errors.New("no member says how full it is")}
}

// room is what is in use, or the whole file when that is so near the quota that its free
// pages cannot be relied on.
func room(size, inUse, quota int64) int64 {
	if size > quota-quota/20 {
		return size
	}
	return inUse
}

func sortMembers(all []Member) {
	slices.SortFunc(all, func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.PeerURL, b.PeerURL))
	})
}

// Repair brings a store that was full, and from which enough was deleted, back to
// taking writes: it forgets the history, gives the room of each member back, one after
// the other, and only then clears the alarm.
func (n *Node) Repair(ctx context.Context) error {
	var rev int64
	if err := n.retry(ctx, func(ctx context.Context) (err error) {
		rev, err = n.revision(ctx)
		return err
	}); err != nil {
		return fmt.Errorf("repair the store: %w", err)
	}
	// Physical: defragmenting before the compaction has really happened frees nothing.
	if _, err := n.client.Compact(ctx, rev, clientv3.WithCompactPhysical()); err != nil && !errors.Is(classify(err), kv.ErrCompacted) {
		return fmt.Errorf("forget the history: %w", classify(err))
	}
	members, err := n.Members(ctx)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := n.onMember(m, func(c *clientv3.Client) error {
			_, err := c.Defragment(ctx, n.cfg.url(m.ClientURL))
			return err
		}); err != nil {
			return fmt.Errorf("defragment %s: %w: nothing was lost; run it again when %s is back", m.Name, classify(err), m.Name)
		}
	}
	alarms, err := n.client.AlarmList(ctx)
	if err != nil {
		return fmt.Errorf("repair the store: %w", classify(err))
	}
	for _, a := range alarms.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NOSPACE {
			continue // a corrupt member is not made well by calling it so
		}
		if _, err := n.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			return fmt.Errorf("clear the alarm: %w", classify(err))
		}
	}
	return nil
}
