package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bongsu/internal/kv"
)

// maintenancePrefix is where the store of control keeps planned work; version 1.
const maintenancePrefix = Prefix + "maintenance/"

type storedMaintenance struct {
	V int `json:"v"`
	Maintenance
	By  string `json:"by"` // who changed it last
	Why string `json:"why,omitempty"`
}

func (m *storedMaintenance) version() int { return m.V }

// MaintenanceStates are how far planned work can be, in order.
func MaintenanceStates() []string {
	return []string{"scheduled", "in_progress", "verifying", "completed"}
}

// Maintenances returns all planned work that the store of control keeps, by ID.
func Maintenances(ctx context.Context, s kv.Store) ([]Maintenance, error) {
	all, _, err := list(ctx, s, maintenancePrefix, (*storedMaintenance).version)
	if err != nil {
		return nil, err
	}
	out := make([]Maintenance, len(all))
	for i, m := range all {
		out[i] = m.Maintenance
	}
	return out, nil
}

// A MaintenanceChange plans work, or changes what is planned. What is zero stays as it was.
type MaintenanceChange struct {
	New      bool // there is none of this ID yet
	Title    Text
	Status   string // see [MaintenanceStates]; of a new one "scheduled"
	From     time.Time
	Until    time.Time
	Services []string
	Say      Text // a word to the public, kept among the updates
}

// SetMaintenance plans the work of an ID, or changes what is planned, and returns what
// the public is told of it then.
func SetMaintenance(ctx context.Context, s kv.Store, id string, c MaintenanceChange, by string) (Maintenance, error) {
	if err := checkID(id, by); err != nil {
		return Maintenance{}, err
	}
	for {
		e, ok, err := s.Get(ctx, maintenancePrefix+id)
		if err != nil {
			return Maintenance{}, fmt.Errorf("look for maintenance %s: %w", id, err)
		}
		m := storedMaintenance{V: 1, Maintenance: Maintenance{ID: id, Status: MaintenanceStates()[0], Services: []string{}}}
		switch {
		case ok && c.New:
			return Maintenance{}, fmt.Errorf("%w: work is planned as %s already: update it, or take another ID", ErrInput, id)
		case !ok && !c.New:
			return Maintenance{}, fmt.Errorf("%w: no work is planned as %s", ErrInput, id)
		case ok:
			if m, err = decodeEntry(e, (*storedMaintenance).version); err != nil {
				return Maintenance{}, err
			}
		}
		if m.By, err = by, c.apply(&m.Maintenance, time.Now().UTC()); err != nil {
			return Maintenance{}, err
		}
		value, err := json.Marshal(m)
		if err != nil {
			return Maintenance{}, fmt.Errorf("encode maintenance %s: %w", id, err)
		}
		_, err = s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: maintenancePrefix + id, Modified: e.Modified}}, Do: []kv.Op{{Key: maintenancePrefix + id, Value: value}}})
		if !errors.Is(err, kv.ErrConflict) {
			return m.Maintenance, err
		}
	}
}

// apply changes m, or says why it cannot be.
func (c *MaintenanceChange) apply(m *Maintenance, now time.Time) error {
	if c.Title.In("ko") != "" {
		m.Title = c.Title
	}
	m.Status = cmp.Or(c.Status, m.Status)
	if !c.From.IsZero() {
		m.From = c.From.UTC().Round(0)
	}
	if !c.Until.IsZero() {
		m.Until = c.Until.UTC().Round(0)
	}
	if c.Services != nil {
		m.Services = c.Services
	}
	if c.Say.In("ko") != "" {
		u := Update{ID: fmt.Sprintf("%s-%d", m.ID, len(m.Updates)+1), At: now, Phase: Phase(m.Status), Body: c.Say}
		m.Updates = append([]Update{u}, m.Updates...)
	}
	return checkMaintenance(m)
}

func checkID(id, by string) error {
	switch {
	case strings.TrimSpace(by) == "":
		return fmt.Errorf("%w: say who plans it", ErrInput)
	case id == "" || len(id) > 100 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "":
		return fmt.Errorf("%w: its ID is %q: use a-z, 0-9, . and -", ErrInput, id)
	}
	return nil
}

// Bounds on what is told of one maintenance.
const (
	mostTitle   = 200
	mostSaid    = 10_000
	mostUpdates = 200
)

func checkMaintenance(m *Maintenance) error {
	tooLong := func(t Text, most int) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(t)), func(s string) bool { return utf8.RuneCountInString(s) > most })
	}
	switch {
	case m.Title.In("ko") == "":
		return fmt.Errorf("%w: it has no title", ErrInput)
	case tooLong(m.Title, mostTitle):
		return fmt.Errorf("%w: its title has more than %d characters", ErrInput, mostTitle)
	case !slices.Contains(MaintenanceStates(), m.Status):
		return fmt.Errorf("%w: it is %q: one of %s is expected", ErrInput, m.Status, strings.Join(MaintenanceStates(), ", "))
	case m.From.IsZero() || !m.Until.After(m.From):
		return fmt.Errorf("%w: it must end after it begins", ErrInput)
	case len(m.Services) > 1000:
		return fmt.Errorf("%w: it names %d services", ErrInput, len(m.Services))
	case len(m.Updates) > mostUpdates:
		return fmt.Errorf("%w: it has %d updates already", ErrInput, mostUpdates)
	case len(m.Updates) > 0 && tooLong(m.Updates[0].Body, mostSaid):
		return fmt.Errorf("%w: what is said has more than %d characters", ErrInput, mostSaid)
	}
	return nil
}
