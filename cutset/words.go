package cutset

import "math/bits"

// addWords adds b to a, both of one length; the sum fits.
func addWords(a, b []uint64) {
	if len(a) == 1 {
		a[0] += b[0]
		return
	}
	var carry uint64
	for i := range a {
		a[i], carry = bits.Add64(a[i], b[i], carry)
	}
}

// addProduct adds the product of b and c to a, all of one length; the sum fits.
func addProduct(a, b, c []uint64) {
	if len(a) == 1 {
		a[0] += b[0] * c[0]
		return
	}
	for i, x := range b {
		if x == 0 {
			continue
		}
		var carry uint64
		for j := 0; i+j < len(a); j++ {
			hi, lo := bits.Mul64(x, c[j])
			var over uint64
			lo, over = bits.Add64(lo, carry, 0)
			hi += over
			a[i+j], over = bits.Add64(a[i+j], lo, 0)
			carry = hi + over
		}
	}
}
