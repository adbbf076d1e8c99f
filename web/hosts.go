package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bongsu/estate"
)

// A Rack is one cell of the map of hosts: a domain that holds hosts, or a rack with
// the hosts below it.
type Rack struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Type     string `json:"type,omitempty"`
	Site     string `json:"site,omitempty"`
	Hall     string `json:"hall,omitempty"` // what it stands in: a hall, a feed, else the site
	Hosts    int    `json:"hosts"`          // replicas of components that are placed in it
	Lost     int    `json:"lost"`           // of them, those in lost domains
	Machines int    `json:"machines,omitempty"`
	State    State  `json:"state"`
}

// A Hall is what racks stand in.
type Hall struct {
	Site  string `json:"site"`
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Racks []Rack `json:"racks"`
	Hosts int    `json:"hosts"`
	Lost  int    `json:"lost"`
	State State  `json:"state"`
}

// A floor is how the domains of an estate lie in one another, worked out once.
type floor struct {
	halls []Hall    // by site and name; the racks by name
	cells [][][]int // by hall and rack: the domains of it that hold something
	held  []int     // replicas by domain
}

// machine reports whether a domain is one host: it stands in a rack.
func machine(d *estate.Domain) bool {
	return d.Type == "server" || d.Type == "host" || d.Type == "machine"
}

// floorOf lays out the domains that replicas are placed in. The rack of a host is the
// nearest domain of type rack that it needs outright, else itself; the hall of a rack
// is the nearest domain below the site that the rack needs outright, else the site.
func floorOf(snap *estate.Snapshot) *floor {
	f := &floor{held: make([]int, len(snap.Domains))}
	for i := range snap.Components {
		for _, r := range snap.Components[i].Replicas {
			f.held[r.In] += r.Count
		}
	}
	depth := func(d int) int { return len(snap.Domains[d].Ancestors) }
	// nearest is the deepest ancestor that ok takes; names decide where two are as deep.
	nearest := func(d int, ok func(int) bool) int {
		best := -1
		for _, a := range snap.Domains[d].Ancestors {
			if ok(a) && (best < 0 || depth(a) > depth(best) || depth(a) == depth(best) && snap.Domains[a].Name < snap.Domains[best].Name) {
				best = a
			}
		}
		return best
	}
	type at struct{ hall, rack int }
	racks := make(map[int]at)
	halls := make(map[[2]int]int)
	for d := range snap.Domains {
		dom := &snap.Domains[d]
		isRack := dom.Type == "rack"
		if f.held[d] == 0 && !machine(dom) && !isRack {
			continue
		}
		rack := d
		if !isRack {
			if r := nearest(d, func(a int) bool { return snap.Domains[a].Type == "rack" }); r >= 0 {
				rack = r
			}
		}
		pos, ok := racks[rack]
		if !ok {
			site := snap.Domains[rack].Site
			hall := nearest(rack, func(a int) bool { return a != site && snap.Domains[a].Site == site && snap.Domains[a].Type != "rack" })
			if hall < 0 {
				hall = site
			}
			key := [2]int{site, hall}
			h, ok := halls[key]
			if !ok {
				h = len(f.halls)
				halls[key] = h
				f.halls = append(f.halls, hallOf(snap, site, hall))
				f.cells = append(f.cells, nil)
			}
			pos = at{h, len(f.halls[h].Racks)}
			racks[rack] = pos
			r := &snap.Domains[rack]
			f.halls[h].Racks = append(f.halls[h].Racks, Rack{Name: r.Name, Title: r.Title, Type: r.Type, Site: f.halls[h].Site, Hall: f.halls[h].Name})
			f.cells[h] = append(f.cells[h], nil)
		}
		cell := &f.halls[pos.hall].Racks[pos.rack]
		cell.Hosts += f.held[d]
		if machine(dom) {
			cell.Machines++
		}
		f.cells[pos.hall][pos.rack] = append(f.cells[pos.hall][pos.rack], d)
	}
	return f
}

