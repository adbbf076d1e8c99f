package paper_test

import (
	"errors"
	"fmt"

	"bongsu/claim/paper"
)

func ExampleClean() {
	p, err := paper.Clean("memo.txt", []byte("홍길동 900101-1234568\n"))
	fmt.Printf("%s %d %v\n%s", p.Type, p.Masked, err, p.Data)
	_, err = paper.Clean("memo.txt", []byte("<html><script>alert(1)</script>"))
	if r, ok := errors.AsType[*paper.Refusal](err); ok {
		fmt.Println(paper.Key(err)+":", r.Text["ko"])
	}
	// Output:
	// text/plain; charset=utf-8 1 <nil>
	// 홍길동 900101-1******
	// type: text/html 파일입니다. PDF로 인쇄하거나 화면을 캡처해 보내 주세요.
}
