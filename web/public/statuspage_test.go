package public_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"bongsu/status"
)

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("testdata/statuspage/v2.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("v2.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("v2.json#/$defs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(s *jsonschema.Schema, body string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestStatuspage: every answer in every state is one that clients of Statuspage can
// read, and the schema that says so refuses what they cannot.
func TestStatuspage(t *testing.T) {
	endpoints := []string{"summary.json", "status.json", "components.json", "incidents.json", "incidents/unresolved.json", "scheduled-maintenances.json", "scheduled-maintenances/upcoming.json", "scheduled-maintenances/active.json"}
	states := make(map[string]map[string]string)
	for _, scenario := range scenarios() {
		s, now := fixture(scenario)
		states[scenario] = files(t, s, now)
	}
	s := large(12)
	for n := range 60 {
		i := earlier()
		i.ID += strings.Repeat("x", n+1)
		s.Incidents = append(s.Incidents, i)
	}
	states["large"] = files(t, s, noon)
	for _, e := range endpoints {
		want := schema(t, path.Base(e))
		for scenario, all := range states {
			if err := valid(want, all["api/v2/"+e]); err != nil && scenario != "empty" {
				t.Errorf("%s of %s: %v\n%.1500s", e, scenario, err, all["api/v2/"+e])
			}
		}
	}
	summary := states["incident"]["api/v2/summary.json"]
	for what, wrong := range map[string]string{
		"a null list":       strings.Replace(summary, `"scheduled_maintenances":[]`, `"scheduled_maintenances":null`, 1),
		"a missing null":    strings.Replace(summary, `"group_id":null,`, ``, 1),
		"no milliseconds":   strings.Replace(summary, `.000+09:00`, `+09:00`, 1),
		"another status":    strings.Replace(summary, `"status":"major_outage"`, `"status":"down"`, 1),
		"another indicator": strings.Replace(summary, `"indicator":"critical"`, `"indicator":"bad"`, 1),
		"a new field":       strings.Replace(summary, `"page":{`, `"page":{"x":1,`, 1),
	} {
		if wrong == summary {
			t.Errorf("%s: the summary has no such place to make wrong", what)
		} else if valid(schema(t, "summary.json"), wrong) == nil {
			t.Errorf("the schema takes %s", what)
		}
	}
}

// TestStatuspageSays what it must of an outage in which parts fail.
func TestStatuspageSays(t *testing.T) {
	type summary struct {
		Status     status.IndicatorV2   `json:"status"`
		Components []status.ComponentV2 `json:"components"`
		Incidents  []status.IncidentV2  `json:"incidents"`
	}
	read := func(scenario string) (summary, map[string]string) {
		s, now := fixture(scenario)
		var x summary
		if err := json.Unmarshal([]byte(files(t, s, now)["en/api/v2/summary.json"]), &x); err != nil {
			t.Fatal(err)
		}
		by := make(map[string]string)
		for _, c := range x.Components {
			by[c.Name] = c.Status
		}
		return x, by
	}
	x, by := read("incident")
	want := map[string]string{
		"대화": "partial_outage", "Dagaom Talk": "partial_outage", "계정": "major_outage", "Login": "operational", "Mail": "major_outage", "이동": "operational",
		"Maps": "operational", "Taxi": "operational", "돈": "operational", "Pay": "operational", "볼거리": "major_outage", "Webtoon": "major_outage",
	}
	want["대화"] = "degraded_performance" // a group has no parts of its own
	if diff := cmp.Diff(want, by); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if x.Status.Indicator != "critical" || len(x.Incidents) != 1 || x.Incidents[0].ResolvedAt != nil || len(x.Incidents[0].Components) != 4 {
		t.Errorf("status %+v, incidents %+v", x.Status, x.Incidents)
	}
	if u := x.Incidents[0].IncidentUpdates; len(u) != 3 || u[0].CreatedAt != "2022-10-15T18:30:00.000+09:00" || len(u[0].AffectedComponents) != 1 || u[0].AffectedComponents[0].NewStatus != "major_outage" {
		t.Errorf("updates %+v", u)
	}
	if x, by = read("work"); x.Status.Indicator != "maintenance" || by["Pay"] != "under_maintenance" {
		t.Errorf("during work: %+v %s", x.Status, by["Pay"])
	}
	if x, _ = read("well"); x.Status.Indicator != "none" || x.Status.Description != "All services work" {
		t.Errorf("when well: %+v", x.Status)
	}
	// Nobody knows: nothing is said to work, and what was down is not said to be better.
	if x, by = read("stale"); x.Status.Indicator == "none" || by["Maps"] != "degraded_performance" || by["Webtoon"] != "major_outage" || !strings.Contains(x.Status.Description, "Unknown since") {
		t.Errorf("when nobody knows: %+v %v", x.Status, by)
	}
}

// TestFeeds: the three feeds are well-formed and tell the same news, newest first.
func TestFeeds(t *testing.T) {
	s, now := fixture("work")
	s.Incidents = append([]status.Incident{fire()}, s.Incidents...)
	all := files(t, s, now)
	var atom struct {
		Entries []struct {
			ID      string    `xml:"id"`
			Title   string    `xml:"title"`
			Updated time.Time `xml:"updated"`
			Content string    `xml:"content"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal([]byte(all["ko/history.atom"]), &atom); err != nil {
		t.Fatal(err)
	}
	var rss struct {
		Version string `xml:"version,attr"`
		Items   []struct {
			Title string `xml:"title"`
			GUID  string `xml:"guid"`
		} `xml:"channel>item"`
	}
	if err := xml.Unmarshal([]byte(all["ko/history.rss"]), &rss); err != nil {
		t.Fatal(err)
	}
	var feed struct {
		Version string `json:"version"`
		Items   []struct {
			ID    string `json:"id"`
			Title string `json:"title"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(all["ko/feed.json"]), &feed); err != nil {
		t.Fatal(err)
	}
	if len(atom.Entries) != 5 || len(rss.Items) != 5 || len(feed.Items) != 5 || rss.Version != "2.0" || feed.Version != "https://jsonfeed.org/version/1.1" {
		t.Fatalf("%d, %d and %d entries, RSS %s, %s", len(atom.Entries), len(rss.Items), len(feed.Items), rss.Version, feed.Version)
	}
	for n, e := range atom.Entries {
		if n > 0 && e.Updated.After(atom.Entries[n-1].Updated) {
			t.Errorf("%s is newer than the one before it", e.Title)
		}
		if e.Title != rss.Items[n].Title || e.Title != feed.Items[n].Title || e.ID != feed.Items[n].ID || !strings.HasPrefix(rss.Items[n].GUID, e.ID) {
			t.Errorf("the feeds tell different things: %q, %q, %q", e.Title, rss.Items[n].Title, feed.Items[n].Title)
		}
	}
	if !strings.Contains(atom.Entries[1].Content, "<strong>메일</strong>") || !strings.Contains(atom.Entries[1].Title, "화재") {
		t.Errorf("the second entry is %+v", atom.Entries[1])
	}
}

// TestCalendar: lines are folded at 75 octets without cutting a letter in two, and
// every planned work is there.
func TestCalendar(t *testing.T) {
	s, now := fixture("work")
	s.Maintenances[1].Title = both(strings.Repeat("가나다라, ", 30)+"\r\nATTENDEE:mailto:x@example.com", "x")
	ics := files(t, s, now)["ko/maintenance.ics"]
	if n := strings.Count(ics, "BEGIN:VEVENT\r\n"); n != 3 {
		t.Errorf("%d events", n)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(ics, "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !strings.Contains("BDVPCMXRUSTLAE ", line[:1]) || strings.HasPrefix(line, "ATTENDEE") {
			t.Errorf("line %q", line)
		}
		if strings.ToValidUTF8(line, "?") != line {
			t.Errorf("a letter is cut in two: %q", line)
		}
	}
	if !strings.Contains(ics, "DTSTART:20221015T090000Z") || !strings.Contains(strings.ReplaceAll(ics, "\r\n ", ""), `가나다라\, 가나`) {
		t.Errorf("the calendar is\n%s", ics)
	}
}

// TestBadge: shape, word and colour of the level, in the reader's language.
func TestBadge(t *testing.T) {
	s, now := fixture("incident")
	all := files(t, s, now)
	for p, want := range map[string]string{"ko/badges/mail.svg": "복구 중", "en/badges/webtoon.svg": "Down", "en/badges/map.svg": "Working", "badge.svg": "Down"} {
		if err := xml.Unmarshal([]byte(all[p]), new(any)); err != nil && !strings.Contains(err.Error(), "interface") {
			t.Errorf("%s: %v", p, err)
		}
		if !strings.Contains(all[p], ">"+want+"</text>") {
			t.Errorf("%s does not say %s: %s", p, want, all[p])
		}
	}
	shapes := make(map[string]status.Level)
	for _, l := range []status.Level{status.Operational, status.Maintained, status.Degraded, status.Restoring, status.Down, status.Unknown} {
		if other, taken := shapes[status.Shape(l)]; taken {
			t.Errorf("%s and %s have one shape", l, other)
		}
		shapes[status.Shape(l)] = l
	}
}

// TestIntervals: the API gives the times that compensation is computed from.
func TestIntervals(t *testing.T) {
	s, now := fixture("incident")
	var x struct {
		Until     time.Time `json:"until"`
		Intervals []struct {
			Part string     `json:"part"`
			To   *time.Time `json:"to"`
		} `json:"intervals"`
	}
	if err := json.Unmarshal([]byte(files(t, s, now)["api/v1/intervals.json"]), &x); err != nil {
		t.Fatal(err)
	}
	if len(x.Intervals) != 6 || x.Intervals[0].To != nil || x.Intervals[2].To == nil || !x.Intervals[2].To.Equal(at(17, 5)) || x.Intervals[3].Part != "photo" || !x.Until.Equal(s.Until()) {
		t.Errorf("%+v", x)
	}
}
