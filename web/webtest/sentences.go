package webtest

import (
	"context"
	"fmt"
	"time"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/internal/kv"
	"bongsu/recovery"
)

// Sentences are what detection and recovery say in cases that recur, as those packages
// themselves write them.
func Sentences(ctx context.Context) ([]string, error) {
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(estateYAML)}})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, answers := range []int{0, 1, 3} {
		for _, silent := range []time.Duration{3 * time.Second, time.Minute} {
			for _, observers := range [][]string{{"anyang", "gasan", "sejong"}, {"anyang"}, nil} {
				in := detect.Input{Snapshot: snap, Now: lostAt(), Policy: detect.Policy{Lease: 5 * time.Second, Hold: 8 * time.Second, Observers: 2}}
				for i, o := range observers {
					for _, target := range []string{"pangyo", "pangyo-ups-2"} {
						in.Observations = append(in.Observations, detect.Observation{Observer: o, Target: "front of " + target, Domain: target, OK: i < answers, Since: lostAt().Add(-silent)})
					}
				}
				for _, s := range detect.Judge(in).Sites {
					out = append(out, s.Sentence)
				}
			}
		}
	}
	store := kv.NewMemory()
	spec := recovery.Spec{Lost: []string{"pangyo"}, Capacity: []recovery.Capacity{{Name: "crew/dba", Count: 1}}}
	for i, id := range []string{"a/start@anyang", "b/start@anyang"} {
		st := recovery.Step{ID: id, Component: id[:1], Action: "start", At: "anyang", Site: "anyang", Driver: recovery.DriverManual, Finish: time.Minute}
		if i > 0 {
			st.After = []string{"a/start@anyang"}
		}
		spec.Steps = append(spec.Steps, st)
	}
	by := recovery.By{Who: "minseo", Why: "drill"}
	if _, err := recovery.Create(ctx, store, recovery.NewRun{ID: "r", Spec: spec, LostAt: lostAt(), By: by}); err != nil {
		return nil, fmt.Errorf("a run to look at: %w", err)
	}
	for _, change := range []func(context.Context, kv.Store, string, recovery.By) (recovery.Run, error){nil, recovery.Approve, recovery.Pause} {
		if change != nil {
			if _, err := change(ctx, store, "r", by); err != nil {
				return nil, err
			}
		}
		v, err := recovery.View(ctx, store, "r")
		if err != nil {
			return nil, err
		}
		for _, w := range v.Waiting {
			out = append(out, w.Asks)
		}
		for i := range v.Steps {
			if s := v.Steps[i].WaitsFor; s != "" {
				out = append(out, s)
			}
		}
	}
	return out, nil
}
