package paper

import "errors"

// A Refusal is why a file is not kept, for the person who sent it.
type Refusal struct { //nolint:errname // it is what the person who sent the file reads
	Kind   error             // [ErrType], [ErrLarge], [ErrBroken] or [ErrHostile]
	Text   map[string]string // what is wrong and what to send instead, in ko and en
	Points bool              // a picture has too many of them, however small its file is
}

func (r *Refusal) Error() string { return r.Kind.Error() + ": " + r.Text["en"] }

func (r *Refusal) Unwrap() error { return r.Kind }

// Key is what forms know an error of [Clean] by: type, large, broken or hostile; empty for any other.
func Key(err error) string {
	switch {
	case errors.Is(err, ErrType):
		return "type"
	case errors.Is(err, ErrLarge):
		return "large"
	case errors.Is(err, ErrBroken):
		return "broken"
	case errors.Is(err, ErrHostile):
		return "hostile"
	}
	return ""
}

// words are a half sentence in both languages.
type words struct{ en, ko string }

func because(en, ko string) words { return words{en, ko} }

func refuse(kind error, what, instead words) *Refusal {
	return &Refusal{Kind: kind, Text: map[string]string{"en": what.en + "; " + instead.en, "ko": what.ko + ". " + instead.ko + "."}}
}

func sendAgain() words { return because("send it again", "다시 보내 주세요") }

func asPDF() words {
	return because("save it as PDF and send that, or send a photograph", "PDF로 저장하거나 사진으로 찍어 보내 주세요")
}

func printAnew() words {
	return because("print it to PDF anew and send that, or send a photograph", "PDF로 다시 인쇄해 보내거나 사진으로 찍어 보내 주세요")
}

// Doubts of a paper.
const (
	DoubtNumbers  = "it holds what looks like resident registration numbers, which cannot be masked in it"
	DoubtUnread   = "parts of it could not be searched for resident registration numbers"
	DoubtFormulas = "it had cells that a spreadsheet would compute; they are text now"
	DoubtLinks    = "it links to addresses on the web; do not follow them"
)

// Tell says a doubt in ko or en.
func Tell(doubt, lang string) string {
	if lang == "ko" {
		switch doubt {
		case DoubtNumbers:
			return "주민등록번호로 보이는 숫자가 있으나 이 파일에서는 가릴 수 없습니다"
		case DoubtUnread:
			return "주민등록번호가 있는지 확인하지 못한 부분이 있습니다"
		case DoubtFormulas:
			return "수식으로 계산될 수 있는 칸이 있어 글자로 바꾸었습니다"
		case DoubtLinks:
			return "외부 주소로 가는 링크가 있습니다. 누르지 마세요"
		}
	}
	return doubt
}
