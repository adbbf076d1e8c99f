package etcd

import (
	"context"
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"bongsu/internal/kv"
)

// Watch implements [kv.Store]. It goes on through changes of leaders and of the member
// that a client talks to; what it ends for is a compaction and the end of the node.
func (n *Node) Watch(ctx context.Context, prefix string, after int64) (<-chan []kv.Event, error) {
	if err := n.checkWatch(ctx, &after); err != nil {
		return nil, err
	}
	events := make(chan []kv.Event)
	go func() {
		defer close(events)
		for ctx.Err() == nil {
			last, ended := n.follow(ctx, prefix, after, events)
			if ended {
				return
			}
			after = last
			if pause(ctx, n.cfg.Heartbeat) != nil {
				return
			}
			select {
			case <-n.background.Done():
				return
			default:
			}
		}
	}()
	return events, nil
}

// checkWatch finds the present revision for a watch from now on, and says at once if
// the revision asked for is gone.
func (n *Node) checkWatch(ctx context.Context, after *int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if *after == 0 {
		return n.retry(ctx, func(ctx context.Context) (err error) {
			*after, err = n.revision(ctx)
			return err
		})
	}
	once, cancel := context.WithTimeout(ctx, n.cfg.Election)
	defer cancel()
	_, err := n.client.Get(once, n.prefix, clientv3.WithCountOnly(), clientv3.WithSerializable(), clientv3.WithRev(*after))
	if errors.Is(err, rpctypes.ErrCompacted) {
		return kv.ErrCompacted
	}
	return ctx.Err() // anything else shows in the watch
}

// follow sends events until the watch breaks, and returns the last revision sent and
// whether there is nothing more to follow.
func (n *Node) follow(ctx context.Context, prefix string, after int64, events chan<- []kv.Event) (last int64, ended bool) {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	if n.server == nil {
		// A member that lost the others would keep the watch and send nothing.
		watching = clientv3.WithRequireLeader(watching)
	}
	responses := n.client.Watch(watching, n.prefix+prefix, clientv3.WithPrefix(), clientv3.WithRev(after+1))
	for {
		select {
		case <-n.background.Done():
			return after, true
		case r, ok := <-responses:
			switch {
			case !ok:
				return after, false
			case r.CompactRevision != 0:
				return after, true
			}
			for _, batch := range n.split(r.Events) {
				select {
				case events <- batch:
					after = batch[0].Modified
				case <-ctx.Done():
					return after, true
				case <-n.background.Done():
					return after, true
				}
			}
		}
	}
}

// split cuts events into one slice for each revision.
func (n *Node) split(all []*clientv3.Event) [][]kv.Event {
	var batches [][]kv.Event
	for _, e := range all {
		event := kv.Event{Entry: n.entry(e.Kv), Deleted: e.Type == clientv3.EventTypeDelete}
		if event.Deleted {
			event.Entry = kv.Entry{Key: strings.TrimPrefix(string(e.Kv.Key), n.prefix), Modified: e.Kv.ModRevision}
		}
		if last := len(batches) - 1; last >= 0 && batches[last][0].Modified == event.Modified {
			batches[last] = append(batches[last], event)
			continue
		}
		batches = append(batches, []kv.Event{event})
	}
	return batches
}
