package estate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// GenerateOptions say how large an estate [Generate] makes.
type GenerateOptions struct {
	Sites      int
	Servers    int
	Components int
	Services   int
	Needs      int    // references in the needs of components; 0 means six for each
	Seed       uint64 // the same options and seed give the same bytes
}

// Generate returns the files of a plausible estate of a large company, for
// tests, benchmarks and first steps. Sites have halls, two power feeds a hall,
// racks and servers. Components belong to divisions, which differ in how well
// they are built: some run everywhere at once, some have standbys and
// procedures, some hang on tools that only the first site has. So the loss of
// a site leaves some services up, some degraded, some to be recovered and some
// that nothing brings back.
func Generate(o GenerateOptions) ([]File, error) {
	switch {
	case o.Sites < 1 || o.Sites > 200:
		return nil, fmt.Errorf("sites is %d; expected 1 to 200", o.Sites)
	case o.Servers < o.Sites || o.Servers > 2_000_000:
		return nil, fmt.Errorf("servers is %d; expected at least one a site and at most 2000000", o.Servers)
	case o.Components < 1 || o.Components > 1_000_000:
		return nil, fmt.Errorf("components is %d; expected 1 to 1000000", o.Components)
	case o.Services < 0 || o.Services > 1_000_000:
		return nil, fmt.Errorf("services is %d; expected 0 to 1000000", o.Services)
	case o.Needs < 0 || o.Needs > 100*o.Components:
		return nil, fmt.Errorf("needs is %d; expected 0 to 100 for each component", o.Needs)
	}
	if o.Needs == 0 {
		o.Needs = 6 * o.Components
	}
	g := &generator{o: o, r: rand.New(rand.NewPCG(o.Seed, 0xb0_95_0b)), s: &Snapshot{}}
	g.places()
	g.people()
	g.tools()
	g.divisions()
	g.services()
	g.watch()
	return g.files(), nil
}

// Sizes of what is generated.
const (
	rackServers = 12
	hallRacks   = 40
	serverCPU   = 64
	cpuInUse    = 0.62 // of all: what a lost site held fits elsewhere only in part
)

// A generator builds a snapshot whose documents stay in the order of creation,
// so that an index is good from the start; nobody but files reads it.
type generator struct {
	o      GenerateOptions
	r      *rand.Rand
	s      *Snapshot
	sites  []genSite
	vault  int            // index of the domain that keeps tapes
	crews  map[string]int // index by name
	limits map[string]int
	shared []string // platforms that run everywhere
	group  []string // of each component, the file that it goes to
	groups []division
	needs  int // references so far
	made   int // components so far
}

// A genSite is what a site holds.
type genSite struct {
	domain         int
	name           string
	racks, servers []int
	free           map[int]float64 // processors left, of the site, its racks and servers
}

// A division is a part of the company with components of its own.
type division struct {
	name    string
	grade   int // 0 runs everywhere, 1 has standbys and procedures, 2 hangs on old tools
	home    int // its main site
	crew    string
	stores  []string
	bases   []string // its own platform
	apps    []string
	members int
}

