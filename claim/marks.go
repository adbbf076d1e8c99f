package claim

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// MarksOf returns what a report may be alike by, before it is hashed with a key. device
// tells one browser from another; empty where nothing does. text stands for words that
// say the same in nearly the same way.
func MarksOf(p *Personal, account, device string) []string {
	var out []string
	add := func(kind, value string) {
		if value != "" {
			out = append(out, kind+":"+value)
		}
	}
	add("mail", normalMail(p.Email))
	add("phone", normalPhone(p.Phone))
	add("bank", digits(p.Bank)+"/"+digits(p.Number))
	if p.Number == "" {
		out = out[:len(out)-1]
	}
	add("account", account)
	add("device", device)
	for i, b := range bands(p.Text) {
		add("text"+strconv.Itoa(i), b)
	}
	return out
}

// normalMail is an address as mailboxes see it: letters small, no tag after a plus, and
// for Gmail no dots.
func normalMail(s string) string {
	local, domain, ok := strings.Cut(strings.ToLower(strings.TrimSpace(s)), "@")
	if !ok {
		return ""
	}
	local, _, _ = strings.Cut(local, "+")
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}

// normalPhone is a number as the network dials it, Korean unless it says otherwise.
func normalPhone(s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	if n, ok := mobile(s); ok {
		return n
	}
	n, err := phonenumbers.Parse(s, "KR")
	if err != nil {
		return digits(s)
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// mobile reads a Korean mobile number as nearly everybody writes it, which spares the
// library's regular expressions: 010, then eight digits, with hyphens or spaces.
func mobile(s string) (e164 string, ok bool) {
	var d [11]byte
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9' && n < len(d):
			d[n] = c
			n++
		case c == '-' && n > 0, c == ' ' && n > 0:
		default:
			return "", false
		}
	}
	if n != len(d) || string(d[:3]) != "010" {
		return "", false
	}
	return "+82" + string(d[1:]), true
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// Parameters of the sketch of a text: Broder's min-wise hashing (1997) over runs of
// three letters, in bands that have to agree whole. Texts that share nine tenths of
// their runs agree in some band with probability 1-(1-0.9^4)^3 = 0.96, those that share a
// half with 0.18; it takes more than a text to be flagged.
const (
	textBands   = 3
	rowsOfBand  = 4
	shortestRun = 3
	shortText   = 24 // letters: short texts are alike by chance
)

// bands is the sketch of a text; nothing for a short one.
func bands(text string) []string {
	var letters []rune
	for _, r := range strings.ToLower(text) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters = append(letters, r)
		}
	}
	if len(letters) < shortText {
		return nil
	}
	var least [textBands * rowsOfBand]uint64
	for i := range least {
		least[i] = ^uint64(0)
	}
	for i := 0; i+shortestRun <= len(letters); i++ {
		h := fnv.New64a()
		_, _ = h.Write([]byte(string(letters[i : i+shortestRun]))) // never fails
		x := h.Sum64()
		for n := range least {
			least[n] = min(least[n], mixed(x, uint64(n)))
		}
	}
	out := make([]string, textBands)
	for b := range out {
		var buf []byte
		for _, v := range least[b*rowsOfBand : (b+1)*rowsOfBand] {
			buf = binary.BigEndian.AppendUint64(buf, v)
		}
		out[b] = hex.EncodeToString(buf)
	}
	return out
}

// mixed is the n-th of a family of hashes: the finaliser of SplitMix64 (Steele, Lea and
// Flood 2014) over a shifted input.
func mixed(x, n uint64) uint64 {
	x += (n + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
