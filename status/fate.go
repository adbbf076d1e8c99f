package status

import (
	"fmt"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
)

// Rests names the components of the estate that the page rests on.
type Rests struct {
	DNS, Certificate, Host, Mail string
}

// A Flaw is why the page could die or fall silent with what it reports on.
type Flaw struct {
	Part     string   `json:"part"`               // dns, certificate, host or mail
	On       string   `json:"on,omitempty"`       // component that it rests on
	Loss     string   `json:"loss,omitempty"`     // domain whose loss takes both
	Services []string `json:"services,omitempty"` // that would be down meanwhile, those with the most users first
	Sentence string   `json:"sentence"`
}

// Flaws proves that no single loss takes the page together with a service that it
// reports on: it tries the loss of every domain of the estate. It is empty when that
// holds, and pure.
func Flaws(s *estate.Snapshot, r Rests) []Flaw {
	parts := []struct{ name, on string }{{"dns", r.DNS}, {"certificate", r.Certificate}, {"host", r.Host}, {"mail", r.Mail}}
	flaws := []Flaw{}
	on := map[string]int{}
	for _, p := range parts {
		switch ref, ok := s.Lookup(estate.KindComponent, p.on); {
		case p.on == "":
			flaws = append(flaws, Flaw{Part: p.name, Sentence: fmt.Sprintf("nobody has said what the %s of the page rests on: name a component of the estate under fate in public.yaml", p.name)})
		case !ok:
			flaws = append(flaws, Flaw{Part: p.name, On: p.on, Sentence: fmt.Sprintf("the %s of the page rests on %q, which the estate does not know%s", p.name, p.on, meant(s, p.on))})
		default:
			on[p.name] = ref.Index
		}
	}
	if len(s.Services) == 0 {
		return append(flaws, Flaw{Sentence: "the estate has no service, so nothing is proven"})
	}
	engine := impact.NewEngine(s)
	for d := range s.Domains {
		im, err := engine.Of([]string{s.Domains[d].Name})
		if err != nil {
			continue // unreachable: the domain is of this estate
		}
		var down []int
		for i, v := range im.Services {
			if v.State != impact.Up && v.State != impact.Degraded {
				down = append(down, i)
			}
		}
		if len(down) == 0 {
			continue
		}
		slices.SortStableFunc(down, func(a, b int) int { return int(min(1, max(-1, s.Services[b].Users-s.Services[a].Users))) })
		for _, p := range parts {
			i, known := on[p.name]
			if !known || im.Components[i].State == impact.Up || im.Components[i].State == impact.Degraded {
				continue
			}
			f := Flaw{Part: p.name, On: p.on, Loss: s.Domains[d].Name}
			for _, v := range down {
				f.Services = append(f.Services, s.Services[v].Name)
			}
			f.Sentence = fmt.Sprintf("losing %s takes the %s of the page (%s) together with %s", f.Loss, p.name, p.on, f.Services[0])
			if more := len(f.Services) - 1; more > 0 {
				f.Sentence += fmt.Sprintf(" and %d more", more)
			}
			flaws = append(flaws, f)
		}
	}
	return flaws
}

func meant(s *estate.Snapshot, name string) string {
	if near := s.Nearest(estate.KindComponent, name); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
