package settle

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/paper"
)

// Answered says what [Cashier.Results] did.
type Answered struct {
	Paid     int      `json:"paid"`
	Returned int      `json:"returned"` // back at the desk
	Same     int      `json:"same"`     // answered so before: nothing was done
	Waiting  int      `json:"waiting"`  // on their way: the bank has not said yet
	Odd      []string `json:"odd"`      // answers that fit nothing
}

// ReadResults reads the bank's answer: pain.002 or the result CSV, told apart by themselves; in UTF-8, with a mark or
// without, UTF-16 with a mark, or EUC-KR. idsOf is as [ReadPain002] has it.
func ReadResults(data []byte, idsOf func(reference string) ([]string, error)) (Answers, error) {
	switch {
	case len(data) > mostAnswer:
		return Answers{}, fmt.Errorf("%w: it is larger than %d bytes", errFile, mostAnswer)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return Answers{}, fmt.Errorf("%w: it is an archive or a workbook: save the sheet as CSV", errFile)
	case bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff"))), []byte("<")):
		return ReadPain002(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))), idsOf) // it says itself how it is encoded
	}
	text, err := paper.Decode(data)
	if err != nil {
		return Answers{}, fmt.Errorf("%w: %w: save it as CSV UTF-8", errFile, err)
	}
	if text = strings.TrimPrefix(text, "\ufeff"); strings.HasPrefix(strings.TrimSpace(text), "<") { // UTF-16
		return ReadPain002(strings.NewReader(text), idsOf)
	}
	return ReadCSV(strings.NewReader(text))
}

// Results takes the bank's answer, see [ReadResults]. A file that cannot be read whole changes nothing ([ErrAnswer]). A payment that
// is answered twice, differently, in one file is left as it is and told. It may be repeated.
func (c *Cashier) Results(ctx context.Context, data []byte, by string) (Answered, error) {
	done := Answered{Odd: []string{}}
	answers, err := ReadResults(data, func(reference string) ([]string, error) { return c.payout().Message(ctx, reference) })
	if err != nil {
		return done, err
	}
	done.Waiting, done.Odd = answers.Waiting, append(done.Odd, answers.Odd...)
	results, odd := once(answers.Results)
	done.Odd = append(done.Odd, odd...)
	_, ids, odd, err := c.payout().apply(ctx, results, c.now())
	done.Odd = append(done.Odd, odd...)
	if err != nil {
		return done, err
	}
	slices.Sort(ids)
	changed, err := c.follow(ctx, slices.Compact(ids), by)
	for i := range changed {
		if changed[i].State == claim.Paid {
			done.Paid++
		}
		if changed[i].State == claim.Returned {
			done.Returned++
		}
	}
	done.Same = max(0, len(results)-done.Paid-done.Returned-len(odd))
	return done, err
}

// once keeps one of several answers that are the same, and none of those that differ.
func once(results []Result) (kept []Result, odd []string) {
	at := map[string]int{}
	differ := map[string]bool{}
	for _, r := range results {
		i, twice := at[r.ID]
		switch {
		case !twice:
			at[r.ID] = len(kept)
			kept = append(kept, r)
		case kept[i].Done != r.Done && !differ[r.ID]:
			differ[r.ID] = true
			odd = append(odd, fmt.Sprintf("payment %q is answered twice in this file, once as done and once as not: neither was applied, ask the bank", clip(r.ID, 40)))
		}
	}
	return slices.DeleteFunc(kept, func(r Result) bool { return differ[r.ID] }), odd
}

// Explain says what a bank's reason means, by language: the codes of ISO 20022's external code set that returned
// credit transfers have. A code that is not known is told as it is.
func Explain(code string) map[string]string {
	type words = map[string]string
	switch code {
	case "AC01", "AC02", "AC03", "RR01":
		return words{"ko": "계좌번호가 올바르지 않습니다.", "en": "the account number is not right"}
	case "AC04", "AC07":
		return words{"ko": "해지된 계좌입니다.", "en": "the account is closed"}
	case "AC06":
		return words{"ko": "거래가 정지된 계좌입니다.", "en": "the account is blocked"}
	case "AC13", "AC14", "AG01", "AG03":
		return words{"ko": "이 계좌로는 입금할 수 없습니다(계좌 종류 또는 거래 제한).", "en": "the account cannot take such payments"}
	case "AM02", "AM14":
		return words{"ko": "입금 한도를 초과했습니다.", "en": "the amount is more than the account may take"}
	case "AM04":
		return words{"ko": "출금 계좌의 잔액이 부족합니다.", "en": "the company's own account had too little money"}
	case "AM05", "DUPL":
		return words{"ko": "은행이 중복 지급으로 판단했습니다.", "en": "the bank took it for a payment made twice"}
	case "BE01", "BE06", "BE22", "RR03", "NM01":
		return words{"ko": "예금주명이 신고하신 이름과 다릅니다.", "en": "the name of the account's holder is not the one that was given"}
	case "MD07":
		return words{"ko": "예금주가 사망한 것으로 등록되어 있습니다.", "en": "the holder of the account has died"}
	case "RC01", "RC04", "RC08", "AG02":
		return words{"ko": "은행 코드가 올바르지 않습니다.", "en": "the code of the bank is not right"}
	case "MS02", "MS03", "NARR":
		return words{"ko": "은행이 사유를 밝히지 않았습니다.", "en": "the bank does not say why"}
	case "RJCT":
		return words{"ko": "은행이 지급 파일 전체를 반려했습니다.", "en": "the bank rejected the whole file"}
	case "TM01", "DT01":
		return words{"ko": "은행의 처리 시간이 지났습니다.", "en": "it came after the bank's cut-off time"}
	}
	if code == "" {
		return words{"ko": "은행이 지급하지 못했습니다.", "en": "the bank could not pay it"}
	}
	return words{"ko": "은행이 지급하지 못했습니다(사유 코드 " + code + ").", "en": "the bank could not pay it, code " + code}
}
