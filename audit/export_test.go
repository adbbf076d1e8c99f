package audit

// Brute makes Check try every pair.
func Brute(o Options) Options {
	o.brute = true
	return o
}
