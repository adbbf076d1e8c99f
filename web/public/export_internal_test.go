//go:build real

package public

// ProofSecret is what challenges are signed with, for the npm package to sign with it too.
func ProofSecret(key []byte) string { return newProofs(key).key }
