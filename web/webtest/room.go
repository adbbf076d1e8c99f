package webtest

import (
	"time"

	"bongsu/incident"
)

// record adds what people and the node wrote by a moment, measured from the loss.
func record(i *incident.Incident, at time.Duration) {
	say := func(after time.Duration, e incident.Entry) {
		if after <= at {
			e.At = lostAt().Add(after)
			i.Entries = append(i.Entries, e)
		}
	}
	change := func(service, part string, c incident.Condition, from time.Duration, source string) incident.Change {
		return incident.Change{Service: service, Part: part, Condition: c, At: lostAt().Add(from), Source: source}
	}
	policy := incident.ByPolicy
	say(34*time.Second, incident.Entry{By: policy, Act: incident.ActChange, Why: "loss of pangyo", Changes: []incident.Change{
		change("talk", "", incident.Down, 0, incident.FromImpact), change("talk", "photos", incident.Down, 0, incident.FromImpact),
		change("login", "", incident.Down, 0, incident.FromImpact), change("pay", "", incident.Down, 0, incident.FromImpact),
		change("mail", "", incident.Down, 0, incident.FromImpact), change("map", "", incident.Degraded, 0, incident.FromImpact),
	}})
	say(35*time.Second, incident.Entry{By: policy, Act: incident.ActRebase, Of: 5, Why: "services that the loss of pangyo affects"})
	say(36*time.Second, incident.Entry{By: policy, Act: incident.ActFault, Fault: &incident.Fault{Domain: "pangyo", Operator: "SK C&C"}, Why: "the estate names it as the operator; nobody has judged yet"})
	call := func(after time.Duration, c incident.Call) {
		c.Crew, c.Alarm, c.Number = "dba", "loss", 1
		say(after, incident.Entry{By: policy, Act: incident.ActCall, Call: &c})
	}
	call(38*time.Second, incident.Call{ID: "c1", Person: "minseo", Channel: "sms", At: lostAt().Add(38 * time.Second), Outcome: "sent"})
	call(39*time.Second, incident.Call{ID: "c2", Person: "jiwon", Channel: "voice", At: lostAt().Add(39 * time.Second), Outcome: "failed", Detail: "gateway of anyang: busy"})
	call(95*time.Second, incident.Call{ID: "c1", Person: "minseo", Channel: "sms", At: lostAt().Add(38 * time.Second), Outcome: "acknowledged", Answered: lostAt().Add(95 * time.Second)})
	say(45*time.Second, incident.Entry{By: policy, Act: incident.ActDraft, Update: &incident.Update{
		Phase: "investigating", Template: "seen", NextAt: lostAt().Add(31 * time.Minute),
		Body: map[string]string{"ko": "15:19부터 **톡, 계정 로그인, 페이, 메일**을 이용하기 어렵습니다.\n\n원인을 확인하고 있습니다.", "en": "We see a problem with **Talk, login, Pay and mail** since 15:19.\n\nWe are looking for the cause."},
	}})
	say(46*time.Second, incident.Entry{By: policy, Act: incident.ActPublish, Number: len(i.Entries)})
	say(2*time.Minute, incident.Entry{By: "jiwon", Act: incident.ActAssign, Role: "commander", Person: "jiwon"})
	say(3*time.Minute, incident.Entry{By: "jiwon", Act: incident.ActAssign, Role: "communications", Person: "haneul"})
	say(232*time.Second, incident.Entry{By: policy, Act: incident.ActChange, Changes: []incident.Change{change("login", "", incident.Up, 231*time.Second, incident.FromRun)}})
	say(339*time.Second, incident.Entry{By: policy, Act: incident.ActChange, Changes: []incident.Change{change("talk", "", incident.Up, 338*time.Second, incident.FromRun)}})
	say(6*time.Minute, incident.Entry{By: "minseo", Act: incident.ActNote, Why: "판교 현장: 지하 3층 배터리실 화재, 소방 진입 중. 전원 복구 시점 알 수 없음"})
	say(8*time.Minute, incident.Entry{By: "jiwon", Act: incident.ActDecision, Why: "지도는 낮은 화질로 계속 제공한다. 세종 용량은 결제에 먼저 쓴다"})
	say(9*time.Minute, incident.Entry{By: "jiwon", Act: incident.ActAssign, Role: "commander", Person: "minseo", Why: "결제 원장 확인만 남음"})
	say(12*time.Minute, incident.Entry{By: "haneul", Act: incident.ActChange, Why: "고객센터 신고로 보면 15:17부터 결제가 되지 않았음", Changes: []incident.Change{
		{Service: "pay", Condition: incident.Down, At: lostAt().Add(-2 * time.Minute), Until: lostAt(), Source: incident.FromPerson},
	}})
	say(13*time.Minute, incident.Entry{By: "haneul", Act: incident.ActDraft, Update: &incident.Update{
		Phase: "identified", Template: "cause", NextAt: lostAt().Add(71 * time.Minute),
		Body: map[string]string{"ko": "판교 데이터센터 화재로 인한 장애입니다.\n\n- **톡**과 **로그인**은 다시 이용할 수 있습니다.\n- **페이**는 복구 중, **메일**은 아직 이용할 수 없습니다.", "en": "A fire at the Pangyo data centre is the cause.\n\n- **Talk** and **login** are back.\n- **Pay** is being restored; **mail** is still down."},
	}})
	say(819*time.Second, incident.Entry{By: policy, Act: incident.ActChange, Changes: []incident.Change{change("map", "", incident.Up, 470*time.Second, incident.FromProbe)}})
	say(40*time.Minute, incident.Entry{By: "minseo", Act: incident.ActPublish, Number: draftOf(i)})
	say(41*time.Minute, incident.Entry{By: "haneul", Act: incident.ActDone, Clock: "kr-ministry-report", Why: "국가재난관리정보시스템 접수 2022-1015-31"})
	say(42*time.Minute, incident.Entry{By: policy, Act: incident.ActChange, Changes: []incident.Change{change("pay", "", incident.Up, 1500*time.Second, incident.FromRun)}})
}

// draftOf is the number of the last entry that drafted an update.
func draftOf(i *incident.Incident) int {
	n := 0
	for k := range i.Entries {
		if i.Entries[k].Act == incident.ActDraft {
			n = k + 1
		}
	}
	return n
}
