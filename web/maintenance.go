package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"bongsu/status"
)

// A Planner keeps planned work that the public page tells of. A [Backend] that is one
// offers /api/v1/maintenances.
type Planner interface {
	// Maintenances returns all that is planned and was, by ID.
	Maintenances(ctx context.Context) ([]status.Maintenance, error)
	// SetMaintenance plans work, or changes what is planned.
	SetMaintenance(ctx context.Context, id string, c status.MaintenanceChange, by string) (status.Maintenance, error)
}

func (s *Server) planner() (Planner, error) {
	p, ok := s.backend.(Planner)
	if !ok {
		return nil, fmt.Errorf("%w: this node keeps no planned work", ErrNotFound)
	}
	return p, nil
}

func (s *Server) apiMaintenances(w http.ResponseWriter, r *http.Request, _ Identity) error {
	p, err := s.planner()
	if err != nil {
		return err
	}
	all, err := p.Maintenances(r.Context())
	if err != nil {
		return err
	}
	if all == nil {
		all = []status.Maintenance{}
	}
	writeJSON(w, http.StatusOK, map[string][]status.Maintenance{"maintenances": all})
	return nil
}

// A maintenanceRequest is the body of POST /api/v1/maintenances/ID/plan and of .../update.
type maintenanceRequest struct {
	Title    status.Text `json:"title,omitempty"`
	Status   string      `json:"status,omitempty"`
	From     time.Time   `json:"from,omitzero"`
	Until    time.Time   `json:"until,omitzero"`
	Services []string    `json:"services,omitempty"`
	Say      status.Text `json:"say,omitempty"`
}

// apiMaintenance plans work, or changes what is planned. The public sees it at once, so
// it is an approver's.
func (s *Server) apiMaintenance(w http.ResponseWriter, r *http.Request, id Identity) error {
	p, err := s.planner()
	if err != nil {
		return err
	}
	verb := r.PathValue("verb")
	if verb != "plan" && verb != "update" {
		return errNotFound
	}
	var req maintenanceRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	m, err := p.SetMaintenance(r.Context(), r.PathValue("id"), status.MaintenanceChange{
		New: verb == "plan", Title: req.Title, Status: req.Status, From: req.From, Until: req.Until, Services: req.Services, Say: req.Say,
	}, id.Name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, m)
	return nil
}

// Maintenances returns all work that is planned and was.
func (c *Client) Maintenances(ctx context.Context) ([]status.Maintenance, error) {
	var out struct{ Maintenances []status.Maintenance }
	return out.Maintenances, c.call(ctx, http.MethodGet, "/maintenances", nil, &out)
}

// SetMaintenance plans work, or changes what is planned, and returns what the public is
// told of it.
func (c *Client) SetMaintenance(ctx context.Context, id string, m status.MaintenanceChange) (status.Maintenance, error) {
	verb := "update"
	if m.New {
		verb = "plan"
	}
	var out status.Maintenance
	req := maintenanceRequest{Title: m.Title, Status: m.Status, From: m.From, Until: m.Until, Services: m.Services, Say: m.Say}
	return out, c.call(ctx, http.MethodPost, "/maintenances/"+url.PathEscape(id)+"/"+verb, req, &out)
}
