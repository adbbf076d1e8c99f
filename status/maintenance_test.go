package status_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/internal/kv"
	"bongsu/status"
)

// Planned work is announced once, changes piece by piece, and keeps what was said.
func TestMaintenance(t *testing.T) {
	ctx, store := t.Context(), kv.NewMemory()
	set := func(id string, c status.MaintenanceChange) (status.Maintenance, error) {
		return status.SetMaintenance(ctx, store, id, c, "kim")
	}
	plan := status.MaintenanceChange{
		New: true, Title: status.Text{"ko": "메일 저장소 이전"}, From: noon, Until: noon.Add(2 * time.Hour), Services: []string{"mail"},
		Say: status.Text{"ko": "점검합니다."},
	}
	if _, err := set("mail", plan); err != nil {
		t.Fatal(err)
	}
	if _, err := set("mail", plan); !errors.Is(err, status.ErrInput) {
		t.Errorf("planned twice: %v", err)
	}
	m, err := set("mail", status.MaintenanceChange{Status: "in_progress", Say: status.Text{"en": "We have begun."}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Title["ko"] != "메일 저장소 이전" || !m.From.Equal(noon) || !slices.Equal(m.Services, []string{"mail"}) {
		t.Errorf("what was left out changed: %+v", m)
	}
	if len(m.Updates) != 2 || m.Updates[0].Body["en"] != "We have begun." || m.Updates[0].Phase != "in_progress" || m.Updates[1].Phase != "scheduled" {
		t.Errorf("updates: %+v", m.Updates)
	}
	all, err := status.Maintenances(ctx, store)
	if err != nil || len(all) != 1 || all[0].Status != "in_progress" {
		t.Errorf("%+v, %v", all, err)
	}
	for name, c := range map[string]status.MaintenanceChange{
		"state":    {Status: "half done"},
		"ends":     {Until: noon.Add(-time.Hour)},
		"title":    {Title: status.Text{"ko": strings.Repeat("가", 201)}},
		"word":     {Say: status.Text{"ko": strings.Repeat("가", 10_001)}},
		"services": {Services: make([]string, 1001)},
	} {
		if _, err := set("mail", c); !errors.Is(err, status.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"", "../mail", "Mail", "없음", strings.Repeat("a", 101)} {
		if _, err := set(id, plan); !errors.Is(err, status.ErrInput) {
			t.Errorf("ID %q: %v", id, err)
		}
	}
	if _, err := set("disk", status.MaintenanceChange{Status: "completed"}); !errors.Is(err, status.ErrInput) {
		t.Errorf("what is not planned was updated: %v", err)
	}
	if _, err := status.SetMaintenance(ctx, store, "disk", plan, " "); !errors.Is(err, status.ErrInput) {
		t.Errorf("planned by nobody: %v", err)
	}
}
