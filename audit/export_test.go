package audit

import "fmt"

// Matrix is what a report knows of each service in each loss, as text.
func Matrix(r *Report) string { return fmt.Sprintf("%+v", r.matrix) }

// Brute makes Check try every pair.
func Brute(o Options) Options {
	o.brute = true
	return o
}

// Shared makes every loss one about which much is asked.
func Shared(o Options) Options {
	o.manyAsked = 1
	return o
}