func (g *generator) files() []File {
	f := newFormat()
	perSite := func(i int) string { return fmt.Sprintf("domains-%s.yaml", g.sites[i].name) }
	var out []File
	at := map[string]int{}
	add := func(name string, k Kind, i int) {
		j, ok := at[name]
		if !ok {
			j = len(out)
			at[name] = j
			out = append(out, File{Name: name})
		} else {
			out[j].Data = append(out[j].Data, "---\n"...)
		}
		e := &encoder{s: g.s, b: out[j].Data}
		e.document(f, k, i)
		out[j].Data = e.b
	}
	for i := range g.s.Domains {
		name := "domains.yaml"
		if s := g.s.Domains[i].Site; s >= 0 {
			name = perSite(s)
		}
		add(name, KindDomain, i)
	}
	for i := range g.s.Components {
		add(g.group[i]+".yaml", KindComponent, i)
	}
	for i := range g.s.Services {
		add("services.yaml", KindService, i)
	}
	for i := range g.s.Crews {
		add("crews.yaml", KindCrew, i)
	}
	for i := range g.s.Limits {
		add("limits.yaml", KindLimit, i)
	}
	for i := range g.s.Probes {
		add("probes.yaml", KindProbe, i)
	}
	for i := range g.s.Options {
		add("options.yaml", KindOption, i)
	}
	slices.SortFunc(out, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// domain adds a domain; site is the position of its site, or -1.
func (g *generator) domain(site int, d Domain) int {
	d.Cost, d.Site = 1, site
	g.s.Domains = append(g.s.Domains, d)
	return len(g.s.Domains) - 1
}

func ref(name string) Need { return Need{Ref: &Ref{Name: name}} }

func all(needs ...Need) Need {
	if len(needs) == 1 {
		return needs[0]
	}
	return Need{K: len(needs), Of: needs}
}

func anyOf(names ...string) Need {
	if len(names) == 1 {
		return ref(names[0])
	}
	n := Need{K: 1, Gate: GateAny}
	for _, name := range names {
		n.Of = append(n.Of, ref(name))
	}
	return n
}

func atLeast(k int, names ...string) Need {
	n := anyOf(names...)
	n.K, n.Gate = k, GateAtLeast
	return n
}

// pick returns one of list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (g *generator) places() {
	names := []string{"pangyo", "anyang", "sangam", "gasan", "chuncheon", "sejong", "busan", "ansan", "daejeon", "gwangju"}
	titles := []string{"판교 데이터센터", "안양 데이터센터", "상암 데이터센터", "가산 데이터센터", "춘천 데이터센터", "세종 데이터센터", "부산 데이터센터", "안산 데이터센터", "대전 데이터센터", "광주 데이터센터"}
	g.domain(-1, Domain{Doc: Doc{Name: "carrier-east", Title: "동부 회선"}, Type: "carrier", Operator: "East Telecom", Rate: 0.1, Outage: span(4*time.Hour, 12*time.Hour)})
	g.domain(-1, Domain{Doc: Doc{Name: "carrier-west", Title: "서부 회선"}, Type: "carrier", Operator: "West Telecom", Rate: 0.1, Outage: span(4*time.Hour, 12*time.Hour)})
	g.vault = g.domain(-1, Domain{Doc: Doc{Name: "tape-vault", Title: "테이프 금고"}, Type: "vault", Operator: "Iron Hill"})
	left, weight := g.o.Servers, float64(g.o.Sites)+0.6 // the first site holds 1.6 times what the others do
	for i := range g.o.Sites {
		name, title := fmt.Sprintf("site-%03d", i+1), ""
		if i < len(names) {
			name, title = names[i], titles[i]
		}
		servers := max(1, int(float64(g.o.Servers)/weight))
		if i == 0 {
			servers = max(1, int(1.6*float64(g.o.Servers)/weight))
		}
		servers = min(servers, left-(g.o.Sites-1-i))
		if i == g.o.Sites-1 {
			servers = left
		}
		left -= servers
		g.site(i, name, title, servers)
	}
}

func span(likely, worst time.Duration) Span { return Span{likely, worst} }

func cpu(n float64) Resources { return Resources{{"cpu", n}} }

func (g *generator) site(i int, name, title string, servers int) {
	s := genSite{name: name, free: map[int]float64{}}
	room := float64(servers * serverCPU)
	s.domain = g.domain(i, Domain{
		Doc: Doc{Name: name, Title: title}, Type: TypeSite, Operator: pick(g.r, []string{"own", "North Colo", "South Colo"}),
		Capacity: cpu(room), Needs: anyOf("carrier-east", "carrier-west"),
		Rate: 0.02, Outage: span(12*time.Hour, 5*24*time.Hour), Growth: 0.15,
	})
	s.free[s.domain] = room
	var hall string
	for n := range (servers + rackServers - 1) / rackServers {
		if n%hallRacks == 0 {
			hall = fmt.Sprintf("%s-h%02d", name, n/hallRacks+1)
			g.domain(i, Domain{Doc: Doc{Name: hall}, Type: "hall", Needs: ref(name), Rate: 0.01, Outage: span(6*time.Hour, 2*24*time.Hour)})
			for _, feed := range []string{"a", "b"} {
				g.domain(i, Domain{Doc: Doc{Name: hall + "-feed-" + feed}, Type: "feed", Needs: ref(name), Rate: 0.2, Outage: span(time.Hour, 8*time.Hour)})
			}
			g.domain(i, Domain{Doc: Doc{Name: hall + "-cooling"}, Type: "cooling", Needs: ref(name), Rate: 0.05, Outage: span(2*time.Hour, 12*time.Hour)})
		}
		rack := fmt.Sprintf("%s-r%04d", name, n+1)
		held := min(rackServers, servers-n*rackServers)
		at := g.domain(i, Domain{
			Doc: Doc{Name: rack}, Type: "rack", Capacity: cpu(float64(held * serverCPU)),
			Needs: all(ref(hall), ref(hall+"-cooling"), anyOf(hall+"-feed-a", hall+"-feed-b")),
		})
		s.racks = append(s.racks, at)
		s.free[at] = float64(held * serverCPU)
		for k := range held {
			at := g.domain(i, Domain{Doc: Doc{Name: fmt.Sprintf("%s-s%02d", rack, k+1)}, Type: "server", Capacity: cpu(serverCPU), Needs: ref(rack)})
			s.servers = append(s.servers, at)
			s.free[at] = serverCPU
		}
	}
	g.sites = append(g.sites, s)
}

func (g *generator) people() {
	g.crews, g.limits = map[string]int{}, map[string]int{}
	crew := func(name, title string, people int, needs Need) {
		g.crews[name] = len(g.s.Crews)
		g.s.Crews = append(g.s.Crews, Crew{Doc: Doc{Name: name, Title: title, Cost: 1}, People: people, Needs: needs})
	}
	reach := Need{}
	if g.o.Components >= len(toolNames()) {
		reach = anyOf("work-chat", "phone-tree")
	}
	crew("dba", "데이터베이스", 12, reach)
	crew("platform", "플랫폼", 24, reach)
	crew("network", "네트워크", 8, reach)
	for i := range max(1, g.o.Components/500) {
		needs := reach
		if i%5 == 4 && !reach.Empty() {
			needs = ref("work-chat") // reached by one channel only
		}
		crew(fmt.Sprintf("ops-%03d", i+1), "", 4+g.r.IntN(12), needs)
	}
	for _, l := range []struct {
		name  string
		slots int
	}{{"image-pull", 40}, {"restore-io", 12}, {"dns-change", 10}} {
		g.limits[l.name] = len(g.s.Limits)
		g.s.Limits = append(g.s.Limits, Limit{Doc: Doc{Name: l.name, Cost: 1}, Slots: l.slots})
	}
}

// component adds a component to the file named by group.
func (g *generator) component(group string, c Component) {
	c.Cost = 1
	g.group = append(g.group, group)
	if c.Mode == "" {
		c.Mode = ModeAny
	}
	c.AtLeast = max(c.AtLeast, 1)
	g.s.Components = append(g.s.Components, c)
	g.made++
	c.Needs.refs(func(Need) { g.needs++ })
}

// put returns an entry of count replicas somewhere in a site: on one server
// when count is 1, in one rack otherwise. Together they take about the given
// processors, less where the place is nearly full.
func (g *generator) put(site, count int, processors float64) Replica {
	s := &g.sites[site]
	in := s.racks
	if count == 1 {
		in = s.servers
	}
	best := pick(g.r, in)
	for range 7 {
		if d := pick(g.r, in); s.free[d] > s.free[best] {
			best = d
		}
	}
	total := min(processors, s.free[best], s.free[s.domain])
	rack := -1
	if count == 1 {
		// The rack of a server is the rack in front of it.
		i, _ := slices.BinarySearch(s.racks, best)
		rack = s.racks[i-1]
		total = min(total, s.free[rack])
	}
	each := math.Floor(total/float64(count)*100) / 100
	r := Replica{In: best, Count: count}
	if each > 0 {
		r.Uses = cpu(each)
		taken := each * float64(count)
		s.free[best] -= taken
		s.free[s.domain] -= taken
		if rack >= 0 {
			s.free[rack] -= taken
		}
	}
	return r
}

// share is the processors that one component takes on average.
func (g *generator) share() float64 {
	return cpuInUse * float64(g.o.Servers*serverCPU) / float64(g.o.Components)
}

// others returns up to n sites, the one after home first.
func (g *generator) others(home, n int) []int {
	var out []int
	for i := 1; i < len(g.sites) && len(out) < n; i++ {
		out = append(out, (home+i)%len(g.sites))
	}
	return out
}

func (g *generator) domainsOf(sites []int) []int {
	out := make([]int, len(sites))
	for i, s := range sites {
		out[i] = g.sites[s].domain
	}
	return out
}

func (g *generator) minutes(least, most int) Span {
	likely := time.Duration(least+g.r.IntN(most-least+1)) * time.Minute
	if g.r.IntN(3) == 0 {
		return Span{likely, likely * time.Duration(2+g.r.IntN(3))}
	}
	return Span{likely, likely}
}

// toolNames are the tools; those on "old" run in the first site only.
func toolNames() []string {
	return []string{"phone-tree", "work-chat", "dc-switch", "deploy", "image-store", "monitoring", "dc-switch-old", "deploy-old", "image-store-old", "wiki", "source", "vpn"}
}

func (g *generator) tools() {
	titles := map[string]string{"dc-switch": "센터 전환", "deploy": "배포", "image-store": "이미지 저장소", "monitoring": "모니터링", "work-chat": "사내 메신저", "phone-tree": "비상 연락망", "dc-switch-old": "구 센터 전환"}
	for _, name := range toolNames() {
		if g.made == g.o.Components {
			return
		}
		c := Component{Doc: Doc{Name: name, Title: titles[name]}, Tool: true}
		switch name {
		case "phone-tree": // a list on paper: it stands nowhere
		case "work-chat", "dc-switch-old", "deploy-old", "image-store-old", "wiki", "source":
			c.Replicas = []Replica{g.put(0, 1, g.share()/4), g.put(0, 1, g.share()/4)}
		default:
			for _, i := range append([]int{0}, g.others(0, 2)...) {
				c.Replicas = append(c.Replicas, g.put(i, 1, g.share()/4))
			}
		}
		if at := g.domainsOf(g.others(0, 2)); len(at) > 0 && g.ready() && (name == "wiki" || name == "source" || name == "work-chat") {
			c.Actions = []Action{{Name: "restart-elsewhere", Does: DoesStart, At: at, Takes: g.minutes(30, 90), Needs: all(ref("image-store"), ref("deploy")), Crew: g.people1("platform", 2)}}
		}
		g.component("tools", c)
	}
	// Platforms that everything stands on run in every site; two need each
	// other to run, which is harmless.
	titles = map[string]string{"auth": "인증", "gateway": "게이트웨이"}
	for _, name := range []string{"config", "auth", "gateway", "queue", "cache"} {
		if g.made == g.o.Components {
			return
		}
		c := Component{Doc: Doc{Name: "shared-" + name, Title: titles[name]}}
		for i := range g.sites {
			c.Replicas = append(c.Replicas, g.put(i, 2, g.share()))
		}
		switch {
		case name == "config" && g.o.Components > g.made+1:
			c.Needs = ref("shared-auth")
		case name != "config":
			c.Needs = ref("shared-config")
		}
		g.component("shared", c)
		g.shared = append(g.shared, c.Name)
	}
}

// people1 returns so many people of one crew.
func (g *generator) people1(crew string, n int) []Use { return []Use{{g.crews[crew], n}} }

func (g *generator) divisions() {
	left := g.o.Components - g.made
	if left == 0 {
		return
	}
	words := []string{"talk", "pay", "map", "mail", "music", "shop", "taxi", "news", "game", "cloud", "photo", "bank", "video", "search", "story", "webtoon"}
	n := max(1, min(left/12, max(3, g.o.Services/16)))
	for i := range n {
		d := division{
			name: fmt.Sprintf("%s%02d", words[i%len(words)], i/len(words)+1), home: i % len(g.sites),
			grade: []int{0, 1, 2, 1, 0, 1, 2}[i%7], crew: fmt.Sprintf("ops-%03d", i%max(1, g.o.Components/500)+1),
			members: (i+1)*left/n - i*left/n,
		}
		if len(g.sites) == 1 {
			d.grade = 2
		}
		g.division(&d)
		g.groups = append(g.groups, d)
	}
}

// division makes the components of one division: a fourth are stores, a sixth
// its own platform, the rest applications.
func (g *generator) division(d *division) {
	stores, bases := max(1, d.members/4), max(1, d.members/6)
	for i := range d.members {
		switch {
		case i < stores:
			g.store(d, i)
		case i < stores+bases:
			g.base(d, i-stores)
		default:
			g.app(d, i-stores-bases)
		}
	}
}

// tool returns the tool of a division: an old one for a division of grade 2.
func (d *division) tool(name string) string {
	if d.grade == 2 {
		return name + "-old"
	}
	return name
}

// ready reports whether the tools that actions need are there at all.
func (g *generator) ready() bool { return g.o.Components >= len(toolNames()) }

func (g *generator) toolNeeds(d *division, names ...string) Need {
	if !g.ready() {
		return Need{}
	}
	needs := make([]Need, len(names))
	for i, n := range names {
		needs[i] = ref(d.tool(n))
	}
	return all(needs...)
}

func (g *generator) store(d *division, i int) {
	c := Component{Doc: Doc{Name: fmt.Sprintf("%s-store-%03d", d.name, i+1)}, Data: &Data{Size: float64(int64(1+g.r.IntN(64)) << 40)}}
	far := g.others(d.home, 4)
	share := g.share()
	switch kind := g.r.IntN(4); {
	case kind == 0 && len(far) >= 2: // a quorum over three or five sites
		c.Mode = ModeQuorum
		c.Replicas = append(c.Replicas, g.put(d.home, 1, share/3))
		members := 2
		if len(far) >= 4 && g.r.IntN(3) == 0 {
			members = 4
		}
		for _, s := range far[:members] {
			if d.grade == 2 && g.r.IntN(2) == 0 {
				s = d.home // looks like a quorum and is not
			}
			c.Replicas = append(c.Replicas, g.put(s, 1, share/3))
		}
		if d.grade < 2 || g.r.IntN(2) == 0 {
			c.Actions = []Action{{Name: "rebuild", Does: DoesRebuild, At: g.domainsOf(far[:2]), Takes: g.minutes(30, 120), Needs: g.toolNeeds(d, "deploy", "image-store"), Crew: g.people1("dba", 2), Uses: g.slots("restore-io", 2)}}
		}
	case len(far) == 0:
		c.Mode = ModePrimary
		c.Replicas = []Replica{g.primary(d.home, share)}
	default:
		c.Mode = ModePrimary
		c.Auto = d.grade == 0
		c.Replicas = []Replica{g.primary(d.home, share/2)}
		standbys := far[:min(len(far), 1+g.r.IntN(2))]
		if d.grade == 2 && g.r.IntN(3) == 0 {
			standbys = nil
		}
		for j, s := range standbys {
			r := g.put(s, 1, share/2)
			r.Role = RoleStandby
			if r.Sync = j == 0 && d.grade < 2; !r.Sync {
				lag := Span{5 * time.Second, time.Minute}
				r.Lag = &lag
			}
			c.Replicas = append(c.Replicas, r)
		}
		if len(standbys) > 0 {
			c.Actions = append(c.Actions, Action{Name: "promote", Does: DoesPromote, At: g.domainsOf(standbys), Takes: g.minutes(2, 12), Needs: g.toolNeeds(d, "dc-switch"), Crew: g.people1("dba", 1), Uses: g.slots("dns-change", 1)})
		}
	}
	if len(far) > 0 && g.r.IntN(3) > 0 {
		lag := Span{24 * time.Hour, 24 * time.Hour}
		k := Copy{In: g.vault, How: "backup", Lag: &lag}
		if g.r.IntN(2) == 0 {
			k.Tested = time.Date(2026, time.Month(1+g.r.IntN(9)), 1+g.r.IntN(28), 0, 0, 0, 0, time.UTC)
		}
		c.Data.Copies = []Copy{k}
		if g.r.IntN(2) == 0 {
			c.Actions = append(c.Actions, Action{Name: "restore", Does: DoesRestore, At: g.domainsOf(far[:1]), Takes: g.minutes(120, 600), Needs: g.toolNeeds(d, "deploy"), Crew: g.people1("dba", 1), Uses: g.slots("restore-io", 1)})
		}
	}
	d.stores = append(d.stores, c.Name)
	g.component(d.name, c)
}

func (g *generator) primary(site int, processors float64) Replica {
	r := g.put(site, 1, processors)
	r.Role = RolePrimary
	return r
}

func (g *generator) slots(limit string, n int) []Use { return []Use{{g.limits[limit], n}} }

// spread places an application of a division, and returns how it can come back.
func (g *generator) spread(d *division, c *Component) {
	far := g.others(d.home, 4)
	count := 2 + g.r.IntN(12)
	share := g.share() * (0.4 + 1.2*g.r.Float64())
	grow := func(at []int, adds int) Action {
		a := Action{Name: "grow", Does: DoesScale, At: g.domainsOf(at), Adds: adds, Takes: g.minutes(5, 30), Needs: g.toolNeeds(d, "deploy", "image-store"), Crew: g.people1(d.crew, 1), Uses: g.slots("image-pull", 1)}
		if g.r.IntN(20) == 0 {
			a.Run = &Run{Driver: "exec", Args: map[string]any{"argv": []any{"/usr/local/bin/grow", c.Name, adds}, "limit": "30m"}}
		}
		return a
	}
	switch {
	case (d.grade == 0 || d.grade == 1 && g.r.IntN(3) == 0) && len(far) >= 2: // any two of three sites carry it
		for _, s := range append([]int{d.home}, far[:2]...) {
			c.Replicas = append(c.Replicas, g.put(s, count, share/3))
		}
		c.AtLeast = 2 * count
	case d.grade < 2 && len(far) >= 1: // half of it elsewhere is too little
		c.Replicas = []Replica{g.put(d.home, 2*count, share*2/3), g.put(far[0], count, share/3)}
		c.AtLeast = count + (count+1)/2
		c.Actions = []Action{grow(far[:min(2, len(far))], count)}
	default: // one site; some can be started elsewhere
		c.Replicas = []Replica{g.put(d.home, count, share)}
		if g.r.IntN(3) > 0 && len(far) > 0 {
			c.Actions = []Action{grow(far[:1], count)}
		}
	}
	if g.ready() && g.r.IntN(4) == 0 {
		c.StartNeeds = ref(d.tool("image-store"))
	}
}

// draw adds references to the needs of c until the estate has its share of
// them, from pools that are tried in turn.
func (g *generator) draw(c *Component, pools ...[]string) {
	want := int(float64(g.made+1)*float64(g.o.Needs)/float64(g.o.Components)) - g.needs
	var flat, pool []string
	for _, p := range pools {
		pool = append(pool, p...)
	}
	seen := map[string]bool{}
	for range 4 * want {
		if len(flat) >= min(want, len(pool)) {
			break
		}
		name := pick(g.r, pools[len(flat)%len(pools)])
		if g.r.IntN(4) == 0 {
			name = pick(g.r, pool)
		}
		if !seen[name] {
			seen[name] = true
			flat = append(flat, name)
		}
	}
	var needs []Need
	for len(flat) > 0 {
		switch k := g.r.IntN(10); {
		case k == 0 && len(flat) >= 3:
			needs = append(needs, atLeast(2, flat[:3]...))
			flat = flat[3:]
		case k <= 2 && len(flat) >= 2:
			needs = append(needs, anyOf(flat[:2]...))
			flat = flat[2:]
		default:
			needs = append(needs, ref(flat[0]))
			flat = flat[1:]
		}
	}
	if len(needs) > 0 {
		c.Needs = all(needs...)
	}
}

// nonEmpty drops the pools that hold nothing.
func nonEmpty(pools ...[]string) [][]string {
	return slices.DeleteFunc(pools, func(p []string) bool { return len(p) == 0 })
}

// last returns the last n of list, at most.
func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

func (g *generator) base(d *division, i int) {
	c := Component{Doc: Doc{Name: fmt.Sprintf("%s-base-%03d", d.name, i+1)}}
	g.spread(d, &c)
	if pools := nonEmpty(d.stores, g.shared, last(d.bases, 3)); len(pools) > 0 {
		g.draw(&c, pools...)
	}
	d.bases = append(d.bases, c.Name)
	g.component(d.name, c)
}

func (g *generator) app(d *division, i int) {
	c := Component{Doc: Doc{Name: fmt.Sprintf("%s-app-%03d", d.name, i+1)}}
	if i == 0 {
		c.Title = d.name + " 대표 화면"
	}
	g.spread(d, &c)
	if pools := nonEmpty(d.stores, d.bases, g.shared, last(d.apps, 6)); len(pools) > 0 {
		g.draw(&c, pools...)
	}
	// What it wants may belong to another division.
	if len(g.groups) > 0 && g.r.IntN(3) == 0 {
		if o := pick(g.r, g.groups); len(o.apps) > 0 {
			c.Wants = ref(pick(g.r, o.apps))
		}
	}
	d.apps = append(d.apps, c.Name)
	g.component(d.name, c)
}

func (g *generator) services() {
	for i := range g.o.Services {
		s := Service{Doc: Doc{Name: fmt.Sprintf("service-%04d", i+1), Cost: 1}, Weight: 1}
		rank := float64(i + 1)
		s.Users = int64(47_000_000/math.Pow(rank, 0.9)) + 1
		s.Tier = 1 + min(3, int(math.Log10(rank)))
		s.Weight = []float64{3, 2, 1, 1}[s.Tier-1]
		s.Paid = g.r.IntN(5) == 0
		rto := []time.Duration{20 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour}[s.Tier-1]
		rpo := []time.Duration{0, time.Minute, time.Hour, 24 * time.Hour}[s.Tier-1]
		s.Objectives = Objectives{RTO: &rto, RPO: &rpo}
		if i%10 == 0 {
			s.Title = fmt.Sprintf("서비스 %d호", i+1)
		}
		if len(g.groups) > 0 {
			d := &g.groups[i%len(g.groups)]
			from := d.apps
			if len(from) == 0 {
				from = slices.Concat(d.stores, d.bases)
			}
			var needs []Need
			for _, j := range g.r.Perm(len(from))[:min(len(from), 1+g.r.IntN(3))] {
				needs = append(needs, ref(from[j]))
			}
			s.Needs = all(needs...)
			if g.r.IntN(5) == 0 {
				s.Parts = []Part{
					{Name: "pictures", Title: "사진", Share: 0.2, Needs: ref(pick(g.r, from))},
					{Name: "search", Title: "검색", Share: 0.1, Needs: ref(pick(g.r, from))},
				}
			}
			if o := pick(g.r, g.groups); len(o.apps) > 0 && g.r.IntN(3) == 0 {
				s.Wants = ref(pick(g.r, o.apps))
			}
		} else if g.made > 0 {
			s.Needs = ref(g.s.Components[g.r.IntN(g.made)].Name)
		}
		g.s.Services = append(g.s.Services, s)
	}
}

func (g *generator) watch() {
	for _, s := range g.sites {
		g.s.Probes = append(g.s.Probes, Probe{
			Doc: Doc{Name: "gate-" + s.name, Cost: 1}, In: s.domain, HTTP: "https://gate." + s.name + ".example/health",
			Every: defaultEvery, Timeout: defaultTimeout,
		})
	}
	g.s.Options = []Option{{
		Doc: Doc{Name: "new-site", Title: "새 데이터센터", Cost: 460e9}, In: -1, Type: TypeSite, Operator: "own",
		Capacity: cpu(float64(g.o.Servers*serverCPU) / 4), Lead: Span{2 * 365 * 24 * time.Hour, 3 * 365 * 24 * time.Hour}, Yearly: 30e9,
	}}
}
