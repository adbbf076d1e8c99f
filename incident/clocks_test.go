package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/estate"
	"bongsu/incident"
)

// kakao are services to which Korean law applies in different ways.
func kakao() []estate.Service {
	return []estate.Service{
		{Doc: estate.Doc{Name: "talk", Title: "카카오톡"}, Users: 47637000, Weight: 3, Parts: []estate.Part{{Name: "photos", Title: "사진", Share: 0.2}}},
		{Doc: estate.Doc{Name: "melon", Title: "멜론"}, Users: 6810000, Weight: 1, Paid: true},
		{Doc: estate.Doc{Name: "story"}, Users: 900000, Weight: 1, Paid: true},
	}
}

// told writes clocks as lines.
func told(all []incident.Clock) []string {
	out := []string{}
	zone := time.FixedZone("KST", 9*3600)
	for _, c := range all {
		due := "-"
		if !c.Due.IsZero() {
			due = c.Due.In(zone).Format("01-02 15:04")
		}
		line := fmt.Sprintf("%s %s %s %s", c.ID, c.State, due, strings.Join(c.Services, ","))
		if c.Overdue {
			line += " OVERDUE"
		}
		if c.DoneBy != "" {
			line += " by " + c.DoneBy
		}
		out = append(out, line)
	}
	return out
}

