package claimtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// A Mix is reports like those of October and November 2022, with duplicates and fraud
// seeded among them.
type Mix struct {
	Reports []claim.Report
	Seeded  []bool // of each report: it repeats an earlier one
}

// Mix2022 makes n reports in the proportions of facts §4.1: 17.1 % for paid services,
// 15.1 % for free ones with a loss, 67.8 % without; a fifth of those who name a loss are
// small businesses. share of them repeat an earlier report: pressed again with other
// words, by one person under one-letter changes of an address, by one bank account
// under many names, or by one account. The same seed gives the same reports.
func Mix2022(n int, share float64, seed uint64) Mix {
	r := rand.New(rand.NewPCG(seed, 20221015))
	var m Mix
	open := time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)
	for i := range n {
		filed := open.Add(18 * 24 * time.Hour / time.Duration(n) * time.Duration(i))
		if i > 50 && r.Float64() < share {
			m.Reports, m.Seeded = append(m.Reports, repeat(r, m.Reports[r.IntN(i)], i, filed)), append(m.Seeded, true)
			continue
		}
		m.Reports, m.Seeded = append(m.Reports, fresh(r, i, filed)), append(m.Seeded, false)
	}
	return m
}

func fresh(r *rand.Rand, i int, filed time.Time) claim.Report {
	paid := []string{"emoticon-plus", "talk-drawer", "kakao-t-pro", "driver-pro", "melon", "webtoon", "kakaopage", "gift"}
	free := []string{"kakaotalk", "kakaotalk", "kakaotalk", "kakao-t", "daum-mail", "kakaomap", "kakaopay"}
	c := policy.Claim{Service: free[r.IntN(len(free))], Use: "none", Kind: "person"}
	p := claim.Personal{Name: name(r), Text: words(r, 12+r.IntN(20))}
	device := ""
	if r.IntN(10) > 0 { // the others use a machine that tells nothing, or a library's
		device = fmt.Sprintf("d%d", i)
	}
	if r.IntN(200) == 0 {
		device = fmt.Sprintf("library%d", r.IntN(2000))
	}
	p.Email = fmt.Sprintf("%s%d@%s", letters(r, 6), r.IntN(10_000), []string{"naver.com", "gmail.com", "daum.net", "example.com"}[r.IntN(4)])
	p.Phone = fmt.Sprintf("010-%04d-%04d", r.IntN(10_000), r.IntN(10_000))
	account := ""
	switch x := r.Float64(); {
	case x < .171:
		c.Use, c.Service = "paid", paid[r.IntN(len(paid))]
		account = fmt.Sprintf("a%d", i)
	case x < .322:
		c.Use = "free"
		c.Loss = int64(r.ExpFloat64()*25) * 10_000 // people round
		if y := r.Float64(); y < .2 {
			c.Kind, c.Week = "small-business", int64(r.ExpFloat64()*200)*10_000
			c.Best = c.Week + c.Loss
			p.Bank, p.Number, p.Holder = "088", fmt.Sprintf("110%09d", r.IntN(1_000_000_000)), p.Name
		} else if y < .202 {
			c.Kind = "company"
		}
	}
	return report(c, p, account, device, filed)
}

func report(c policy.Claim, p claim.Personal, account, device string, filed time.Time) claim.Report {
	return claim.Report{
		Claim: claim.Claim{
			Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: filed, Consent: claim.Consent{Version: "2022-10-19", At: filed},
			Account: account, Report: c,
		},
		Personal: p, Marks: claim.MarksOf(&p, account, device),
	}
}

// repeat is an earlier report once more, in one of the ways that people and fraudsters use.
func repeat(r *rand.Rand, of claim.Report, i int, filed time.Time) claim.Report {
	c, p, account := of.Claim.Report, of.Personal, of.Claim.Account
	device := ""
	for _, m := range of.Marks {
		if d, ok := strings.CutPrefix(m, "device:"); ok {
			device = d
		}
	}
	switch r.IntN(4) {
	case 0: // another story, the same person
		p.Text = words(r, 15)
	case 1: // nearly the same words under nearly the same address
		p.Email, p.Phone = "x"+p.Email, fmt.Sprintf("010-%04d-%04d", r.IntN(10_000), r.IntN(10_000))
		p.Text += " 부탁드립니다"
		if device == "" && c.Loss == 0 {
			p.Email = of.Personal.Email
		}
	case 2: // another name, the same bank account, or the same contact where there is none
		p.Name = name(r)
		if p.Number != "" {
			p.Email, p.Phone, p.Text = fmt.Sprintf("%s@example.com", letters(r, 9)), "", words(r, 20)
			device = fmt.Sprintf("e%d", i)
		}
	case 3: // pressed again
	}
	return report(c, p, account, device, filed)
}

func letters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)]
	}
	return string(b)
}

// syllable is any of the 11,172 of Hangul.
func syllable(r *rand.Rand) string { return string(0xac00 + r.Int32N(11_172)) }

func name(r *rand.Rand) string {
	return []string{"김", "이", "박", "최", "정"}[r.IntN(5)] + syllable(r) + syllable(r)
}

// words is a text of a person: common words in an order of their own, and some that
// only they use.
func words(r *rand.Rand, n int) string {
	common := strings.Fields("카카오톡이 안돼서 예약을 못받고 손님이 그냥 갔습니다 주말 내내 장사를 못했고 택시도 안잡혀서 늦었어요 메일이 안와서 계약이 밀렸습니다 선물하기 쿠폰이 만료되었고 문의해도 답이 없네요 보상해 주세요 결제가 안되어 현금으로 받았습니다 배달 주문이 끊겨 재료를 버렸어요 회의를 못했고 일정이 꼬였습니다 토요일 오후부터 일요일까지 계속")
	out := make([]string, n)
	for i := range out {
		if r.IntN(4) == 0 {
			out[i] = syllable(r) + syllable(r)
		} else {
			out[i] = common[r.IntN(len(common))]
		}
	}
	return strings.Join(out, " ")
}
