package settle

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// digest35 is the first 35 letters of a hash of its parts: what fits into a bank's
// end-to-end ID (Max35Text of ISO 20022).
func digest35(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:35]
}
