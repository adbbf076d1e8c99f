package config

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"bongsu/incident"
)

// Record names the key by which the leader signs the record of an incident. Every node
// of a cluster has the same one, for any of them may lead.
type Record struct {
	Key    string `yaml:"key" doc:"file of the private key that signs checkpoints, record.key; without one nothing is signed"`
	Public string `yaml:"public" doc:"file of its public key, record.pub, which whoever verifies an export is given"`
}

// Names of the files that [Init] keeps the record's key in.
const (
	recordKeyFile    = "record.key"
	recordPublicFile = "record.pub"
)

// newRecordKey makes the key pair of a cluster's records, each as the line of a file.
func newRecordKey(cluster string) (private, public []byte, err error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "bongsu-record."+strings.ReplaceAll(cluster, "+", "-")) // a key's name holds no plus
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of the record: %w", err)
	}
	return []byte(skey + "\n"), []byte(vkey + "\n"), nil
}

// Signer reads the key that signs the record and its public half. Both are nil and
// empty where the file names none.
func (c *Config) Signer() (note.Signer, string, error) {
	if c.Record.Key == "" {
		return nil, "", nil
	}
	src := SecretSource{File: c.Record.Key}
	if err := src.read(); err != nil {
		return nil, "", fmt.Errorf("%srecord.key %w", c.place("record.key"), err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(src.value.Reveal()))
	if err != nil {
		return nil, "", fmt.Errorf("%srecord.key names %s, which holds no key as bongsu init makes it", c.place("record.key"), c.Record.Key)
	}
	text, err := os.ReadFile(c.Record.Public)
	if err != nil {
		return nil, "", fmt.Errorf("%srecord.public cannot be read: %w", c.place("record.public"), err)
	}
	public := strings.TrimSpace(string(text))
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, "", fmt.Errorf("%srecord.public names %s, which holds no public key as bongsu init makes it", c.place("record.public"), c.Record.Public)
	}
	// A key that does not fit would be noticed only by whoever verifies an export.
	const probe = "bongsu\n"
	if sig, err := signer.Sign([]byte(probe)); err != nil || !verifier.Verify([]byte(probe), sig) || signer.Name() != verifier.Name() || signer.KeyHash() != verifier.KeyHash() {
		return nil, "", fmt.Errorf("%srecord.public is not the public half of record.key", c.place("record.public"))
	}
	return signer, public, nil
}

// ClockPolicy reads the duties with a deadline; those that are shipped where the file names
// none.
func (c *Config) ClockPolicy() (*incident.ClockPolicy, error) {
	if c.Clocks == "" {
		return incident.DefaultPolicy(), nil
	}
	text, err := os.ReadFile(c.Clocks)
	if err != nil {
		return nil, fmt.Errorf("%sclocks cannot be read: %w", c.place("clocks"), err)
	}
	return incident.ParsePolicy(c.Clocks, text)
}
