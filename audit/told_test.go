package audit_test

import (
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
)

// told is an estate in which a person does what the words of measures say, and nothing
// else: names leave needs, and what is put up elsewhere stands in a domain that survives.
func told(t *testing.T, s *estate.Snapshot, survives string, measures []audit.MeasureItem) *estate.Snapshot {
	t.Helper()
	c := *s
	c.Components, c.Crews = slices.Clone(s.Components), slices.Clone(s.Crews)
	at, ok := s.Lookup(estate.KindDomain, survives)
	if !ok {
		t.Fatalf("there is no domain %s", survives)
	}
	procedure := regexp.MustCompile(`^a manual procedure for (\S+) of (\S+) without (.+)$`)
	run := regexp.MustCompile(`^a way to run (\S+) without (.+)$`)
	stands := regexp.MustCompile(`^(?:more voters|a second site|replicas|a copy|what (\S+)) (?:of|for the tool) ([^ ,]+)(?: works on, staged)?,? outside \S+(, and an action that uses it)?$`)
	left := regexp.MustCompile(`^a (?:way to start|manual procedure for (\S+) of) (\S+) with what is left$`)
	crew := regexp.MustCompile(`^another way to reach the crew (\S+)$`)
	component := func(name string) *estate.Component {
		r, ok := s.Lookup(estate.KindComponent, name)
		if !ok {
			t.Fatalf("there is no component %s", name)
		}
		return &c.Components[r.Index]
	}
	for _, m := range measures {
		for clause := range strings.SplitSeq(m.Words, "; ") {
			if f := procedure.FindStringSubmatch(clause); f != nil {
				x, names := component(f[2]), strings.Split(f[3], ", ")
				x.Actions = slices.Clone(x.Actions)
				i := slices.IndexFunc(x.Actions, func(a estate.Action) bool { return a.Name == f[1] })
				x.Actions[i].Needs, x.StartNeeds = without(s, x.Actions[i].Needs, names), without(s, x.StartNeeds, names)
				x.Actions[i].Crew = slices.DeleteFunc(slices.Clone(x.Actions[i].Crew), func(u estate.Use) bool {
					return slices.Contains(names, "the crew "+s.Crews[u.Index].Name)
				})
			} else if f := run.FindStringSubmatch(clause); f != nil {
				x := component(f[1])
				x.Needs = without(s, x.Needs, strings.Split(f[2], ", "))
			} else if f := stands.FindStringSubmatch(clause); f != nil {
				x := component(f[2])
				x.Actions = slices.Clone(x.Actions)
				switch {
				case f[1] != "": // staged
					i := slices.IndexFunc(x.Actions, func(a estate.Action) bool { return a.Name == f[1] })
					x.Actions[i].Does, x.Actions[i].At = estate.DoesRebuild, []int{at.Index}
				case f[3] != "":
					x.Actions = append(x.Actions, estate.Action{Name: "told", Does: estate.DoesRebuild, At: []int{at.Index}})
				default:
					more := estate.Replica{In: at.Index, Count: x.AtLeast}
					if x.Mode == estate.ModePrimary {
						more.Role, x.Auto = estate.RoleStandby, true
					}
					for _, r := range x.Replicas {
						more.Count += r.Count
					}
					x.Replicas = append(slices.Clone(x.Replicas), more)
				}
			} else if f := left.FindStringSubmatch(clause); f != nil {
				x := component(f[2])
				x.StartNeeds = estate.Need{}
				if i := slices.IndexFunc(x.Actions, func(a estate.Action) bool { return a.Name == f[1] }); i >= 0 {
					x.Actions = slices.Clone(x.Actions)
					x.Actions[i].Needs, x.Actions[i].Crew = estate.Need{}, nil
				}
			} else if f := crew.FindStringSubmatch(clause); f != nil {
				r, _ := s.Lookup(estate.KindCrew, f[1])
				c.Crews[r.Index].Needs = estate.Need{}
			} else {
				t.Fatalf("nobody knows what to do at %q", clause)
			}
		}
	}
	return &c
}

// without takes names as met in a need.
func without(s *estate.Snapshot, n estate.Need, names []string) estate.Need {
	if n.Ref != nil {
		if slices.Contains(names, s.NameOf(*n.Ref)) {
			return estate.Need{}
		}
		return n
	}
	left := estate.Need{Gate: estate.GateAtLeast, K: n.K}
	for _, o := range n.Of {
		if o = without(s, o, names); o.Empty() {
			left.K--
		} else {
			left.Of = append(left.Of, o)
		}
	}
	if left.K <= 0 {
		return estate.Need{}
	}
	return left
}

// Whoever carries out the cheapest measures as told leaves nothing unrecoverable.
func TestFixCarriedOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ estate, lost, survives string }{
		{"kakao-2022", "pangyo", "anyang"},
		{"nirs-2025", "daejeon", "gwangju"},
	} {
		s, err := estate.Load(os.DirFS("../examples/" + c.estate))
		if err != nil {
			t.Fatal(err)
		}
		fix, err := audit.Fix(s, []string{c.lost}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(fix.Measures) < 4 || len(fix.Impossible) > 0 {
			t.Fatalf("%s: %d measures, %d impossible", c.estate, len(fix.Measures), len(fix.Impossible))
		}
		after, err := audit.Fix(told(t, s, c.survives, fix.Measures), []string{c.lost}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(after.Services) > 0 {
			t.Errorf("%s: with %+v carried out, %d services stay down: %v", c.estate, fix.Measures, len(after.Services), after.Services)
		}
		// The fix of a finding does so for its subject.
		report, err := audit.Check(s, audit.Options{Lose: [][]string{{c.lost}}, Rules: []string{"unrecoverable"}})
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range report.Findings {
			if i < 3 && f.Fix != nil {
				fixed(t, told(t, s, c.survives, f.Fix.Things), c.lost, &f)
			}
		}
	}
}

// fixed fails where the subject of a finding still cannot come back.
func fixed(t *testing.T, s *estate.Snapshot, lost string, f *audit.Finding) {
	t.Helper()
	im, err := impact.Of(s, []string{lost})
	if err != nil {
		t.Fatal(err)
	}
	service, part, _ := strings.Cut(f.Subject, "/")
	for i := range s.Services {
		switch x := &im.Services[i]; {
		case s.Services[i].Name != service:
		case part == "" && x.State == impact.Unrecoverable:
			t.Errorf("%s: with %q carried out it stays down", f.ID, f.Fix.Words)
		}
	}
}

func TestFixOfFindingsCarriedOut(t *testing.T) { t.Parallel(); fixOfFindingsCarriedOut(t, 60) }

func fixOfFindingsCarriedOut(t *testing.T, seeds int) {
	t.Helper()
	tried := 0
	for seed := range uint64(seeds) {
		s := parse(t, randomEstate(rand.New(rand.NewPCG(seed, 71)), 12))
		report, err := audit.Check(s, audit.Options{Lose: [][]string{{"a"}}, Rules: []string{"unrecoverable"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range report.Findings {
			if f := &report.Findings[i]; f.Fix != nil && f.Severity == audit.Error {
				tried++
				fixed(t, told(t, s, "b", f.Fix.Things), "a", f)
			}
		}
	}
	if tried < seeds/2 {
		t.Errorf("only %d findings had a fix", tried)
	}
}
