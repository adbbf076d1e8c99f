package demo

import (
	"fmt"
	"math"
	"slices"
	"time"

	"bongsu/estate"
	"bongsu/plan"
)

// fastest is how long an action of the demo takes at least: below it the
// actuators would measure themselves.
const fastest = 200 * time.Millisecond

// AutoSpeed returns how many times faster than life a demo must run so that the
// recovery from a loss takes about target.
func AutoSpeed(p *plan.Plan, target time.Duration) float64 {
	var end time.Duration
	for _, s := range p.Steps {
		end = max(end, s.Finish)
	}
	return max(1, math.Ceil(float64(end)/float64(target)))
}

// Prepare returns the estate as the demo runs it: every duration divided by
// speed, every action carried out by the workload of the site where it takes
// effect, and a probe for every domain of a site that holds replicas. urls are the
// workloads, by site. The environment of each node names its own site's workload,
// so an action reaches the workload of whoever carries it out.
func Prepare(s *estate.Snapshot, speed float64, urls map[string]string) ([]estate.File, error) {
	scaled := *s
	scaled.Components = slices.Clone(s.Components)
	hosting := map[int]bool{}
	for i := range scaled.Components {
		c := &scaled.Components[i]
		for _, r := range c.Replicas {
			hosting[r.In] = true
		}
		c.Actions = slices.Clone(c.Actions)
		for j := range c.Actions {
			a := &c.Actions[j]
			a.Takes = estate.Span{Likely: faster(a.Takes.Likely, speed), Worst: faster(a.Takes.Worst, speed)}
			a.Run = &estate.Run{Driver: "http", Args: map[string]any{
				"method": "POST",
				"url":    "${env:" + workloadEnv + "}/act/" + c.Name + "/" + a.Name,
				"check": map[string]any{
					"url": "${env:" + workloadEnv + "}/act", "done": []any{200}, "notDone": []any{404},
				},
				"verify": map[string]any{
					"url": "${env:" + workloadEnv + "}/act", "done": []any{200}, "notDone": []any{404},
				},
			}}
		}
	}
	scaled.Services = slices.Clone(s.Services)
	for i := range scaled.Services {
		o := &scaled.Services[i].Objectives
		for _, d := range []**time.Duration{&o.RTO, &o.RPO} {
			if *d != nil {
				scaledBy := time.Duration(float64(**d) / speed)
				*d = &scaledBy
			}
		}
	}
	scaled.Probes = nil
	for d := range s.Domains {
		site := s.Domains[d].Site
		if site < 0 || !hosting[d] && d != site {
			continue
		}
		scaled.Probes = append(scaled.Probes, estate.Probe{
			Doc: estate.Doc{Name: "demo-" + s.Domains[d].Name, Cost: 1},
			In:  d, HTTP: urls[s.Domains[site].Name] + "/domain/" + s.Domains[d].Name,
			Every: 500 * time.Millisecond, Timeout: 500 * time.Millisecond,
		})
	}
	text := scaled.Encode()
	files := []estate.File{{Name: "estate.yaml", Data: text}}
	if _, err := estate.Parse(files); err != nil {
		return nil, fmt.Errorf("the estate of the demo: %w", err)
	}
	return files, nil
}

func faster(d time.Duration, speed float64) time.Duration {
	return max(fastest, time.Duration(float64(d)/speed).Round(time.Millisecond))
}
