package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/config"
)

// TestRecordKeyAndClocks loads what init made, and finds what is wrong with the key of
// the record and the policy of the clocks.
func TestRecordKeyAndClocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	made, err := config.Init(dir, config.InitOptions{Cluster: "shop", Sites: []string{"north", "south"}})
	if err != nil {
		t.Fatal(err)
	}
	load := func() *config.Config {
		t.Helper()
		c, err := config.Load(made.Files["north"])
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load()
	signer, public, err := c.Signer()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: "x\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(msg, note.VerifierList(verifier)); err != nil {
		t.Errorf("the key and its public half: %v", err)
	}
	if a, b := read(t, dir, "north", "record.key"), read(t, dir, "south", "record.key"); a != b {
		t.Error("the nodes of a cluster have different keys")
	}
	if p, err := c.ClockPolicy(); err != nil || len(p.Duties) != 3 {
		t.Errorf("the policy that is shipped: %+v, %v", p, err)
	}

	other, err := config.Init(filepath.Join(t.TempDir(), "o"), config.InitOptions{Sites: []string{"north"}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, read(t, filepath.Dir(other.Files["north"]), "record.pub"), dir, "north", "record.pub")
	if _, _, err := load().Signer(); err == nil || !strings.Contains(err.Error(), "not the public half") {
		t.Errorf("a public key of another cluster: %v", err)
	}
	write(t, "nonsense\n", dir, "north", "record.pub")
	if _, _, err := load().Signer(); err == nil || !strings.Contains(err.Error(), "no public key") {
		t.Errorf("a public key of nonsense: %v", err)
	}
	write(t, "nonsense\n", dir, "north", "record.key")
	if _, _, err := load().Signer(); err == nil || !strings.Contains(err.Error(), "holds no key") || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a key of nonsense: %v", err)
	}

	text := read(t, dir, "north", "bongsu.yaml")
	write(t, text+"clocks: clocks.yaml\n", dir, "north", "bongsu.yaml")
	if _, err := config.Load(made.Files["north"]); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("clocks that are not there: %v", err)
	}
	write(t, "version: 9\n", dir, "north", "clocks.yaml")
	if _, err := load().ClockPolicy(); err == nil || !strings.Contains(err.Error(), "clocks.yaml") {
		t.Errorf("clocks that are wrong: %v", err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
