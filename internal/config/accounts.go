package config

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// AccountRole says what an account may do. Each may do what those before it may.
type AccountRole string

// The roles of accounts.
const (
	Viewer   AccountRole = "viewer"   // sees everything
	Operator AccountRole = "operator" // runs what was approved, pushes estates
	Approver AccountRole = "approver" // approves runs, declares incidents
)

// A ClaimDuty is what an account does with claims, at the desk of the public side. Each
// is given by itself; an account with a duty may have no role.
type ClaimDuty string

// The duties.
const (
	Agent   ClaimDuty = "agent"   // enters reports, answers claimants
	Decider ClaimDuty = "decider" // decides, windows and policies
	Payer   ClaimDuty = "payer"   // batches, files, results, recourse
	Body    ClaimDuty = "body"    // the consultative body: data without persons, votes
	Privacy ClaimDuty = "privacy" // looks, erasure, retention
)

func (ClaimDuty) choices() []string {
	return []string{string(Agent), string(Decider), string(Payer), string(Body), string(Privacy)}
}

func (AccountRole) choices() []string {
	return []string{string(Viewer), string(Operator), string(Approver)}
}

// Accounts says who may come in. It is safe for concurrent use.
type Accounts struct {
	accounts map[string]account
	tokens   []token
	nobody   hash          // what is verified for names that nobody has
	running  chan struct{} // bounds the memory that verification takes
}

type account struct {
	role    AccountRole
	claims  []ClaimDuty
	hash    hash
	version string
}

type token struct {
	name   string
	person string // the account of who holds it; empty: nobody says
	role   AccountRole
	claims []ClaimDuty
	sum    [sha256.Size]byte
}

// accountsFile is the format of accounts.yaml.
type accountsFile struct {
	Version  int            `yaml:"version"`
	Accounts []accountEntry `yaml:"accounts"`
	Tokens   []tokenEntry   `yaml:"tokens"`
}

type accountEntry struct {
	Name     string      `yaml:"name"`
	Role     AccountRole `yaml:"role,omitempty"`
	Claims   []ClaimDuty `yaml:"claims,omitempty"`
	Password string      `yaml:"password"`
}

type tokenEntry struct {
	Name    string      `yaml:"name"`
	Account string      `yaml:"account,omitempty"` // of the person who holds it, who is one person with it wherever two have to agree
	Role    AccountRole `yaml:"role,omitempty"`
	Claims  []ClaimDuty `yaml:"claims,omitempty"`
	SHA256  string      `yaml:"sha256"`
}

// atOnce is how many passwords are verified at a time: each takes 19 MiB.
const atOnce = 4

// authors are whom the record names where no person acted: an account of such a name
// would pass for them, and for the second person who has to agree.
func authors() []string {
	return []string{"policy", "bank", "claimant", "restore", "probe"}
}

// LoadAccounts reads a file of accounts.
func LoadAccounts(file string) (*Accounts, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	return ParseAccounts(file, text)
}

// ParseAccounts reads the text of a file of accounts.
func ParseAccounts(file string, text []byte) (*Accounts, error) {
	f := accountsFile{Version: 1}
	at, err := decode(file, text, &f)
	if err != nil {
		return nil, err
	}
	a := &Accounts{accounts: map[string]account{}, running: make(chan struct{}, atOnce)}
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: %s %s", file, at[path], path, fmt.Sprintf(format, args...)))
	}
	if f.Version != 1 {
		bad("version", "is %d; this program knows version 1", f.Version)
	}
	names := map[string]bool{}
	entry := func(path, name string, role AccountRole, claims []ClaimDuty) {
		switch {
		case name == "":
			bad(path, "has no name")
		case strings.TrimSpace(name) != name:
			bad(path, "has the name %q, with space around it", name)
		case slices.Contains(authors(), strings.ToLower(name)):
			bad(path, "has the name %q, which the record keeps for what no person did: choose another", name)
		case names[name]:
			bad(path, "has the name %q, which is taken", name)
		case role == "" && len(claims) == 0:
			bad(path, "has no role: it can be viewer, operator or approver; or, for the desk of the public side, duties (claims)")
		}
		names[name] = true
	}
	for i, e := range f.Accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		entry(path, e.Name, e.Role, e.Claims)
		for j, d := range e.Claims {
			if slices.Contains(e.Claims[:j], d) {
				bad(fmt.Sprintf("%s.claims[%d]", path, j), "stands twice: %s", d)
			}
		}
		h, err := parseHash(e.Password)
		if err != nil {
			bad(path+".password", "%v", err)
		}
		sum := sha256.Sum256(fmt.Append(nil, e.Name, "\x00", e.Password, "\x00", e.Role, "\x00", e.Claims))
		a.accounts[e.Name] = account{e.Role, e.Claims, h, hex.EncodeToString(sum[:8])}
	}
	for i, e := range f.Tokens {
		path := fmt.Sprintf("tokens[%d]", i)
		entry(path, e.Name, e.Role, e.Claims)
		sum, err := hex.DecodeString(e.SHA256)
		if err != nil || len(sum) != sha256.Size {
			bad(path+".sha256", "is no SHA-256 in hex")
			continue
		}
		if _, ok := a.accounts[e.Account]; e.Account != "" && !ok {
			bad(path+".account", "is %q, which is no account of this file: name that of the person who holds the token", e.Account)
		}
		a.tokens = append(a.tokens, token{e.Name, e.Account, e.Role, e.Claims, [sha256.Size]byte(sum)})
	}
	if a.nobody, err = newHash(NewSecret(rand.Text())); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return a, nil
}

