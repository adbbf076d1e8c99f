// Package paper makes files that strangers send fit to be kept and looked at.
//
// It stands between the form and the ledger of claims: [Clean] takes the bytes of an upload and
// gives the bytes that are kept, or says why none are.
//
// It never believes a name or a declared type, never keeps an image as it came, never
// unpacks more than it said it would.
//
// It keeps nothing, and is safe to call from many at once.
//
// To try it: go test ./claim/paper -run Example -v
package paper
