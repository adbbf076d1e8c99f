package webtest

import (
	"context"

	"bongsu/internal/kv"
	"bongsu/status"
)

// Planned is the store in which planned work is kept.
func (b *Backend) Planned() kv.Store { return b.planned }

// Maintenances implements [web.Planner].
func (b *Backend) Maintenances(ctx context.Context) ([]status.Maintenance, error) {
	return status.Maintenances(ctx, b.planned)
}

// SetMaintenance implements [web.Planner].
func (b *Backend) SetMaintenance(ctx context.Context, id string, c status.MaintenanceChange, by string) (status.Maintenance, error) {
	return status.SetMaintenance(ctx, b.planned, id, c, by)
}
