package claim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/internal/kv"
)

func TestTemplates(t *testing.T) {
	usual := claim.DefaultTemplate()
	if err := usual.Check(); err != nil {
		t.Fatal(err)
	}
	got, err := claim.ParseTemplate("t.yaml", []byte("title: {ko: \"{incident} 신고\", en: \"reports on {incident}\"}\nfor: 360h\nlate: 0s\nservices:\n- {name: mail, title: {ko: 메일, en: Mail}, paid: true, parts: [{name: send, title: {ko: 발송, en: sending}}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w := got.Window("fire-1", map[string]string{"ko": "판교 화재"}, now)
	if w.Title["ko"] != "판교 화재 신고" || w.Title["en"] != "reports on fire-1" || w.Closes.Sub(w.Opens) != 360*time.Hour || !w.LateUntil.IsZero() {
		t.Errorf("%+v", w)
	}
	if len(w.Services) != 1 || w.Services[0].Name != "mail" || w.Services[0].Parts[0].Name != "send" || !w.Services[0].Paid || w.Consent.Version != usual.Consent.Version || len(w.Evidence) == 0 {
		t.Errorf("%+v", w)
	}
	if _, err := newOffice(t, kv.NewMemory()).Prepare(t.Context(), "fire-1", got, "node"); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct{ text, says string }{
		{"titel: {ko: 가, en: a}", "field titel not found in a template"},
		{"title: {ko: 가}", "title is needed in Korean and English"},
		{"consent: {version: '2', text: {ko: 가}}", "consent is needed in Korean and English"},
		{"consent: {text: {ko: 가, en: a}}", "consent is missing"},
		{"for: 1", "into time.Duration"},
		{"for: -1h", "for is not after"},
		{"retain: 1h", "retain"},
		{"currency: won", "currency is not written"},
		{"reasons: []", "reasons is missing"},
		{"evidence: [{name: a, title: {ko: 가, en: a}}, {name: a, title: {ko: 가, en: a}}]", "evidence stands twice"},
		{"{}\n---\n{}", "more than one document"},
		{strings.Repeat("#", 300_000), "at most"},
		{"- a", "cannot unmarshal"},
	} {
		if _, err := claim.ParseTemplate("t.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "t.yaml: ") {
			t.Errorf("%.40q: %v, want %q", tt.text, err, tt.says)
		}
	}
	if _, err := claim.ParseTemplate("t.yaml", nil); err != nil {
		t.Errorf("an empty file is the usual one: %v", err)
	}
}

// The template of docs/claims.md is one.
func TestDocumentedTemplate(t *testing.T) {
	text, err := os.ReadFile("../docs/claims.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n")
	yaml, _, ok := strings.Cut(after, "```")
	got, err := claim.ParseTemplate("docs/claims.md", []byte(yaml))
	if !ok || err != nil || len(got.Services) != 2 || got.For != 30*day || got.Late != 60*day {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParseTemplate(f *testing.F) {
	f.Add([]byte("title: {ko: 가, en: a}\nfor: 1h\nservices: [{name: a, title: {ko: 가, en: a}}]\n"))
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := claim.ParseTemplate("t.yaml", data)
		if err != nil {
			return
		}
		w := got.Window("i", nil, time.Now())
		if _, err := newOffice(t, kv.NewMemory()).Open(t.Context(), w, "kim"); err != nil {
			t.Fatalf("it parses and cannot be opened: %v", err)
		}
	})
}

// What every version wrote can be read.
func TestStoredOffice(t *testing.T) {
	ctx := t.Context()
	s := kv.NewMemory()
	text, err := os.ReadFile(filepath.Join("testdata", "office-v1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	o := newOffice(t, s)
	w, err := o.Window(ctx, "i")
	if err != nil || w.Title["ko"] != "피해 접수: i" || len(w.Changes) != 2 || w.RetainDays != 365 || len(w.Evidence) != 7 {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err := o.Extend(ctx, "i", w.Closes.Add(day*1000), "kim", "test"); err != nil || w.LateUntil.Sub(w.Closes) != 60*day {
		t.Errorf("%+v, %v", w, err)
	}
	if p, err := o.Active(ctx, "i"); err != nil || p.ID != "test@1" {
		t.Errorf("%v", err)
	}
	if all, err := o.Drafts(ctx, "i"); err != nil || len(all) != 1 || len(all[0].Approvals) != 2 || all[0].Active.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := o.Published(ctx, "i"); err != nil || len(all) != 1 || len(all[0].Questions[0].Votes) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if n, err := o.Sweep(ctx); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	o.Now = func() time.Time { return time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC) }
	o.Outages = nil
	id := filed(t, o, shop(1, 30_000)).ID
	if c := must(t)(o.Decide(ctx, id, 0, pays(30_000), "Kim")); c.Proposal == nil {
		t.Error("what a person gave alone is forgotten")
	}
	if _, err := s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: "claim/w/j", Value: []byte(`{"v":2,"value":{}}`)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Windows(ctx); err == nil || !strings.Contains(err.Error(), "update this program") {
		t.Errorf("a version of tomorrow: %v", err)
	}
}
