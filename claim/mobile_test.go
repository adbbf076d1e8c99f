package claim

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// What is read without the library is what the library reads.
func TestMobile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := r.IntN(100_000_000)
		for _, s := range []string{
			fmt.Sprintf("010%08d", n), fmt.Sprintf("010-%04d-%04d", n/10_000, n%10_000), fmt.Sprintf("010 %04d %04d ", n/10_000, n%10_000), fmt.Sprintf("01-0%08d", n),
		} {
			got, ok := mobile(s)
			p, err := phonenumbers.Parse(s, "KR")
			if err != nil || !phonenumbers.IsPossibleNumber(p) {
				t.Fatalf("the library does not take %q: %v", s, err)
			}
			if want := phonenumbers.Format(p, phonenumbers.E164); !ok || got != want {
				t.Fatalf("%q is %q (%v), the library says %q", s, got, ok, want)
			}
		}
	}
	for _, s := range []string{"", "010-123-4567", "011-1234-5678", "+82 10 1234 5678", "010-1234-56789", "(010)12345678", "-01012345678", "010-1234-567a"} {
		if got, ok := mobile(s); ok {
			t.Errorf("%q is %q without the library", s, got)
		}
	}
}
