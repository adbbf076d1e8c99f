package claim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// A Master is the key that all others are wrapped with or derived from. It prints as
// nothing: it stays in the memory of the public process and in its file.
type Master struct {
	wrap  cipher.AEAD // of data keys
	index []byte      // of marks
	again []byte      // of secrets of receipts
}

// String hides the key.
func (m *Master) String() string { return "***" }

// GoString hides the key too.
func (m *Master) GoString() string { return "***" }

// NewMaster takes 32 bytes of a file that nobody else may read.
func NewMaster(key []byte) (*Master, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("the master key has %d bytes, expected 32", len(key))
	}
	derive := func(what string) ([]byte, error) { return hkdf.Key(sha256.New, key, nil, "bongsu claim "+what, 32) }
	w, err := derive("wrap")
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	m := &Master{}
	if m.wrap, err = sealer(w); err != nil {
		return nil, err
	}
	if m.index, err = derive("index"); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if m.again, err = derive("receipt"); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return m, nil
}

// Derive returns a key of 32 bytes for another purpose, which tells nothing of the master key.
func (m *Master) Derive(what string) ([]byte, error) {
	k, err := hkdf.Key(sha256.New, m.again, nil, "bongsu claim for "+what, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return k, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("data key: %w", err)
	}
	return cipher.NewGCM(b)
}

func seal(a cipher.AEAD, plain []byte, about string) []byte {
	nonce := make([]byte, a.NonceSize(), a.NonceSize()+len(plain)+a.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return a.Seal(nonce, nonce, plain, []byte(about))
}

var errSealed = errors.New("it was sealed with another key, or changed")

func unseal(a cipher.AEAD, sealed []byte, about string) ([]byte, error) {
	n := a.NonceSize()
	if len(sealed) < n {
		return nil, errSealed
	}
	plain, err := a.Open(nil, sealed[:n], sealed[n:], []byte(about))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// A dataKey seals what is personal in one claim.
type dataKey []byte

// newKey draws a data key, and wraps it for the claim.
func (m *Master) newKey(id string) (dataKey, []byte) {
	k := make(dataKey, 32)
	_, _ = rand.Read(k) // never fails
	return k, seal(m.wrap, k, "key of "+id)
}

func (m *Master) unwrap(id string, wrapped []byte) (dataKey, error) {
	k, err := unseal(m.wrap, wrapped, "key of "+id)
	if err != nil {
		return nil, fmt.Errorf("key of claim %s: %w", id, err)
	}
	return k, nil
}

func (k dataKey) sealPersonal(id string, p Personal) ([]byte, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("seal claim %s: %w", id, err)
	}
	a, err := sealer(k)
	if err != nil {
		return nil, err
	}
	return seal(a, plain, "personal data of "+id), nil
}

func (k dataKey) openPersonal(id string, sealed []byte) (Personal, error) {
	a, err := sealer(k)
	if err != nil {
		return Personal{}, err
	}
	plain, err := unseal(a, sealed, "personal data of "+id)
	if err != nil {
		return Personal{}, fmt.Errorf("personal data of claim %s: %w", id, err)
	}
	var p Personal
	if err := json.Unmarshal(plain, &p); err != nil {
		return Personal{}, fmt.Errorf("personal data of claim %s: %w", id, err)
	}
	return p, nil
}

// stanza is how our recipients of age name themselves.
const stanza = "bongsu-claim"

// Wrap implements [age.Recipient]: files are age files whose key the data key wraps.
func (k dataKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	a, err := sealer(k)
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{{Type: stanza, Body: seal(a, fileKey, "key of a file")}}, nil
}

// Unwrap implements [age.Identity].
func (k dataKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	a, err := sealer(k)
	if err != nil {
		return nil, err
	}
	for _, s := range stanzas {
		if s.Type == stanza {
			if key, err := unseal(a, s.Body, "key of a file"); err == nil {
				return key, nil
			}
		}
	}
	return nil, age.ErrIncorrectIdentity
}

func (k dataKey) sealFile(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k)
	if err != nil {
		return nil, fmt.Errorf("seal file: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal file: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal file: %w", err)
	}
	return out.Bytes(), nil
}

func (k dataKey) openFile(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return plain, nil
}

// Mark is a keyed hash of what duplicates are found by, with its kind before it: who has
// no key learns nothing from it, not even by trying every telephone number.
func (m *Master) Mark(kindValue string) string {
	kind, _, _ := strings.Cut(kindValue, ":")
	h := hmac.New(sha256.New, m.index)
	h.Write([]byte(kindValue))
	return kind + "." + hex.EncodeToString(h.Sum(nil)[:16])
}

// crockford is base32 without letters that look like others.
func crockford(b []byte) string {
	return base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding).EncodeToString(b)
}

// NewCode draws a receipt code: 60 bits, in groups that can be read out over the phone.
func NewCode() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	s := crockford(b)
	return s[:4] + "-" + s[4:8] + "-" + s[8:12]
}

// secretOf is the secret of a receipt: for a report with a key it can be told again to
// who sends the same once more; 100 bits.
func (m *Master) secretOf(id, key string) string {
	b := make([]byte, 32)
	if key == "" {
		_, _ = rand.Read(b) // never fails
	} else {
		h := hmac.New(sha256.New, m.again)
		h.Write([]byte(id + "\x00" + key))
		b = h.Sum(nil)
	}
	s := crockford(b)
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:20]
}

// NormalCode reads a receipt code or secret as people type it: small letters, spaces,
// O for 0 and I or L for 1.
func NormalCode(s string) string {
	b := make([]byte, 0, len(s)+3)
	for _, c := range []byte(strings.ToUpper(s)) {
		switch c {
		case ' ', '-':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		b = append(b, c)
	}
	var group int
	switch len(b) {
	case 12:
		group = 4
	case 20:
		group = 5
	default:
		return string(b)
	}
	out := make([]byte, 0, 24)
	for i, c := range b {
		if i > 0 && i%group == 0 {
			out = append(out, '-')
		}
		out = append(out, c)
	}
	return string(out)
}

// SecretHash is what is kept of a secret: it has 100 bits, so one hash is enough.
func SecretHash(id, secret string) string {
	h := sha256.Sum256([]byte("bongsu receipt\x00" + id + "\x00" + NormalCode(secret)))
	return hex.EncodeToString(h[:])
}
