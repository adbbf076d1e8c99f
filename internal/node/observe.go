package node

import (
	"context"

	"bongsu/detect"
	"bongsu/internal/kv"
	"bongsu/internal/probe"
)

// observe looks at every target in every site, for as long as this node runs, and
// tells the others what it sees under a lease of its own: what a dead node saw
// goes away with it.
func (n *Node) observe(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := n.store.Lease(ctx, n.o.Detection.Lease)
		if err != nil {
			n.passing(ctx, "observations", err)
			continue
		}
		n.look(ctx, lease)
		n.leave(ctx, lease)
	}
	return nil
}

// look observes under one lease, again from the start when the estate changes.
func (n *Node) look(ctx context.Context, lease kv.Lease) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &detect.Publisher{Store: n.store, Site: n.o.Site, Lease: lease.ID(), Every: n.o.Detection.Lease}
	changes := n.cache.changes(ctx)
	for {
		targets, rev := n.targets()
		looking, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			l := probe.Looker{Targets: targets}
			l.Run(looking, func(sights []detect.Sight) {
				if err := p.Publish(looking, sights); err != nil && looking.Err() == nil {
					n.log.Debug("what is seen could not be told", "err", err)
				}
			})
		}()
		again := false
		for !again {
			select {
			case <-ctx.Done():
				again = true
			case <-lease.Done():
				cancel()
			case <-changes:
				again = n.cache.get().head.Rev != rev
			}
		}
		stop()
		<-done
		if ctx.Err() != nil {
			return
		}
	}
}

// targets are the nodes of all sites, and the probes of the estate.
func (n *Node) targets() (targets []probe.Target, rev string) {
	k := n.cache.get()
	for _, peer := range n.o.Cluster {
		targets = append(targets, probe.Target{
			Name: "node/" + peer.Site, Domain: peer.Site, HTTP: peer.URL + "/api/v1/healthz",
			Every: n.o.Interval, Timeout: n.o.Timeout, TLS: n.o.ProbeTLS,
		})
	}
	if k.snapshot != nil {
		targets = append(targets, probe.Targets(k.snapshot)...)
	}
	return targets, k.head.Rev
}
