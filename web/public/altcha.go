package public

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Proof of work after the protocol of ALTCHA, version 2: a browser looks for a counter
// for which the key that PBKDF2 derives from nonce and counter begins as asked. What we
// ask for is signed, so that nothing has to be remembered until the answer comes.
const (
	proofAlgorithm = "PBKDF2/SHA-256"
	proofCost      = 5000 // iterations of one try; 256 tries on average
	proofPrefix    = "00"
	proofLife      = time.Hour
	mostProof      = 4 << 10
	mostProofCost  = 100_000
)

// Errors of a proof; each has a sentence in the form.
var (
	errProofBad  = errors.New("the proof of work is not one of ours")
	errProofOld  = errors.New("the proof of work is too old")
	errProofUsed = errors.New("the proof of work was used before")
)

// A challenge is what is asked for. Its fields are in the order of their names,
// because that is how they are signed.
type challenge struct {
	Parameters challengeParameters `json:"parameters"`
	Signature  string              `json:"signature"`
}

type challengeParameters struct {
	Algorithm    string         `json:"algorithm"`
	Cost         int            `json:"cost"`
	Data         map[string]any `json:"data,omitempty"`
	ExpiresAt    int64          `json:"expiresAt,omitempty"`
	KeyLength    int            `json:"keyLength"`
	KeyPrefix    string         `json:"keyPrefix"`
	KeySignature string         `json:"keySignature,omitempty"`
	MemoryCost   int            `json:"memoryCost,omitempty"`
	Nonce        string         `json:"nonce"`
	Parallelism  int            `json:"parallelism,omitempty"`
	Salt         string         `json:"salt"`
}

// A solution is the answer of a browser.
type solution struct {
	Counter    uint32      `json:"counter"`
	DerivedKey string      `json:"derivedKey"`
	Time       json.Number `json:"time,omitempty"` // how long it took; for them to know
}

type proof struct {
	Challenge challenge `json:"challenge"`
	Solution  solution  `json:"solution"`
}

// proofs make challenges and check what comes back.
type proofs struct{ key string } // a string, because the protocol takes the letters of the secret

func newProofs(key []byte) proofs {
	k, err := hkdf.Key(sha256.New, key, nil, "bongsu public proof of work", 32)
	if err != nil {
		panic(err) // unreachable: 32 bytes can always be derived
	}
	return proofs{hex.EncodeToString(k)}
}

func (p proofs) challenge(now time.Time, cost int) challenge {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	c := challenge{Parameters: challengeParameters{
		Algorithm: proofAlgorithm, Cost: cost, ExpiresAt: now.Add(proofLife).Unix(), KeyLength: 32, KeyPrefix: proofPrefix,
		Nonce: hex.EncodeToString(b[:16]), Salt: hex.EncodeToString(b[16:]),
	}}
	c.Signature = p.sign(&c.Parameters)
	return c
}

// sign is HMAC-SHA-256 of the parameters as JSON with sorted keys, as a script writes it.
func (p proofs) sign(c *challengeParameters) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return "" // unreachable: it was decoded from JSON, or made of strings and numbers
	}
	mac := hmac.New(sha256.New, []byte(p.key))
	mac.Write(bytes.TrimRight(b.Bytes(), "\n"))
	return hex.EncodeToString(mac.Sum(nil))
}

// readProof reads what a form or program sent, without believing any of it.
func readProof(payload string) (*proof, error) {
	if len(payload) > mostProof {
		return nil, errProofBad
	}
	raw, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return nil, errProofBad
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	d.UseNumber()
	x := &proof{}
	if err := d.Decode(x); err != nil || d.More() {
		return nil, errProofBad
	}
	return x, nil
}

// check checks all of a proof that costs nothing: that we asked for it, and when.
// Only then its nonce is marked as used, and only then the work is done again.
func (p proofs) check(x *proof, now time.Time) error {
	c := &x.Challenge.Parameters
	if !hmac.Equal([]byte(x.Challenge.Signature), []byte(p.sign(c))) {
		return errProofBad
	}
	if c.ExpiresAt <= now.Unix() {
		return errProofOld
	}
	return nil
}

// solved does the work of one try again.
func (x *proof) solved() bool {
	c, s := &x.Challenge.Parameters, &x.Solution
	nonce, errN := hex.DecodeString(c.Nonce)
	salt, errS := hex.DecodeString(c.Salt)
	if errN != nil || errS != nil || c.Cost < 1 || c.Cost > mostProofCost || c.KeyLength < 1 || c.KeyLength > 64 || c.KeyPrefix == "" || len(c.KeyPrefix) > 2*c.KeyLength {
		return false
	}
	password := binary.BigEndian.AppendUint32(nonce, s.Counter)
	var key []byte
	switch c.Algorithm {
	case proofAlgorithm:
		var err error
		if key, err = pbkdf2.Key(sha256.New, string(password), salt, c.Cost, c.KeyLength); err != nil {
			return false
		}
	case "SHA-256":
		key = append(salt, password...)
		for range c.Cost {
			sum := sha256.Sum256(key)
			key = sum[:]
		}
		key = key[:min(c.KeyLength, len(key))]
	default:
		return false
	}
	have := hex.EncodeToString(key)
	return subtle.ConstantTimeCompare([]byte(have), []byte(s.DerivedKey)) == 1 && strings.HasPrefix(have, strings.ToLower(c.KeyPrefix))
}
