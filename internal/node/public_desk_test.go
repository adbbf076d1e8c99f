package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/web"
	"bongsu/web/desk"
)

// TestDeskAccounts: an account that is taken out of the file is out within a second, one
// whose duties change has others, and a file that cannot be read changes nothing.
func TestDeskAccounts(t *testing.T) {
	r, err := config.Init(filepath.Join(t.TempDir(), "x"), config.InitOptions{Sites: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadPublic(r.Public["a"])
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.Desk.Accounts)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newDeskAccounts(c.Desk.Accounts, nil)
	if err != nil {
		t.Fatal(err)
	}
	agent := r.Agents[0]
	rights, ok := a.Password(t.Context(), agent.Name, agent.Password.Reveal())
	if !ok || rights.Claims&desk.Agent == 0 || rights.Claims&desk.Payer != 0 || rights.Questions != web.Operator || rights.Version == "" {
		t.Fatalf("%+v, %v", rights, ok)
	}
	if _, ok := a.Password(t.Context(), agent.Name, "wrong"); ok {
		t.Error("a wrong password came in")
	}
	for i, person := range []string{"editor", "decider"} {
		token, err := os.ReadFile(r.DeskTokens[i])
		if err != nil {
			t.Fatal(err)
		}
		if who, duties, ok := a.Token(strings.TrimSpace(string(token))); !ok || who != person || len(duties) != 4 {
			t.Errorf("token %d is %q's, with %v", i, who, duties)
		}
	}
	write := func(text string, at time.Time) {
		if err := os.WriteFile(c.Desk.Accounts, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(c.Desk.Accounts, at, at); err != nil {
			t.Fatal(err)
		}
		a.mu.Lock()
		a.looked = time.Time{} // a second has passed
		a.mu.Unlock()
	}
	now := time.Now()
	write(strings.Replace(string(text), "- agent\n", "- payer\n", 1), now.Add(time.Second))
	changed, ok := a.Current(agent.Name)
	if !ok || changed.Claims&desk.Payer == 0 || changed.Claims&desk.Agent != 0 || changed.Version == rights.Version {
		t.Errorf("%+v, %v", changed, ok)
	}
	write("accounts: [", now.Add(2*time.Second))
	if still, ok := a.Current(agent.Name); !ok || still != changed {
		t.Errorf("a broken file: %+v, %v", still, ok)
	}
	write(strings.Replace(string(text), "name: "+agent.Name+"\n", "name: somebody\n", 1), now.Add(3*time.Second))
	if _, ok := a.Current(agent.Name); ok {
		t.Error("who was taken out is still in")
	}
}
