package claim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Template is a window before there is an incident: it is written in quiet times, so that the
// form is open within seconds of an incident being declared.
type Template struct {
	Title    map[string]string `yaml:"title"` // {incident} stands for what the incident is called
	Currency string            `yaml:"currency"`
	For      time.Duration     `yaml:"for"`    // how long reports are taken
	Late     time.Duration     `yaml:"late"`   // how long late ones are, after that
	Retain   time.Duration     `yaml:"retain"` // how long personal data are kept after the end of a claim
	Reasons  []Named           `yaml:"reasons"`
	Evidence []Named           `yaml:"evidence"`
	Services []Service         `yaml:"services"` // empty: every service of the page
	Consent  ConsentText       `yaml:"consent"`
}

func named(name, ko, en string) Named {
	return Named{Name: name, Title: map[string]string{"ko": ko, "en": en}}
}

// DefaultTemplate is what is used where nobody has written another. Its kinds of papers are those that
// were asked for in 2023, and those of the shipped policy.
func DefaultTemplate() Template {
	return Template{
		Title:    map[string]string{"ko": "피해 접수: {incident}", "en": "Damage reports: {incident}"},
		Currency: "KRW", For: 30 * 24 * time.Hour, Late: 60 * 24 * time.Hour, Retain: 365 * 24 * time.Hour,
		Reasons: []Named{
			named("hospital", "입원 또는 질병", "illness or a stay in hospital"),
			named("abroad", "해외 체류", "being abroad"),
			named("disaster", "재난 또는 통신 장애", "a disaster, or no way to reach you"),
			named("found-late", "피해를 늦게 알게 됨", "the damage was found only later"),
			named("told-wrong", "접수 안내를 잘못 받음", "wrong information about how to report"),
			named("other", "그 밖의 사유", "another reason"),
		},
		Evidence: []Named{
			named("business-certificate", "소상공인 확인서 또는 사업자등록증", "certificate of a small business, or its registration"),
			named("sales-proof", "매출 자료 (장애 주와 비교 주)", "proof of sales, of the week of the outage and one to compare"),
			named("use-proof", "서비스 이용 증빙", "proof that the service was used"),
			named("bank-account", "사업자 명의 통장 사본", "copy of a bank account in the name of the claimant"),
			named("loss-proof", "손해액 증빙", "proof of the loss"),
			named("payment-proof", "결제 내역", "proof of what was paid for the service"),
			named("other", "그 밖의 서류", "another paper"),
		},
		Consent: ConsentText{
			Version: "2026-01",
			Text: map[string]string{
				"ko": `개인정보 수집·이용 동의 (필수)

수집 항목: 이름, 전자우편 주소 또는 전화번호, 신고 내용. 지급이 필요한 경우에만: 계좌번호와 예금주, 사업자등록번호, 제출하신 서류.
이용 목적: 피해 신고의 접수, 사실 확인, 보상 심사와 지급, 결과 안내, 이의신청 처리.
보유 기간: 신고가 종결된 뒤 접수 안내에 적힌 기간까지 보관하고 복구할 수 없게 파기합니다. 법령이 더 오래 보존하도록 정한 지급 기록은 신원을 알 수 없는 형태로 따로 보관합니다.
자동화된 결정: 보상 기준에 따라 자동으로 심사할 수 있습니다. 결과에 대해 설명을 듣거나, 결정 후 30일 안에 사람이 다시 심사하도록 요구하실 수 있습니다(개인정보 보호법 제37조의2).
주민등록번호는 받지 않습니다. 서류에 있으면 뒷자리를 가리고 보내 주십시오.
동의하지 않으실 수 있습니다. 그 경우 온라인 접수가 어려우며 전화나 우편으로 문의하실 수 있습니다.`,
				"en": `Consent to the use of personal data (needed)

What is collected: your name, an e-mail address or telephone number, and what you report. Only where something is to be paid: bank account and its holder, business registration number, the papers that you send.
What for: to take in your report, to check it, to decide on compensation and pay it, to tell you what came of it, and to deal with an appeal.
How long: until the end of the period that is named with this form, counted from when your report is closed; then it is destroyed for good. Records of payments that the law has us keep longer are kept apart, without telling who you are.
Automated decisions: reports may be decided automatically by published rules. You may ask for an explanation, and within 30 days of a decision that a person decides again (Personal Information Protection Act, article 37-2).
Do not send resident registration numbers; cover the last digits where a paper shows one.
You may refuse. We cannot take your report online then; ask us by telephone or post.`,
			},
		},
	}
}

// ParseTemplate reads a template as people write it, in YAML. What it leaves out is that of [DefaultTemplate].
func ParseTemplate(file string, data []byte) (Template, error) {
	if len(data) > mostTemplate {
		return Template{}, fmt.Errorf("%s: it has %d bytes, a template at most %d", file, len(data), mostTemplate)
	}
	usual := DefaultTemplate()
	t := usual
	t.Title, t.Consent = nil, ConsentText{} // texts are given whole or not at all
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&t); err != nil && !errors.Is(err, io.EOF) {
		return Template{}, fmt.Errorf("%s: %s", file, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "type claim.Template", "a template"))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Template{}, fmt.Errorf("%s: more than one document; a template is one", file)
	}
	if t.Title == nil {
		t.Title = usual.Title
	}
	if t.Consent.Version == "" && t.Consent.Text == nil {
		t.Consent = usual.Consent
	}
	if err := t.Check(); err != nil {
		return Template{}, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

// mostTemplate is the size of a template's file.
const mostTemplate = 256 << 10

// Check says what of a template cannot be.
func (t *Template) Check() error {
	f := FieldErrors{}
	f.set(!bilingual(t.Title, 200), "title", "language")
	f.set(!currencies.MatchString(t.Currency), "currency", "form")
	f.set(t.For <= 0, "for", "order")
	f.set(t.Late < 0, "late", "order")
	f.set(t.Late > 0 && len(t.Reasons) == 0, "reasons", "missing")
	f.set(t.Retain < 24*time.Hour, "retain", "order")
	f.choices("reasons", t.Reasons)
	f.choices("evidence", t.Evidence)
	f.services(t.Services)
	f.set(t.Consent.Version == "", "consent", "missing")
	f.set(!textual(t.Consent.Version, 64), "consent", "text")
	f.set(!bilingual(t.Consent.Text, longConsent), "consent", "language")
	return f.err()
}

func (t *Template) retainDays() int { return int(t.Retain / (24 * time.Hour)) }

// title fills in what the incident is called.
func (t *Template) title(incident string, titles map[string]string) map[string]string {
	out := make(map[string]string, len(t.Title))
	for lang, text := range t.Title {
		called := titles[lang]
		if called == "" {
			called = incident
		}
		out[lang] = strings.ReplaceAll(text, "{incident}", called)
	}
	return out
}

// Window is the window of an incident.
func (t *Template) Window(incident string, titles map[string]string, opens time.Time) Window {
	w := Window{
		Incident: incident, Title: t.title(incident, titles), Currency: t.Currency, Opens: opens, Closes: opens.Add(t.For),
		Reasons: t.Reasons, Services: t.Services, Evidence: t.Evidence, Consent: t.Consent, RetainDays: t.retainDays(),
	}
	if t.Late > 0 {
		w.LateUntil = w.Closes.Add(t.Late)
	}
	return w
}
