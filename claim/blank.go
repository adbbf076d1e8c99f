package claim

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// A Blank is an empty table of reports, for agents to fill in and [ReadReports] to read.
type Blank struct {
	Lang     string    // of its header: ko or en
	Services []Service // to choose from
	Reasons  []Named   // for reports that are late
	Workbook bool      // XLSX, else CSV
}

// blankColumns is what stands in the header, and what to write below it.
func blankColumns() [][3]string {
	return [][3]string{
		{"service", "서비스*", "이름 또는 제목 | name or title"},
		{"part", "기능", "서비스의 일부 | a part of the service"},
		{"use", "이용구분*", "유료, 무료, 피해없음 | paid, free (with a loss), none"},
		{"kind", "신고자구분", "개인, 소상공인, 기업 | person, small-business, company"},
		{"loss", "피해액(원)", "정수 | a whole number"},
		{"best", "최고주매출(원)", "9~10월 가운데 매출이 가장 많은 주 | sales of the best week"},
		{"week", "장애주매출(원)", "장애가 있던 주의 매출 | sales of the week of the outage"},
		{"from", "피해시작", "2022-10-15 15:19"},
		{"to", "피해종료", "2022-10-16 01:31"},
		{"name", "이름", ""},
		{"email", "이메일", "이메일이나 전화번호 가운데 하나 | an address or a telephone number"},
		{"phone", "전화번호", "010-1234-5678"},
		{"business", "사업자등록번호", "123-45-67890"},
		{"bank", "은행", "코드 또는 이름 | code or name"},
		{"number", "계좌번호", ""},
		{"holder", "예금주", ""},
		{"text", "내용", "주민등록번호는 적지 마세요 | never write resident numbers"},
		{"account", "계정", "가명 번호 | pseudonym"},
		{"filed", "접수일시", "전화나 우편을 받은 때 | when it came in"},
		{"late", "지연사유", "기간이 지난 신고만 | only after the window"},
		{"lang", "언어", "ko, en"},
		{"consent", "동의*", "예 | yes"},
		{"note", "비고", "보관하지 않습니다 | is not kept"},
	}
}

// Write writes the table.
func (b *Blank) Write(w io.Writer) error {
	var head []string
	for _, c := range blankColumns() {
		if b.Lang == "ko" {
			head = append(head, c[1])
		} else {
			head = append(head, c[0])
		}
	}
	if b.Workbook {
		return b.workbook(w, head)
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write a blank table: %w", err)
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.WriteAll([][]string{head}); err != nil {
		return fmt.Errorf("write a blank table: %w", err)
	}
	return nil
}

const blankRows = 5_000 // rows that lists of choices reach

func (b *Blank) workbook(w io.Writer, head []string) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // nothing of it is on disk
	sheet, help := "reports", "help"
	if b.Lang == "ko" {
		sheet, help = "신고", "설명"
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	text, err2 := f.NewStyle(&excelize.Style{NumFmt: 49}) // so that 010 stays 010
	wrap, err3 := f.NewStyle(&excelize.Style{Alignment: &excelize.Alignment{WrapText: true}})
	_, err4 := f.NewSheet(help)
	if err := errors.Join(err, err2, err3, err4, f.SetSheetName("Sheet1", sheet)); err != nil {
		return fmt.Errorf("write a blank table: %w", err)
	}
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	ko := map[string][]string{}
	for name, words := range map[string][]word{"use": uses(), "kind": kinds()} {
		for _, x := range words {
			if b.Lang == "ko" {
				ko[name] = append(ko[name], x.known[0])
			} else {
				ko[name] = append(ko[name], x.name)
			}
		}
	}
	ko["lang"], ko["consent"] = []string{"ko", "en"}, []string{map[bool]string{true: "예", false: "yes"}[b.Lang == "ko"]}
	for _, s := range b.Services {
		ko["service"] = append(ko["service"], s.Name)
	}
	for _, r := range b.Reasons {
		ko["late"] = append(ko["late"], r.Name)
	}
	for i, c := range blankColumns() {
		col, err := excelize.ColumnNumberToName(i + 1)
		note(err)
		note(f.SetCellStr(sheet, col+"1", head[i]))
		note(f.SetColWidth(sheet, col, col, 16))
		switch c[0] {
		case "loss", "best", "week":
		default:
			note(f.SetColStyle(sheet, col, text))
		}
		note(f.SetCellStr(help, fmt.Sprintf("A%d", i+1), head[i]))
		note(f.SetCellStr(help, fmt.Sprintf("B%d", i+1), c[2]))
		if list := ko[c[0]]; len(list) > 0 && len(strings.Join(list, ",")) <= 255 { // what a list may have
			v := excelize.NewDataValidation(true)
			v.Sqref = fmt.Sprintf("%s2:%s%d", col, col, blankRows)
			note(v.SetDropList(list))
			note(f.AddDataValidation(sheet, v))
		}
	}
	note(f.SetRowStyle(sheet, 1, 1, bold))
	note(f.SetColWidth(help, "A", "A", 20))
	note(f.SetColWidth(help, "B", "B", 60))
	note(f.SetColStyle(help, "B", wrap))
	note(f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write a blank table: %w", err)
	}
	if err := f.Write(w); err != nil {
		return fmt.Errorf("write a blank table: %w", err)
	}
	return nil
}
