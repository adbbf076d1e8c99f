package audit_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/internal/lang"
)

const small = sites + `
{kind: Component, name: app, replicas: [{in: north-h1}]}
---
{kind: Component, name: web, replicas: [{in: north}, {in: south}]}
---
{kind: Service, name: shop, title: "가게 <b>", users: 12000, needs: [app]}
---
{kind: Service, name: news, users: 5, needs: [web], waive: [{rule: stale, owner: kim, reason: "a | b", until: 2027-01-01}, {rule: outage, loss: south, owner: "le|e", reason: it was late, until: 2027-01-01}]}`

func check(t *testing.T, text string) *audit.Report {
	t.Helper()
	r, err := audit.Check(parse(t, text), audit.Options{Now: day("2026-11-23")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSameInputSameBytes(t *testing.T) {
	one, err := json.Marshal(check(t, small))
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(check(t, small))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Errorf("%s\n%s", one, two)
	}
	var doc struct {
		Estate   string           `json:"estate"`
		Findings []map[string]any `json:"findings"`
	}
	if err := json.Unmarshal(one, &doc); err != nil {
		t.Fatal(err)
	}
	for _, f := range doc.Findings {
		for _, name := range []string{"id", "rule", "severity", "loss", "subject", "sentence", "proof", "users", "fix"} {
			if _, ok := f[name]; !ok {
				t.Errorf("%v has no %s", f["id"], name)
			}
		}
	}
	if doc.Estate == "" || len(doc.Findings) == 0 {
		t.Errorf("%s", one)
	}
}

func TestCompare(t *testing.T) {
	old := check(t, small)
	data, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	back, err := audit.ParseReport(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := audit.Compare(back, old); len(d.Findings) != 0 || len(d.Fixed) != 0 || d.Same != len(old.Findings) {
		t.Errorf("nothing changed, yet: %+v", d)
	}
	// The application gets a second site, the news lose theirs.
	now := check(t, strings.NewReplacer("replicas: [{in: north-h1}]", "replicas: [{in: north-h1}, {in: south}]", "replicas: [{in: north}, {in: south}]", "replicas: [{in: south}]").Replace(small))
	d := audit.Compare(back, now)
	ids := func(list []audit.Finding) []string {
		var out []string
		for _, f := range list {
			out = append(out, f.ID)
		}
		return out
	}
	if diff := cmp.Diff([]string{"unrecoverable/south/news"}, ids(d.Findings)); diff != "" {
		t.Errorf("new (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"unrecoverable/north/shop"}, ids(d.Fixed)); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	if d.Count(audit.Error) != 1 {
		t.Errorf("%d count", d.Count(audit.Error))
	}
	text, err := d.Markdown(d, audit.Reader{})
	if err != nil || !strings.Contains(text, fmt.Sprintf("**1 new, 1 fixed, %d as before**", d.Same)) || !strings.Contains(text, "### Fixed") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestCompareKnowsWhatThePartsWere: a core that comes back is an improvement, though its
// parts are told on their own from then on.
func TestCompareKnowsWhatThePartsWere(t *testing.T) {
	text := `
{kind: Domain, name: north, type: site}
---
{kind: Domain, name: south, type: site}
---
{kind: Component, name: app, replicas: [{in: north}]}
---
{kind: Component, name: pics, replicas: [{in: north}]}
---
{kind: Component, name: mail, replicas: [{in: south}]}
---
{kind: Service, name: talk, users: 9, needs: [app], parts: [{name: photos, share: 0.5, needs: [pics]}]}
---
{kind: Service, name: post, users: 9, needs: [mail], parts: [{name: photos, share: 0.5, needs: [mail]}]}`
	o := audit.Options{Sites: true, Rules: []string{"unrecoverable"}}
	judge := func(text string) *audit.Report {
		r, err := audit.Check(parse(t, text), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	old := judge(text)
	better := strings.Replace(text, "name: app, replicas: [", "name: app, replicas: [{in: south}, ", 1)
	if now := judge(better); len(now.Findings) != 2 || now.Findings[1].ID != "unrecoverable/north/talk/photos" {
		t.Fatalf("%+v", now.Findings)
	}
	if d := audit.Compare(old, judge(better)); len(d.Findings) != 0 || len(d.Fixed) != 1 || d.Fixed[0].ID != "unrecoverable/north/talk" {
		t.Errorf("new %+v, fixed %+v", d.Findings, d.Fixed)
	}
	// The part of another service, or in another loss, is new.
	worse := strings.Replace(better, "share: 0.5, needs: [mail]", "share: 0.5, needs: [pics]", 1)
	if d := audit.Compare(old, judge(worse)); len(d.Findings) != 1 || d.Findings[0].ID != "unrecoverable/north/post/photos" {
		t.Errorf("new %+v", d.Findings)
	}
	// A waiver of the whole that has gone leaves its parts to be told.
	waived := strings.Replace(text, "needs: [app]", "needs: [app], waive: [{rule: unrecoverable, owner: kim, reason: it moves, until: 2099-01-01}]", 1)
	if d := audit.Compare(judge(waived), judge(better)); len(d.Findings) != 1 {
		t.Errorf("new after a waiver: %+v", d.Findings)
	}
}

// TestCompareKnowsWhatIsUnrecoverable changes what services of random estates need, and
// holds what is new and what is fixed against what the losses really do.
func TestCompareKnowsWhatIsUnrecoverable(t *testing.T) {
	t.Parallel()
	var implied [3]int
	still := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 77))
		rest, _, _ := strings.Cut(randomEstate(r, 12), "{kind: Service")
		rest += "{kind: Component, name: c12, atLeast: 2, replicas: [{in: a-h1}]}\n---\n" // down as it stands
		services := make([]string, 3)
		change := func(i int) {
			services[i] = fmt.Sprintf("{kind: Service, name: s%d, users: 9, needs: [c%02d], parts: [{name: p, share: 0.5, needs: [c%02d]}]}", i, r.IntN(13), r.IntN(13))
		}
		for i := range services {
			change(i)
		}
		was := parse(t, rest+strings.Join(services, "\n---\n"))
		change(r.IntN(3))
		is := parse(t, rest+strings.Join(services, "\n---\n"))
		o := audit.Options{Sites: true, Rules: []string{"unrecoverable"}, Implied: true}
		switch seed % 3 {
		case 1:
			o.Every = true
		case 2:
			o.Pairs = true
		}
		report := func(s *estate.Snapshot) *audit.Report {
			r, err := audit.Check(s, o)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		data, err := json.Marshal(report(was))
		if err != nil {
			t.Fatal(err)
		}
		old, err := audit.ParseReport(data)
		if err != nil {
			t.Fatal(err)
		}
		now := report(is)
		d := audit.Compare(old, now)
		ids := func(list []audit.Finding) map[string]bool {
			all := map[string]bool{}
			for _, f := range list {
				all[f.ID] = true
			}
			return all
		}
		// Of a pair, a service is told only where neither half does the same.
		told := func(f *audit.Finding) bool { return !strings.Contains(f.Loss, "+") || f.Subject[0] == 'c' }
		fresh, fixed, knew, knows := ids(d.Findings), ids(d.Fixed), ids(old.Findings), ids(now.Findings)
		for _, f := range now.Findings {
			if told(&f) && fresh[f.ID] == cannotReturn(t, was, &f) {
				t.Errorf("seed %d: %s is new: %v, though before it could not come back either: %v", seed, f.ID, fresh[f.ID], cannotReturn(t, was, &f))
			} else if !fresh[f.ID] && !knew[f.ID] {
				implied[seed%3]++
			}
		}
		for _, f := range old.Findings {
			if told(&f) && fixed[f.ID] == cannotReturn(t, is, &f) {
				t.Errorf("seed %d: %s is fixed: %v, though now it cannot come back: %v", seed, f.ID, fixed[f.ID], cannotReturn(t, is, &f))
			} else if !fixed[f.ID] && !knows[f.ID] {
				still++
			}
		}
		if len(now.Findings)+len(old.Findings) < d.Same+len(d.Findings)+len(d.Fixed)+d.NotJudged {
			t.Errorf("seed %d: %d as before", seed, d.Same)
		}
	}
	if slices.Contains(implied[:], 0) || still == 0 {
		t.Errorf("%v findings are not new, as they were said in another way, and %d not fixed", implied, still)
	}
}

// TestWaivedServiceImpliesNothing: what only a service said that somebody waived is new
// once it is told on its own.
func TestWaivedServiceImpliesNothing(t *testing.T) {
	text := sites + `
{kind: Component, name: app, replicas: [{in: north}]}
---
{kind: Service, name: shop, users: 9, needs: [app], waive: [{rule: unrecoverable, owner: kim, reason: it moves, until: 2099-01-01}]}`
	o := audit.Options{Sites: true, Rules: []string{"unrecoverable"}, Implied: true}
	for _, c := range []struct {
		text string
		want int
	}{{text, 1}, {strings.Replace(text, "rule: unrecoverable", "rule: outage", 1), 0}} {
		old, err := audit.Check(parse(t, c.text), o)
		if err != nil {
			t.Fatal(err)
		}
		now, err := audit.Check(parse(t, strings.Replace(text, ", needs: [app]", "", 1)), o)
		if err != nil {
			t.Fatal(err)
		}
		if d := audit.Compare(old, now); len(d.Findings) != c.want || len(now.Findings) != 1 || now.Findings[0].ID != "unrecoverable/north/app" {
			t.Errorf("%+v are new, want %d, of %+v", d.Findings, c.want, now.Findings)
		}
	}
}

// cannotReturn reports whether the subject of a finding cannot come back in its loss.
func cannotReturn(t *testing.T, s *estate.Snapshot, f *audit.Finding) bool {
	t.Helper()
	var lost []string
	if f.Loss != audit.NoLoss {
		lost = strings.Split(f.Loss, "+")
	}
	im, err := impact.Of(s, lost)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(im)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Name  string   `json:"name"`
		State string   `json:"state"`
		Parts []result `json:"parts"`
	}
	var v struct {
		Components []result `json:"components"`
		Services   []result `json:"services"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, x := range slices.Concat(v.Components, v.Services) {
		if x.Name == f.Subject {
			return x.State == "unrecoverable"
		}
		for _, p := range x.Parts {
			if x.Name+"/"+p.Name == f.Subject {
				return p.State == "unrecoverable"
			}
		}
	}
	t.Fatalf("%s is about nothing", f.ID)
	return false
}

// TestCompareKnowsWhatWasJudged: a finding about a loss, a rule or a severity that
// nobody asked for this time is not fixed.
func TestCompareKnowsWhatWasJudged(t *testing.T) {
	s := parse(t, small)
	all, err := audit.Check(s, audit.Options{Sites: true, Every: true, Pairs: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		o      audit.Options
		judged func(f *audit.Finding) bool
	}{
		{"one loss", audit.Options{Lose: [][]string{{"south"}}}, func(f *audit.Finding) bool { return f.Loss == "-" && f.Subject != "every" || f.Loss == "south" }},
		{"one rule", audit.Options{Sites: true, Every: true, Pairs: true, Rules: []string{"outage"}}, func(f *audit.Finding) bool { return f.Rule == "outage" }},
		{"errors", audit.Options{Sites: true, Every: true, Pairs: true, MinSeverity: audit.Error}, func(f *audit.Finding) bool { return f.Severity == audit.Error }},
		{"each domain", audit.Options{Every: true}, func(f *audit.Finding) bool {
			return !strings.Contains(f.Loss, "+") && (f.Rule != "empty" || f.Loss == "-")
		}},
		{"pairs", audit.Options{Pairs: true}, func(f *audit.Finding) bool {
			return f.Loss == "-" && f.Subject != "every" || strings.Contains(f.Loss, "+")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := audit.Check(s, c.o)
			if err != nil {
				t.Fatal(err)
			}
			left := 0
			for i := range all.Findings {
				if !c.judged(&all.Findings[i]) {
					left++
				}
			}
			d := audit.Compare(all, now)
			if len(d.Fixed) > 0 || d.NotJudged != left || left == 0 {
				t.Errorf("%d fixed and %d not judged, want 0 and %d: %v", len(d.Fixed), d.NotJudged, left, d.Fixed)
			}
		})
	}
	gone := parse(t, strings.ReplaceAll(small, "south", "west"))
	now, err := audit.Check(gone, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := audit.Compare(all, now); slices.ContainsFunc(d.Fixed, func(f audit.Finding) bool { return f.Loss == "south" }) != slices.ContainsFunc(all.Findings, func(f audit.Finding) bool { return f.Loss == "south" }) {
		t.Errorf("a site that is no more: %v", d.Fixed)
	}
}

func TestSARIF(t *testing.T) {
	r := check(t, small)
	data, err := json.Marshal(r.SARIF())
	if err != nil {
		t.Fatal(err)
	}
	type (
		message struct {
			Text string `json:"text"`
		}
		artifact struct {
			URI string `json:"uri"`
		}
		region struct {
			StartLine   int `json:"startLine"`
			StartColumn int `json:"startColumn"`
		}
		physical struct {
			ArtifactLocation artifact `json:"artifactLocation"`
			Region           region   `json:"region"`
		}
		location struct {
			PhysicalLocation physical `json:"physicalLocation"`
		}
		result struct {
			RuleID              string              `json:"ruleId"`
			RuleIndex           int                 `json:"ruleIndex"`
			Level               string              `json:"level"`
			Message             message             `json:"message"`
			Locations           []location          `json:"locations"`
			PartialFingerprints map[string]string   `json:"partialFingerprints"`
			Suppressions        []map[string]string `json:"suppressions"`
		}
		rule struct {
			ID string `json:"id"`
		}
		driver struct {
			Rules         []rule `json:"rules"`
			Notifications []rule `json:"notifications"`
		}
		tool struct {
			Driver driver `json:"driver"`
		}
		descriptor struct {
			ID    string `json:"id"`
			Index int    `json:"index"`
		}
		notification struct {
			Descriptor descriptor `json:"descriptor"`
			Level      string     `json:"level"`
			Message    message    `json:"message"`
			Locations  []location `json:"locations"`
		}
		invocation struct {
			ExecutionSuccessful            bool           `json:"executionSuccessful"`
			ToolConfigurationNotifications []notification `json:"toolConfigurationNotifications"`
		}
		run struct {
			Tool        tool         `json:"tool"`
			Invocations []invocation `json:"invocations"`
			Results     []result     `json:"results"`
		}
	)
	var log struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []run  `json:"runs"`
	}
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	first := log.Runs[0]
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(first.Results) != len(r.Findings) {
		t.Errorf("version %s, schema %s, %d results", log.Version, log.Schema, len(first.Results))
	}
	suppressed := 0
	for i, res := range first.Results {
		f := r.Findings[i]
		level := map[audit.Severity]string{audit.Info: "note", audit.Warning: "warning", audit.Error: "error"}[f.Severity]
		if res.Level != level || first.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID || res.RuleID != f.Rule || res.Message.Text == "" || res.PartialFingerprints["bongsu/v1"] != f.ID {
			t.Errorf("%s: %+v", f.ID, res)
		}
		if at := res.Locations[0].PhysicalLocation; at.ArtifactLocation.URI != "estate.yaml" || at.Region.StartLine < 1 || at.Region.StartColumn < 1 || f.Line > 0 && at.Region.StartLine != f.Line {
			t.Errorf("%s is at %+v", f.ID, at)
		}
		suppressed += len(res.Suppressions)
	}
	waived := 0
	for _, f := range r.Findings {
		if f.Waived != nil {
			waived++
		}
	}
	if suppressed != waived {
		t.Errorf("%d suppressed, %d waived", suppressed, waived)
	}
	if len(first.Invocations) != 1 || !first.Invocations[0].ExecutionSuccessful {
		t.Fatalf("invocations: %+v", first.Invocations)
	}
	told := first.Invocations[0].ToolConfigurationNotifications
	if len(told) != len(r.WaivesNothing) || len(told) != 2 {
		t.Fatalf("%d notifications of %d waivers that waive nothing, want 2", len(told), len(r.WaivesNothing))
	}
	for i, n := range told {
		w := r.WaivesNothing[i]
		if d := n.Descriptor; d.ID != first.Tool.Driver.Notifications[d.Index].ID || n.Level != "warning" || !strings.Contains(n.Message.Text, w.Rule) {
			t.Errorf("%+v of %+v", n, w)
		}
		if at := n.Locations[0].PhysicalLocation; at.ArtifactLocation.URI != w.File || at.Region.StartLine != w.Line || at.Region.StartColumn < 2 {
			t.Errorf("%+v is at %+v", w, at)
		}
	}
}

func TestHTML(t *testing.T) {
	r := check(t, small)
	var b bytes.Buffer
	if err := r.HTML(&b, nil, audit.Reader{}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	// Every element is closed, and nothing is loaded from elsewhere.
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	depth := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are open at the end", depth)
	}
	for _, want := range []string{
		"north lost", "12,000", "가게 &lt;b&gt;", `<td class="s unrecoverable">✖ unrecoverable</td>`, `<td class="s up">● up</td>`,
		"with north lost, shop cannot come back.", "Because shop needs app; app ran only in north", "@media print", "unrecoverable/north/shop",
		`<td>outage</td><td>south</td><td>le|e</td>`, `<td>stale</td><td>any</td><td>kim</td>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "http://", "https://", "url(", "<b>\n", "src="} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

// TestPagesInBothLanguages writes pages with everything that they can have, and looks for
// words of the other language and for places that nothing was put into.
func TestPagesInBothLanguages(t *testing.T) {
	s := parse(t, small+`
---
{kind: Component, name: tape, replicas: [{in: south}], data: {copies: [{in: south, how: async}]}, waive: [{rule: data-single-copy, owner: lee, reason: 나중에, until: 2027-01-01}]}
---
{kind: Service, name: bank, users: 7, needs: [tape], objectives: {rto: 1s}}`)
	now, err := audit.Check(s, audit.Options{Now: day("2026-11-23"), Sites: true, Every: true, Pairs: true, PairTypes: []string{"site"}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := audit.Check(s, audit.Options{Now: day("2026-11-23"), Lose: [][]string{{"north", "south"}}})
	if err != nil {
		t.Fatal(err)
	}
	old.Findings = append(old.Findings, audit.Finding{ID: "quorum/-/gone", Rule: "quorum", Severity: audit.Error, Loss: audit.NoLoss, Subject: "gone", Sentence: "it was there"})
	fix, err := audit.Fix(s, []string{"south"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lang.All() {
		reader := audit.Reader{Lang: l, Tell: func(string) string { return "☎" }}
		for _, d := range []*audit.Difference{nil, audit.Compare(old, now)} {
			r := now
			if d != nil {
				r = d.Report
			}
			var b strings.Builder
			if err := r.HTML(&b, d, reader, fix); err != nil {
				t.Fatal(err)
			}
			page, err := r.Markdown(d, reader)
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(b.String(), "<body>")
			for _, text := range []string{body, page} {
				if place := regexp.MustCompile(`\{[0-9][^}]*\}`).FindString(text); place != "" {
					t.Errorf("%s: %q is not filled in", l, place)
				}
				if !strings.Contains(text, "☎") {
					t.Errorf("%s: what findings say is not told in its language", l)
				}
				korean := regexp.MustCompile(`[가-힣]+`).FindAllString(strings.NewReplacer("가게", "", "나중에", "").Replace(text), -1)
				english := regexp.MustCompile(`\b(lost|error|warning|users?|until|by|losses|Fix|Because|cost|New|Fixed|before|any|service)\b`).FindAllString(regexp.MustCompile("<[^>]*>|`[^`]*`|[-a-z]+/[-+/a-z]*").ReplaceAllString(text, " "), -1)
				if l == lang.English && len(korean) > 0 || l == lang.Korean && (len(english) > 0 || len(korean) < 40) {
					t.Errorf("%s: %d words of Korean, and English %q", l, len(korean), english)
				}
			}
		}
	}
}

// TestGravestIsShown has an error that touches few users among much that touches many: no list
// that is cut leaves it out, and what is waived goes first.
func TestGravestIsShown(t *testing.T) {
	r := &audit.Report{Version: audit.Version}
	for i := range 500 {
		f := audit.Finding{ID: fmt.Sprintf("stale/-/s%03d", i), Severity: audit.Info, Users: 1000}
		switch {
		case i == 400:
			f.ID, f.Severity, f.Users = "outage/north/small", audit.Error, 1
		case i%50 == 0:
			f.Severity, f.Waived = audit.Error, &audit.Waived{}
		}
		r.Findings = append(r.Findings, f)
	}
	some := audit.Gravest(r.Findings, 100)
	if len(some) != 100 || some[0].ID != "stale/-/s001" || some[99].ID != "outage/north/small" || slices.ContainsFunc(some, func(f audit.Finding) bool { return f.Waived != nil }) {
		t.Errorf("%d findings from %s to %s", len(some), some[0].ID, some[len(some)-1].ID)
	}
	if all := audit.Gravest(r.Findings, 500); cmp.Diff(r.Findings, all, cmpopts.IgnoreUnexported(audit.Finding{})) != "" {
		t.Error("what fits is another list")
	}
	var page bytes.Buffer
	if err := r.HTML(&page, nil, audit.Reader{}); err != nil {
		t.Fatal(err)
	}
	markdown, err := r.Markdown(nil, audit.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{page.String(), markdown} {
		if !strings.Contains(text, "outage/north/small") || !strings.Contains(text, "none of them graver") {
			t.Error("the only error is not shown")
		}
	}
	if want := "**1 error, 490 info, 9 waived**"; !strings.Contains(markdown, want) {
		t.Errorf("%.200s lacks %q", markdown, want)
	}
}

func TestMarkdown(t *testing.T) {
	text, err := check(t, small).Markdown(nil, audit.Reader{})
	if err != nil {
		t.Fatal(err)
	}
	want, tables := 0, 0 // bars of the head of each table
	for line := range strings.Lines(text) {
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			want = 0
		case want == 0:
			want = n
			tables++
		case n != want:
			t.Errorf("%d bars, want %d in %s", n, want, line)
		}
	}
	if tables != 2 {
		t.Errorf("%d tables, want findings and waivers:\n%s", tables, text)
	}
	if !strings.Contains(text, "| news | outage | south | le\\|e | estate.yaml:") {
		t.Errorf("it does not tell of the waivers that waive nothing: %s", text)
	}
	if !strings.Contains(text, "| **error** | 12,000 | with north lost, shop cannot come back<br>shop needs app; app ran only in north;") {
		t.Errorf("%s", text)
	}
}
