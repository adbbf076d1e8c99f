package estate_test

import (
	"fmt"

	"bongsu/estate"
)

func ExampleParse() {
	s, err := estate.Parse([]estate.File{{Name: "shop.yaml", Data: []byte(`
kind: Domain
name: north
type: site
---
kind: Component
name: web
replicas: [{in: north, count: 3}]
---
kind: Service
name: shop
needs: [web]
`)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	web := s.Components[s.Services[0].Needs.Ref.Index]
	fmt.Println(web.Name, "has", web.Replicas[0].Count, "replicas in", s.Domains[web.Replicas[0].In].Name)
	// Output: web has 3 replicas in north
}

func ExampleErrors() {
	_, err := estate.Parse([]estate.File{{Name: "shop.yaml", Data: []byte(`
kind: Component
name: web
mode: primry
replicas: [{in: nroth}]
---
{kind: Domain, name: north}
`)}})
	fmt.Println(err)
	// Output:
	// shop.yaml:4:7: mode is "primry"; expected any, quorum or primary; did you mean "primary"?
	// shop.yaml:5:17: in: unknown name "nroth"; expected a domain; did you mean "north"?
}
