package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"bongsu/incident"
)

// An Archive hands out the record of an incident as evidence. A [Backend] that is one
// offers GET /api/v1/incidents/ID/export.
type Archive interface {
	Export(ctx context.Context, id string) (incident.Export, error)
}

// apiExport answers with the record of an incident, its checkpoints and its proofs.
func (s *Server) apiExport(w http.ResponseWriter, r *http.Request, _ Identity) error {
	a, ok := s.backend.(Archive)
	if !ok {
		return fmt.Errorf("%w: this node keeps no signed records", ErrNotFound)
	}
	out, err := a.Export(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// apiLetters answers with the drafts of all duties that an incident has brought.
func (s *Server) apiLetters(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	d, err := s.dossier(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	letters := []incident.Letter{}
	if f.Policy != nil && f.Estate != nil {
		if letters, err = incident.Letters(f.Policy, &d.Record, f.Estate.Services, f.At); err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, map[string][]incident.Letter{"letters": letters})
	return nil
}

// Export returns the record of an incident as evidence, as the node wrote it.
func (c *Client) Export(ctx context.Context, id string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "/incidents/"+url.PathEscape(id)+"/export", nil, &out)
}

// Letters returns the drafts of all duties that an incident has brought.
func (c *Client) Letters(ctx context.Context, id string) ([]incident.Letter, error) {
	var out struct{ Letters []incident.Letter }
	return out.Letters, c.call(ctx, http.MethodGet, "/incidents/"+url.PathEscape(id)+"/letters", nil, &out)
}