func hallOf(snap *estate.Snapshot, site, hall int) Hall {
	h := Hall{Name: "–", State: StateUp}
	if site >= 0 {
		h.Site = snap.Domains[site].Name
	}
	if hall >= 0 {
		h.Name, h.Title = snap.Domains[hall].Name, snap.Domains[hall].Title
	}
	return h
}

// hostsOf says how every hall and rack is: what is lost by a declared or proposed
// loss, and what nobody can say.
func (c *composer) hostsOf(f Facts) []Hall {
	if f.Estate == nil {
		return []Hall{}
	}
	c.mu.Lock()
	if c.floorOf != f.Estate {
		c.floorOf, c.floor = f.Estate, floorOf(f.Estate)
	}
	floor := c.floor
	c.mu.Unlock()
	gone := make([]bool, len(f.Estate.Domains))
	if im, err := c.impactOf(f.Estate, declaredLoss(f)); err == nil {
		for _, d := range im.LostDomains {
			gone[d] = true
		}
	}
	sites := make(map[string]State)
	for _, s := range sitesOf(f) {
		sites[s.Name] = s.State
	}
	out := make([]Hall, len(floor.halls))
	for h := range floor.halls {
		out[h] = floor.halls[h]
		out[h].Racks = slices.Clone(out[h].Racks)
		for r := range out[h].Racks {
			rack := &out[h].Racks[r]
			dead := 0
			for _, d := range floor.cells[h][r] {
				if gone[d] {
					rack.Lost += floor.held[d]
					dead++
				}
			}
			rack.State = rackState(dead, len(floor.cells[h][r]), sites[rack.Site])
			out[h].Hosts += rack.Hosts
			out[h].Lost += rack.Lost
		}
		slices.SortFunc(out[h].Racks, func(a, b Rack) int { return natural(a.Name, b.Name) })
		out[h].State = worst(out[h].Racks)
	}
	slices.SortFunc(out, func(a, b Hall) int {
		return cmp.Or(cmp.Compare(rackOrder(a.State), rackOrder(b.State)), natural(a.Site, b.Site), natural(a.Name, b.Name))
	})
	return out
}

// declaredLoss are the domains that open incidents hold for lost.
func declaredLoss(f Facts) []string {
	lost := []string{}
	for i := range f.Incidents {
		if inc := &f.Incidents[i]; inc.Open() && !inc.Drill {
			lost = append(lost, inc.Lost...)
		}
	}
	slices.Sort(lost)
	return slices.Compact(lost)
}

func rackState(dead, all int, site State) State {
	switch {
	case all > 0 && dead == all:
		return StateLost
	case dead > 0:
		return StateDegraded
	case site == StateSuspect, site == StateIsolated, site == StateUnknown:
		return site
	case site == StateLost: // detected, and not declared yet
		return StateSuspect
	}
	return StateUp
}

// rackOrder puts what needs attention first.
func rackOrder(s State) int {
	return slices.Index([]State{StateLost, StateDegraded, StateSuspect, StateIsolated, StateUnknown, StateUp}, s)
}

func worst(racks []Rack) State {
	out := StateUp
	for i := range racks {
		if rackOrder(racks[i].State) < rackOrder(out) {
			out = racks[i].State
		}
	}
	return out
}