// Password returns the role of an account if the password is its own. It takes as long
// for a name that nobody has. It gives up when ctx ends before its turn comes.
func (a *Accounts) Password(ctx context.Context, name, password string) (AccountRole, bool) {
	select {
	case a.running <- struct{}{}:
		defer func() { <-a.running }()
	case <-ctx.Done():
		return "", false
	}
	acc, known := a.accounts[name]
	if !known {
		acc.hash = a.nobody
	}
	if right := acc.hash.verify(NewSecret(password)); !right || !known {
		return "", false
	}
	return acc.role, true
}

// Current returns the role that an account or token has now.
func (a *Accounts) Current(name string) (AccountRole, bool) {
	if acc, ok := a.accounts[name]; ok {
		return acc.role, true
	}
	i := slices.IndexFunc(a.tokens, func(t token) bool { return t.name == name })
	if i < 0 {
		return "", false
	}
	return a.tokens[i].role, true
}

// Claims returns the duties that an account has now, and a word that changes with its
// password, role and duties, so that sessions end with them. Those of an API token are in [Accounts.TokenClaims].
func (a *Accounts) Claims(name string) (duties []ClaimDuty, version string) {
	acc := a.accounts[name]
	return acc.claims, acc.version
}

// Token returns whose API token this is: the account that it names, so that a person who has both is one; or, where
// it names none, its own name. Tokens are long and random, so one round of SHA-256 keeps them.
func (a *Accounts) Token(text string) (name string, role AccountRole, ok bool) {
	t := a.token(text)
	if t == nil {
		return "", role, false
	}
	return cmp.Or(t.person, t.name), t.role, true
}

// token finds a token; nil: it is none.
func (a *Accounts) token(text string) (found *token) {
	sum := sha256.Sum256([]byte(text))
	for i := range a.tokens { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(sum[:], a.tokens[i].sum[:]) == 1 {
			found = &a.tokens[i]
		}
	}
	return found
}

// TokenClaims returns the duties that an API token has; what is none has none. One that names no account has none of
// those in which persons are counted: whoever holds it may have an account too, and would be two.
func (a *Accounts) TokenClaims(text string) (duties []ClaimDuty) {
	t := a.token(text)
	if t == nil {
		return nil
	}
	for _, d := range t.claims {
		if t.person != "" || !counts(d) {
			duties = append(duties, d)
		}
	}
	return duties
}

// counts says whether persons are counted in a duty: two have to agree, or each has one vote.
func counts(d ClaimDuty) bool { return d == Decider || d == Payer || d == Body }

// Bare returns the names of tokens that have a duty which they may not use, as they name no account.
func (a *Accounts) Bare() []string {
	var out []string
	for _, t := range a.tokens {
		if t.person == "" && slices.ContainsFunc(t.claims, counts) {
			out = append(out, t.name)
		}
	}
	return out
}

// hash is an argon2id hash in the PHC format.
type hash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// shortest is how few letters a new password may have.
const shortest = 12

// HashPassword is a password as accounts files keep it. A short one is refused, and one that nobody can type again.
func HashPassword(password Secret) (string, error) {
	text := password.Reveal()
	switch {
	case utf8.RuneCountInString(text) < shortest:
		return "", fmt.Errorf("the password has %d letters, expected %d or more: a few words are easier to keep than signs", utf8.RuneCountInString(text), shortest)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 1024:
		return "", errors.New("the password has signs that cannot be typed, or more than 1024 bytes")
	}
	h, err := newHash(password)
	return h.String(), err
}

// newHash hashes a password as OWASP advises: 19 MiB, 2 rounds, 1 thread.
func newHash(password Secret) (hash, error) {
	h := hash{memory: 19 << 10, time: 2, threads: 1, salt: make([]byte, 16)}
	if _, err := rand.Read(h.salt); err != nil {
		return hash{}, fmt.Errorf("make a salt: %w", err)
	}
	h.key = h.derive(password, 32)
	return h, nil
}

func (h hash) derive(password Secret, size uint32) []byte {
	return argon2.IDKey([]byte(password.Reveal()), h.salt, h.time, h.memory, h.threads, size)
}

func (h hash) verify(password Secret) bool {
	if len(h.key) == 0 {
		return false
	}
	got := h.derive(password, uint32(len(h.key))) //nolint:gosec // parseHash bounds it
	return subtle.ConstantTimeCompare(got, h.key) == 1
}

// String is the hash as accounts.yaml has it.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func parseHash(s string) (hash, error) {
	var h hash
	fields := strings.Split(s, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" {
		return h, errors.New("is no argon2id hash: passwords are never written down, bongsu config password makes hashes")
	}
	if fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("is of argon2 version %q, this program knows v=%d", fields[2], argon2.Version)
	}
	var rest string
	n, _ := fmt.Sscanf(fields[3]+" ", "m=%d,t=%d,p=%d%s", &h.memory, &h.time, &h.threads, &rest)
	if n != 3 || h.memory < 8 || h.memory > 1<<20 || h.time < 1 || h.time > 100 || h.threads < 1 {
		return h, fmt.Errorf("has parameters %q that are out of bounds", fields[3])
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(fields[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(fields[5])
	if errors.Join(err1, err2) != nil || len(h.salt) < 8 || len(h.key) < 16 || len(h.key) > 128 {
		return h, errors.New("has a salt or a key that is damaged")
	}
	return h, nil
}
