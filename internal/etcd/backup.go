package etcd

import (
	"context"
	"io"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"bongsu/internal/kv"
)

var _ kv.Exporter = (*Node)(nil)

// page is how many keys are read at a time. A value can have a megabyte; and etcd counts
// the rest of the range with each page, so that very small pages would be slow.
const page = 128

// Export implements [kv.Exporter]: whatever is written meanwhile, all of it is of one
// revision.
func (n *Node) Export(ctx context.Context, start func(revision int64) error, each func(kv.Entry) error) error {
	from, end := n.prefix, clientv3.GetPrefixRangeEnd(n.prefix)
	revision := int64(0) // 0 in the first page: the present one
	for {
		var r *clientv3.GetResponse
		err := n.retry(ctx, func(ctx context.Context) (err error) {
			r, err = n.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithRev(revision), clientv3.WithLimit(page))
			return err
		})
		if err != nil {
			return err
		}
		if revision == 0 {
			revision = r.Header.Revision
			if err := start(revision); err != nil {
				return err
			}
		}
		for _, e := range n.entries(r.Kvs) {
			if err := each(e); err != nil {
				return err
			}
		}
		if !r.More {
			return nil
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
}

// Backup writes everything, as [kv.Backup] does. [kv.Restore] reads it.
func (n *Node) Backup(ctx context.Context, w io.Writer) error {
	_, err := kv.Backup(ctx, n, w, n.cfg.Cluster, time.Now())
	return err
}
