package node

import (
	"context"
	"fmt"

	"bongsu/estate"
	"bongsu/status"
	"bongsu/web"
)

var _ web.Planner = (*Node)(nil)

// Maintenances implements [web.Planner].
func (n *Node) Maintenances(ctx context.Context) ([]status.Maintenance, error) {
	return status.Maintenances(ctx, n.readable())
}

// SetMaintenance implements [web.Planner]. The leader tells the public with its next word.
func (n *Node) SetMaintenance(ctx context.Context, id string, c status.MaintenanceChange, by string) (status.Maintenance, error) {
	s := n.cache.get().snapshot
	for _, name := range c.Services {
		if s == nil {
			return status.Maintenance{}, fmt.Errorf("%w: %w", web.ErrRefused, errNoEstate)
		}
		if _, ok := s.Lookup(estate.KindService, name); !ok {
			return status.Maintenance{}, fmt.Errorf("%w: the estate has no service %q; the nearest is %q", web.ErrBadInput, name, s.Nearest(estate.KindService, name))
		}
	}
	return status.SetMaintenance(ctx, n.store, id, c, by)
}