// natural compares names with the numbers in them as numbers: r2 before r10.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, errA := strconv.ParseUint(a[:na], 10, 64)
			y, errB := strconv.ParseUint(b[:nb], 10, 64)
			if errA == nil && errB == nil && x != y {
				return cmp.Compare(x, y)
			}
			if c := strings.Compare(a[:na], b[:nb]); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return strings.Compare(a, b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

type hostsView struct {
	pager
	Halls   []hallMap
	Racks   []Rack // one page of the table, worst first
	Sites   []siteFilter
	Site    string
	Hosts   int
	Lost    int
	AllRack int
	States  []rackTally
}

type rackTally struct {
	State State
	Racks int
	Hosts int
}

type siteFilter struct {
	Name, Title, Href string
	State             State
	On                bool
}

// A hallMap is the picture of a hall: a cell for each rack, in rows.
type hallMap struct {
	Hall

	Width, Height int
	Cells         []cell
	Bins          int // racks that one cell stands for, where there are very many
}

type cell struct {
	*Rack
	X, Y int
	Row  int // of the table, from 1; 0 where it stands for several racks
}

// Sizes of the map. Above mostCells racks in one hall, one cell stands for several.
const (
	cellSize  = 16
	cellsWide = 48
	mostCells = 960
)

func (s *Server) hostsPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	halls := s.composer.hostsOf(f)
	v := hostsView{Site: r.URL.Query().Get("site")}
	states := make(map[string]State)
	var order []string
	for _, h := range halls {
		if _, ok := states[h.Site]; !ok {
			order = append(order, h.Site)
			states[h.Site] = h.State
		}
		if rackOrder(h.State) < rackOrder(states[h.Site]) {
			states[h.Site] = h.State
		}
	}
	if len(order) > 0 && !slices.Contains(order, v.Site) {
		v.Site = order[0] // the worst one
	}
	slices.SortFunc(order, natural)
	for _, name := range order {
		sf := siteFilter{Name: name, Href: s.base + "/hosts?site=" + name, State: states[name], On: name == v.Site}
		if ref, ok := f.Estate.Lookup(estate.KindDomain, name); ok {
			sf.Title = f.Estate.Domains[ref.Index].Title
		}
		v.Sites = append(v.Sites, sf)
	}
	var racks []Rack
	for _, h := range halls {
		if h.Site != v.Site {
			continue
		}
		v.Hosts += h.Hosts
		v.Lost += h.Lost
		racks = append(racks, h.Racks...)
		v.Halls = append(v.Halls, drawHall(h))
	}
	v.AllRack = len(racks)
	for _, st := range []State{StateLost, StateDegraded, StateSuspect, StateIsolated, StateUnknown, StateUp} {
		t := rackTally{State: st}
		for i := range racks {
			if racks[i].State == st {
				t.Racks++
				t.Hosts += racks[i].Hosts
			}
		}
		if t.Racks > 0 {
			v.States = append(v.States, t)
		}
	}
	slices.SortStableFunc(racks, func(a, b Rack) int {
		return cmp.Or(cmp.Compare(rackOrder(a.State), rackOrder(b.State)), natural(a.Hall, b.Hall), natural(a.Name, b.Name))
	})
	v.Racks, v.pager = paginate(racks, r, "")
	return s.render(w, r, http.StatusOK, "hosts", "title.hosts", &v)
}

func drawHall(h Hall) hallMap {
	m := hallMap{Hall: h, Bins: max(1, (len(h.Racks)+mostCells-1)/mostCells)}
	racks := h.Racks
	if m.Bins > 1 {
		racks = nil
		for bin := range slices.Chunk(h.Racks, m.Bins) {
			one := Rack{Name: bin[0].Name + " – " + bin[len(bin)-1].Name, Hall: h.Name, Site: h.Site, State: worst(bin)}
			for i := range bin {
				one.Hosts += bin[i].Hosts
				one.Lost += bin[i].Lost
				one.Machines += bin[i].Machines
			}
			racks = append(racks, one)
		}
	}
	wide := min(cellsWide, max(len(racks), 1))
	for i := range racks {
		m.Cells = append(m.Cells, cell{Rack: &racks[i], X: i % wide * cellSize, Y: i / wide * cellSize})
	}
	m.Width = wide * cellSize
	m.Height = (len(racks) + wide - 1) / wide * cellSize
	return m
}

func (s *Server) apiHosts(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string][]Hall{"halls": s.composer.hostsOf(f)})
	return nil
}
