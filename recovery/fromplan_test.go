package recovery

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/plan"
)

// shop is a database with a synchronous standby, an application that can be grown
// in two ways, and a page that a person switches.
const shop = `
{kind: Domain, name: pangyo, type: site}
---
{kind: Domain, name: anyang, type: site, capacity: {servers: 10}}
---
{kind: Domain, name: pangyo-r1, type: rack, needs: [pangyo]}
---
kind: Component
name: db
title: 데이터베이스
mode: primary
replicas:
  - {in: pangyo-r1, role: primary}
  - {in: anyang, role: standby, sync: true}
actions:
  - {name: promote, does: promote, at: anyang, takes: {likely: 1m, worst: 3m}, crew: {dba: 1}, run: {exec: {argv: [x], limit: 5m}}}
---
kind: Component
name: app
atLeast: 2
needs: [db]
replicas: [{in: pangyo, count: 2, uses: {servers: 1}}]
actions:
  - {name: grow, does: scale, at: anyang, adds: {count: 2}, takes: 2m, uses: {pull: 1}, run: {exec: {argv: [x], idempotent: true}}}
  - {name: rent, does: scale, at: anyang, adds: {count: 2}, takes: 30m, run: {exec: {argv: [x]}}}
---
kind: Component
name: page
replicas: [{in: pangyo}]
actions: [{name: switch, does: switch, at: anyang, takes: 1m}]
---
{kind: Service, name: buy, users: 1000, needs: [app], parts: [{name: look, share: 0.2, needs: [page]}]}
---
{kind: Crew, name: dba, people: 2}
---
{kind: Limit, name: pull, slots: 1}
`

func load(t *testing.T) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "shop.yaml", Data: []byte(shop)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFromPlan(t *testing.T) {
	p, err := plan.Make(load(t), []string{"pangyo"}, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spec := FromPlan(p)
	if err := spec.Check(nil); err != nil {
		t.Fatal(err)
	}
	steps := map[string]Step{}
	for _, s := range spec.Steps {
		steps[s.ID] = s
	}
	db := steps["db/promote@anyang"]
	want := Step{
		ID: "db/promote@anyang", Component: "db", Title: "데이터베이스", Action: "promote", Does: "promote", At: "anyang", Site: "anyang",
		Finish: time.Minute, Likely: time.Minute, Worst: 3 * time.Minute, Limit: 5 * time.Minute,
		Uses: []Amount{{"crew/dba", 1}}, Driver: "exec", Args: map[string]any{"argv": []any{"x"}, "limit": "5m"},
		Guard: &Guard{Old: "pangyo-r1", Site: "pangyo", Sync: true},
	}
	if diff := cmp.Diff(want, db); diff != "" {
		t.Errorf("promotion (-want +got):\n%s", diff)
	}
	if g := steps["app/grow@anyang"]; !g.Idempotent || g.Guard != nil || g.Count != 2 || g.Limit != 4*time.Minute {
		t.Errorf("growth: %+v", g)
	}
	if s := steps["page/switch@anyang"]; !s.Manual() {
		t.Errorf("an action without run is for a person: %+v", s)
	}
	if diff := cmp.Diff([]Capacity{{"crew/dba", 2}, {"limit/pull", 1}}, spec.Capacity); diff != "" {
		t.Errorf("capacity (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"app/grow@anyang", "db/promote@anyang"}, spec.Services[0].Needs); diff != "" {
		t.Errorf("what the service waits for (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pangyo"}, spec.LostSites); diff != "" {
		t.Errorf("lost sites (-want +got):\n%s", diff)
	}
}

// TestRunWithThePlanner carries the plan of an estate out, while one action fails
// and another way is found.
func TestRunWithThePlanner(t *testing.T) {
	bubble(t, func(c *cluster) {
		t := c.t
		s := load(t)
		c.plan = PlanWith(func(context.Context, string) (*estate.Snapshot, error) { return s, nil }, plan.Options{})
		c.startAll("anyang", "gasan")
		c.world.takes["db/promote@anyang"] = time.Minute
		c.world.takes["app/rent@anyang"] = 20 * time.Minute
		c.world.fails["app/grow@anyang"] = errors.New("no image")
		made, err := plan.Make(s, []string{"pangyo"}, plan.Options{})
		if err != nil {
			t.Fatal(err)
		}
		run := c.create(FromPlan(made))
		c.until(run.ID, time.Minute, func(v RunView) bool { return len(v.Waiting) == 1 })
		if err := Confirm(t.Context(), c.store, run.ID, "page/switch@anyang", true, By{"kim", ""}); err != nil {
			t.Fatal(err)
		}
		v := c.until(run.ID, 2*time.Hour, over)
		want := map[string]StepState{
			"db/promote@anyang": StepDone, "app/grow@anyang": StepFailed, "app/rent@anyang": StepDone, "page/switch@anyang": StepDone,
		}
		if diff := cmp.Diff(want, states(v)); diff != "" || v.State != RunDone {
			t.Fatalf("(-want +got):\n%s\n%s", diff, story(v))
		}
		if m := v.Plans[len(v.Plans)-1]; !m.CostKnown || m.Cost <= 0 || len(m.GivenUp) > 0 {
			t.Errorf("another way costs more and gives nothing up: %+v", m)
		}
		sv := v.Services[0]
		if sv.Actual == nil || *sv.Actual < 20*time.Minute || *sv.Actual > 21*time.Minute || *sv.First != 2*time.Minute {
			t.Errorf("%s: planned %v, now %v, was back %v; want 2m, and 20m in fact", sv.Name, sv.First, sv.UpAt, sv.Actual)
		}
	})
}
