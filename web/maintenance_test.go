package web_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"bongsu/status"
	"bongsu/web"
	"bongsu/web/webtest"
)

// TestMaintenances plans work over the API, which is an approver's.
func TestMaintenances(t *testing.T) {
	ctx := t.Context()
	c, _ := client(t, "well", "approver")
	from := time.Date(2023, 11, 18, 2, 0, 0, 0, time.UTC)
	plan := status.MaintenanceChange{
		New: true, Title: status.Text{"en": "Mail storage"}, From: from, Until: from.Add(time.Hour), Services: []string{"mail"},
	}
	if _, err := c.SetMaintenance(ctx, "mail-1", plan); err != nil {
		t.Fatal(err)
	}
	m, err := c.SetMaintenance(ctx, "mail-1", status.MaintenanceChange{Status: "in_progress", Say: status.Text{"en": "We have begun."}})
	if err != nil || m.Status != "in_progress" || len(m.Updates) != 1 || !m.From.Equal(from) {
		t.Errorf("%+v, %v", m, err)
	}
	all, err := c.Maintenances(ctx)
	if err != nil || len(all) != 1 || all[0].Title["en"] != "Mail storage" {
		t.Errorf("%+v, %v", all, err)
	}
	wants := func(what string, code int, err error) {
		t.Helper()
		if p, ok := errors.AsType[*web.Error](err); !ok || p.Status != code {
			t.Errorf("%s: %v, want status %d", what, err, code)
		}
	}
	_, err = c.SetMaintenance(ctx, "mail-1", plan)
	wants("planned twice", http.StatusUnprocessableEntity, err)
	_, err = c.SetMaintenance(ctx, "../mail", plan)
	wants("an ID that leads elsewhere", http.StatusUnprocessableEntity, err)
	operator, b := client(t, "well", "operator")
	_, err = operator.SetMaintenance(ctx, "mail-2", plan)
	wants("planned by an operator", http.StatusForbidden, err)
	if all, err := status.Maintenances(ctx, b.Planned()); err != nil || len(all) != 0 {
		t.Errorf("it was planned all the same: %+v, %v", all, err)
	}
}

var _ web.Planner = (*webtest.Backend)(nil)