func TestKoreanClocks(t *testing.T) {
	p := incident.DefaultPolicy()
	all := change("15:30", incident.ByPolicy, "",
		is("talk", incident.Down, "15:27", incident.FromImpact), is("talk/photos", incident.Down, "15:27", incident.FromImpact),
		is("melon", incident.Down, "15:27", incident.FromImpact), is("story", incident.Down, "15:27", incident.FromImpact))
	talkBack := change("17:01", incident.ByPolicy, "", is("talk", incident.Up, "17:00", incident.FromRun))
	photosBack := change("21:31", incident.ByPolicy, "", is("talk/photos", incident.Up, "21:30", incident.FromRun))
	melonBack := change("18:01", incident.ByPolicy, "", is("melon", incident.Up, "18:00", incident.FromRun))
	done := func(clock string) incident.Entry {
		return incident.Entry{At: clockTime("15:36"), By: "lee", Act: incident.ActDone, Clock: clock, Why: "by phone"}
	}
	for _, c := range []struct {
		name string
		then []incident.Entry
		now  string
		want []string
	}{
		{
			"at first all count",
			[]incident.Entry{all},
			"15:32",
			[]string{
				"kr-ministry-report counting 10-15 15:37 talk", "kr-user-notice counting 10-15 17:27 talk,melon",
				"kr-compensation-notice counting - melon",
			},
		},
		{
			"ten minutes",
			[]incident.Entry{all},
			"15:37",
			[]string{
				"kr-ministry-report due 10-15 15:37 talk", "kr-user-notice counting 10-15 17:27 talk,melon",
				"kr-compensation-notice counting - melon",
			},
		},
		{
			"overdue is loud, done is quiet",
			[]incident.Entry{all, done("kr-ministry-report")},
			"17:28",
			[]string{
				"kr-ministry-report done 10-15 15:37 talk by lee", "kr-user-notice overdue 10-15 17:27 talk,melon OVERDUE",
				"kr-compensation-notice waiting - melon",
			},
		},
		{
			// The core came back before two hours, its photos did not: it is one outage of the service.
			"a part keeps its service's outage going",
			[]incident.Entry{all, talkBack, photosBack, melonBack},
			"21:40",
			[]string{
				"kr-ministry-report overdue 10-15 15:37 talk OVERDUE", "kr-user-notice overdue 10-15 17:27 talk,melon OVERDUE",
				"kr-compensation-notice due 11-14 18:00 melon",
			},
		},
		{
			"what was short brings nothing",
			[]incident.Entry{
				change("15:30", incident.ByPolicy, "", is("talk", incident.Down, "15:27", incident.FromImpact)),
				change("15:35", incident.ByPolicy, "", is("talk", incident.Up, "15:34", incident.FromProbe)),
			},
			"18:00",
			[]string{},
		},
		{
			"degraded is enough for the ministry and not for users",
			[]incident.Entry{change("15:30", incident.ByPolicy, "", is("talk", incident.Degraded, "15:27", incident.FromImpact))},
			"18:00",
			[]string{"kr-ministry-report overdue 10-15 15:37 talk OVERDUE"},
		},
		{
			"a correction of the end moves what is due",
			[]incident.Entry{all, talkBack, photosBack, melonBack, change("22:00", "kim", "logs", is("melon", incident.Up, "17:40", incident.FromPerson))},
			"22:00",
			[]string{
				"kr-ministry-report overdue 10-15 15:37 talk OVERDUE", "kr-user-notice overdue 10-15 17:27 talk,melon OVERDUE",
				"kr-compensation-notice due 11-14 17:40 melon",
			},
		},
		{
			"small services are exempt",
			[]incident.Entry{change("15:30", incident.ByPolicy, "", is("story", incident.Down, "15:27", incident.FromImpact))},
			"20:00",
			[]string{},
		},
	} {
		r := story(append([]incident.Entry{declared()}, c.then...)...)
		if diff := cmp.Diff(c.want, told(incident.Clocks(p, &r, kakao(), clockTime(c.now)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func clockTime(text string) time.Time { return clock(text) }

func TestLetters(t *testing.T) {
	text := strings.Replace(string(incident.ShippedPolicy()), `company: {ko: "", en: ""}`, `company: {ko: 주식회사 봉수, en: Bongsu Corp.}`, 1)
	text = strings.Replace(text, `contact: {ko: "", en: ""}`, `contact: {ko: 고객센터 1577-0000, en: "Help desk, +82 1577 0000"}`, 1)
	p, err := incident.ParsePolicy("clocks.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := story(
		declared(),
		change("15:30", incident.ByPolicy, "",
			is("talk", incident.Down, "15:27", incident.FromImpact), is("talk/photos", incident.Down, "15:27", incident.FromImpact), is("melon", incident.Down, "15:27", incident.FromImpact)),
		incident.Entry{At: clock("15:40"), By: "kim", Act: incident.ActAssign, Role: "commander", Person: "lee"},
		incident.Entry{At: clock("15:50"), By: "lee", Act: incident.ActDecision, Why: "promote the\ncopy in Anyang"},
		incident.Entry{At: clock("15:51"), By: "lee", Act: incident.ActRun, Run: "run-1"},
		change("18:01", incident.ByPolicy, "", is("talk", incident.Up, "18:00", incident.FromRun), is("melon", incident.Up, "18:00", incident.FromRun)),
	)
	now := clock("18:05")
	letters, err := incident.Letters(p, &r, kakao(), now)
	if err != nil || len(letters) != 6 {
		t.Fatalf("%d letters, %v; want three duties in two languages", len(letters), err)
	}
	for name, parts := range map[string][]string{
		"kr-ministry-report.ko.md": {
			"주식회사 봉수", "2022년 10월 15일 15시 27분(KST)부터", "카카오톡 (talk), 이용자 47,637,000명: 2022년 10월 15일 15시 27분(KST)부터 2022년 10월 15일 18시 0분(KST)까지 중단",
			"사진 (photos) 중단", "battery fire", "서비스 2개 가운데 1개가 복구되었습니다", "promote the copy in Anyang", "총괄: lee", "고객센터 1577-0000", "방송통신발전 기본법",
		},
		"kr-ministry-report.en.md": {
			"Bongsu Corp.", "Since 15 October 2022, 15:27 KST", "카카오톡 (talk), 47,637,000 users: from 15 October 2022, 15:27 KST to 15 October 2022, 18:00 KST down",
			"1 of the 2 services that were affected is back", "Commander: lee", "Framework Act",
		},
		"kr-user-notice.ko.md":         {"죄송합니다", "멜론 (melon)", "원인", "대응 조치", "고객센터 1577-0000", "전기통신사업법 제33조제2항"},
		"kr-user-notice.en.md":         {"We apologise", "Cause", "What we are doing", "Help desk, +82 1577 0000", "art. 33(2)"},
		"kr-compensation-notice.ko.md": {"청구하실 수 있는 분", "기준", "절차와 방법", "2022년 11월 14일 18시 0분(KST)", "멜론 (melon)"},
		"kr-compensation-notice.en.md": {"Who may claim", "Standard", "How to claim", "14 November 2022, 18:00 KST"},
	} {
		var body string
		for _, l := range letters {
			if l.Name == name {
				body = l.Body
			}
		}
		for _, want := range parts {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, body)
			}
		}
		if strings.Contains(body, "[") || strings.Contains(body, "<no value>") || strings.Contains(body, "훈련") || strings.Contains(body, "drill") {
			t.Errorf("%s leaves something open:\n%s", name, body)
		}
	}
	if strings.Contains(letters[4].Body, "카카오톡") {
		t.Errorf("the notice of compensation names a service free of charge:\n%s", letters[4].Body)
	}
	for _, c := range incident.Clocks(p, &r, kakao(), now) {
		if len(c.Missing) > 0 || len(c.Draft) != 2 {
			t.Errorf("%s: draft %v lacks %v", c.ID, c.Draft, c.Missing)
		}
	}
	// The policy that is shipped names nobody: the drafts say so, and the clocks.
	for _, c := range incident.Clocks(incident.DefaultPolicy(), &r, kakao(), now) {
		if diff := cmp.Diff([]string{"company", "contact"}, c.Missing); diff != "" {
			t.Errorf("%s lacks (-want +got):\n%s", c.ID, diff)
		}
	}
	again, err := incident.Letters(p, &r, kakao(), now)
	if diff := cmp.Diff(letters, again); diff != "" || err != nil {
		t.Errorf("the same record wrote other letters: %v\n%s", err, diff)
	}
	drill := r
	drill.Drill = true
	if letters, err := incident.Letters(p, &drill, kakao(), now); err != nil || !strings.Contains(letters[0].Body, "훈련입니다") || !strings.Contains(letters[1].Body, "This is a drill") {
		t.Errorf("a drill looks real: %v", err)
	}
}

func TestPolicyErrors(t *testing.T) {
	good := string(incident.ShippedPolicy())
	for want, change := range map[string][2]string{
		"line ":                    {"version: 1", "verzion: 1"},
		"version is 2":             {"version: 1", "version: 2"},
		"timeZone is":              {"timeZone: Asia/Seoul", "timeZone: Asia/Soeul"},
		"is given twice":           {"id: kr-user-notice", "id: kr-ministry-report"},
		"names a file":             {"id: kr-user-notice", "id: ../x"},
		"after is":                 {"after: end\n", "after: noon\n"},
		"letter is":                {"letter: notice", "letter: poem"},
		"it is down or degraded":   {"conditions: [down, degraded]", "conditions: [sad]"},
		"when.conditions is empty": {"conditions: [down, degraded]", "conditions: []"},
		"title needs ko and en":    {"en: Notice of compensation", "fr: x"},
		"time or a number":         {"for: 10m", "for: -10m"},
		"there is another one":     {"version: 1", "version: 1\n---\nversion: 1"},
		"cannot unmarshal":         {"for: 10m", "for: soon"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%q is not in the policy", change[0])
		}
		if _, err := incident.ParsePolicy("mine.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "mine.yaml") {
			t.Errorf("%s: %v, want %q", change[1], err, want)
		}
	}
	if _, err := incident.ParsePolicy("mine.yaml", nil); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("empty: %v", err)
	}
}
