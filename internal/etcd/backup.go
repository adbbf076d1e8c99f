package etcd

import (
	"context"
	"errors"
	"io"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bongsu/internal/kv"
)

var _ kv.Exporter = (*Node)(nil)

// page is how many keys are read at a time. A value can have a megabyte; and etcd counts
// the rest of the range with each page, so that very small pages would be slow.
const page = 128

// Export implements [kv.Exporter]: whatever is written meanwhile, all of it is of one
// revision.
//
// A client reads one stream: of a million keys, pages would count all that is left for
// each. A member reads pages, as it has no streams of itself; the store of control, which
// members back up, is small.
func (n *Node) Export(ctx context.Context, start func(revision int64) error, each func(kv.Entry) error) error {
	from, end := n.prefix, clientv3.GetPrefixRangeEnd(n.prefix)
	revision := int64(0) // 0 in the first page: the present one
	if n.server == nil {
		if err := n.retry(ctx, func(ctx context.Context) (err error) {
			revision, err = n.revision(ctx)
			return err
		}); err != nil {
			return err
		}
		if err := start(revision); err != nil {
			return err
		}
		for done := false; !done; {
			at := from
			var err error
			from, done, err = n.stream(ctx, keyRange{from, end, revision}, each)
			if errors.Is(err, errNoStream) {
				break // an older etcd that somebody else runs: in pages
			}
			if err != nil && (from == at || !errors.Is(err, kv.ErrUnavailable)) {
				return err
			}
			if done {
				return nil
			}
		}
	}
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

var errNoStream = errors.New("this etcd knows no streams")

// A keyRange is keys at one revision.
type keyRange struct {
	from, end string
	revision  int64
}

// stream reads keys until it ends or breaks; then it says from where to go on.
func (n *Node) stream(ctx context.Context, of keyRange, each func(kv.Entry) error) (next string, done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := n.client.GetStream(ctx, of.from, clientv3.WithRange(of.end), clientv3.WithRev(of.revision))
	if err != nil {
		return of.from, false, classify(err)
	}
	defer func() {
		cancel()
		for range stream { // until it has ended
		}
	}()
	for r := range stream {
		switch err := r.Err(); {
		case status.Code(err) == codes.Unimplemented:
			return of.from, false, errNoStream
		case err != nil:
			return of.from, false, classify(err)
		}
		for _, e := range n.entries(r.Kvs) {
			if err := each(e); err != nil {
				return of.from, false, err
			}
			of.from = n.prefix + e.Key + "\x00"
		}
		if r.Header != nil { // only the last piece has one
			return of.from, true, nil
		}
	}
	return of.from, false, unavailable{errors.New("the stream broke off")}
}
