package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"bongsu/internal/config"
	"bongsu/internal/etcd"
)

// PublicStore connects to the store of the public side as one of its nodes, for backups and
// restores. Close it.
func PublicStore(ctx context.Context, c *config.PublicConfig, log *slog.Logger) (*etcd.Node, error) {
	s := publicStore(c)
	s.Dir, s.Members, s.Join = "", nil, false
	n, err := etcd.Open(ctx, s, log)
	if err != nil {
		return nil, err
	}
	select {
	case <-n.Ready():
		return n, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), n.Close())
	}
}

// RunPublicStore runs the store of a public node, and serves nothing to anybody, until ctx
// ends: so that a backup is whole, and what was erased after it is erased again, before
// anybody reads it.
func RunPublicStore(ctx context.Context, o PublicOptions) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	store, err := etcd.Open(ctx, o.Store, o.Log)
	if err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready(nil, nil, nil)
	}
	select {
	case <-ctx.Done():
	case <-store.Done():
		err = errors.New("the store of this node stopped: it was removed from the cluster, or its disk failed")
	}
	return errors.Join(err, store.Close())
}
