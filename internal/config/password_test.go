package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bongsu/internal/config"
)

// A password that was hashed opens the account, and no other does.
func TestHashPassword(t *testing.T) {
	h, err := config.HashPassword(config.NewSecret("말랑콩 배터리 말 스테이플"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "accounts.yaml")
	if err := os.WriteFile(file, []byte("version: 1\naccounts:\n  - name: kim\n    role: viewer\n    password: "+h+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := config.LoadAccounts(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Password(t.Context(), "kim", "말랑콩 배터리 말 스테이플"); !ok {
		t.Error("the password does not open the account")
	}
	if _, ok := a.Password(t.Context(), "kim", "말랑콩 배터리 말 스테이플 "); ok {
		t.Error("another password opens it")
	}
	for _, bad := range []string{"", "짧은 열한 글자다요", "eleven char", "twelve\x00letters", "twelve\tletters", strings.Repeat("긴", 400), "\xff\xfe\xfd and the rest of it"} {
		if h, err := config.HashPassword(config.NewSecret(bad)); err == nil || h != "" || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %q, %v", bad, h, err)
		}
	}
}
