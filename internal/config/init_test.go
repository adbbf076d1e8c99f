package config_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
)

func TestInitVoters(t *testing.T) {
	for _, c := range []struct {
		o       config.InitOptions
		members []string
		warns   string
	}{
		{config.InitOptions{Sites: []string{"a"}}, []string{"a"}, "NOT REDUNDANT: this is a single node"},
		{config.InitOptions{Sites: []string{"a", "b"}}, []string{"a", "b"}, "Add a witness"},
		{config.InitOptions{Sites: []string{"a", "b"}, Witness: "w"}, []string{"a", "b", "w"}, ""},
		{config.InitOptions{Sites: []string{"a", "b", "c"}}, []string{"a", "b", "c"}, ""},
		{config.InitOptions{Sites: []string{"a", "b", "c"}, Witness: "w"}, []string{"a", "b", "w"}, ""},
		{config.InitOptions{Sites: []string{"a", "b", "c", "d"}}, []string{"a", "b", "c"}, ""},
		{config.InitOptions{Sites: []string{"a", "b", "c", "d"}, Voters: []string{"b", "c", "d"}}, []string{"b", "c", "d"}, ""},
		{config.InitOptions{Sites: []string{"a", "b", "c", "d", "e", "f"}}, []string{"a", "b", "c", "d", "e"}, ""},
	} {
		dir := filepath.Join(t.TempDir(), "x")
		r, err := config.Init(dir, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Warnings, "\n"); c.warns == "" && got != "" || !strings.Contains(got, c.warns) {
			t.Errorf("%v: warned %q", c.o, got)
		}
		names := c.o.Sites
		if c.o.Witness != "" {
			names = append(names, c.o.Witness)
		}
		for _, site := range names {
			conf, err := config.Load(r.Files[site])
			if err != nil {
				t.Fatal(err)
			}
			var members []string
			for _, m := range conf.Members() {
				members = append(members, m.Site)
			}
			if diff := cmp.Diff(c.members, members); diff != "" {
				t.Errorf("%v: members at %s (-want +got):\n%s", c.o, site, diff)
			}
			if conf.Self().Site != site || conf.Self().Witness != (site == c.o.Witness) || conf.Cluster != r.Cluster {
				t.Errorf("%s: %+v", site, conf.Self())
			}
		}
	}
}

func TestInitFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "conf")
	o := config.InitOptions{
		Cluster: "test", Sites: []string{"north", "south"}, Witness: "hill",
		Hosts: map[string]string{"south": "south.example", "hill": "10.1.2.3"},
		Ports: map[string]config.Ports{"north": {Peer: 1001, Client: 1002, Console: 1003}},
		Change: func(site string, c *config.Config) {
			if site == "north" {
				c.Fence.Exec = []string{"/bin/fence", "on: yes"}
				c.Policy.Approve = config.Auto
			}
		},
	}
	r, err := config.Init(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		files = append(files, name+" "+info.Mode().Perm().String())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"approver.token -rw-------", "ca/ca.crt -rw-r--r--", "ca/ca.key -rw-------", "claims-1.token -rw-------", "claims-2.token -rw-------"}
	for _, site := range []string{"hill", "north", "south"} {
		for _, f := range []string{"accounts.yaml -rw-------", "bongsu.yaml -rw-------", "record.key -rw-------", "record.pub -rw-------", "session.key -rw-------", "status.key -rw-------", "tls/ca.crt -rw-r--r--", "tls/node.crt -rw-r--r--", "tls/node.key -rw-------"} {
			want = append(want, site+"/"+f)
		}
		for _, f := range []string{"claims-log.key", "claims-master.key", "public-accounts.yaml", "public-seal.key", "public-session.key", "public.yaml", "tls/node.key"} {
			want = append(want, "public/"+site+"/"+f+" -rw-------")
		}
		for _, f := range []string{"claims-log.pub", "tls/ca.crt", "tls/node.crt"} {
			want = append(want, "public/"+site+"/"+f+" -rw-r--r--")
		}
		if site == "north" {
			want = append(want, "operator.token -rw-------")
		}
	}
	slices.Sort(want)
	slices.Sort(files)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	north, err := config.Load(r.Files["north"])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Node{Site: "north", Role: config.Member, Peer: "127.0.0.1:1001", Client: "127.0.0.1:1002", Console: "http://127.0.0.1:1003"}, north.Self()); diff != "" {
		t.Error(diff)
	}
	if north.Fence.Exec[1] != "on: yes" || north.Policy.Approve != config.Auto {
		t.Errorf("change was lost: %+v", north.Fence)
	}
	south, err := config.Load(r.Files["south"])
	if err != nil {
		t.Fatal(err)
	}
	if south.Self().Console != "https://south.example:7402" || south.Listen.Console != "0.0.0.0:7402" || south.Console.Cert == "" {
		t.Errorf("south: %+v %+v %+v", south.Self(), south.Listen, south.Console)
	}

	// Certificates are of the CA, for their hosts, and for nodes of this cluster only.
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca", "ca.crt"))
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no CA", err)
	}
	raw, err := os.ReadFile(south.TLS.Cert)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for host, good := range map[string]bool{"south.example": true, "south": true, "localhost": true, "north": false, "evil.example": false} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
	}
	if cert.Subject.CommonName != config.CommonName("test") {
		t.Errorf("made out to %q", cert.Subject.CommonName)
	}
	if _, err := config.LoadCA(filepath.Join(dir, "ca")); err != nil {
		t.Error(err)
	}

	// Logins and tokens work, on every node, and are nowhere in the files.
	for _, site := range []string{"north", "south", "hill"} {
		conf, err := config.Load(r.Files[site])
		if err != nil {
			t.Fatal(err)
		}
		accounts, err := config.LoadAccounts(conf.Console.Accounts)
		if err != nil {
			t.Fatal(err)
		}
		if site == "north" {
			for _, l := range r.Logins {
				if role, ok := accounts.Password(t.Context(), l.Name, l.Password.Reveal()); !ok || role != l.Role {
					t.Errorf("%s cannot log in: %v %v", l.Name, role, ok)
				}
			}
		}
		for name, file := range r.Tokens {
			token, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if who, _, ok := accounts.Token(strings.TrimSpace(string(token))); !ok || who != name {
				t.Errorf("token of %s is %q's (%v)", name, who, ok)
			}
		}
	}
	if _, err := config.Init(dir, o); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second init: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestInitRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		o    config.InitOptions
	}{
		{"no sites", config.InitOptions{}},
		{"no name of a site", config.InitOptions{Sites: []string{"Nord"}}},
		{"no name of a site", config.InitOptions{Sites: []string{"../x"}}},
		{"named twice", config.InitOptions{Sites: []string{"a"}, Witness: "a"}},
		{`called "ca"`, config.InitOptions{Sites: []string{"ca"}}},
		{`did you mean "north"?`, config.InitOptions{Sites: []string{"north", "south"}, Voters: []string{"nort"}}},
		{`is no site`, config.InitOptions{Sites: []string{"north"}, Hosts: map[string]string{"x": "y"}}},
	} {
		dir := filepath.Join(t.TempDir(), "x")
		if _, err := config.Init(dir, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.o, err, c.want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("something was made")
		}
	}
}

func TestAccounts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	r, err := config.Init(dir, config.InitOptions{Sites: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(r.Files["a"]), "accounts.yaml")
	a, err := config.LoadAccounts(file)
	if err != nil {
		t.Fatal(err)
	}
	good := r.Logins[0]
	for _, c := range []struct{ name, password string }{
		{good.Name, ""},
		{good.Name, good.Password.Reveal() + "x"},
		{good.Name, r.Logins[1].Password.Reveal()},
		{"nobody", good.Password.Reveal()},
		{"", ""},
		{good.Name, good.Name},
	} {
		if role, ok := a.Password(t.Context(), c.name, c.password); ok || role != "" {
			t.Errorf("%q with %q came in as %s", c.name, c.password, role)
		}
	}
	if _, _, ok := a.Token(""); ok {
		t.Error("an empty token came in")
	}
	if role, ok := a.Current(good.Name); !ok || role != good.Role {
		t.Errorf("current role %s %v", role, ok)
	}
	if _, ok := a.Current("nobody"); ok {
		t.Error("nobody has a role")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Logins {
		if strings.Contains(string(text), l.Password.Reveal()) {
			t.Errorf("the password of %s is in the file", l.Name)
		}
	}
	hash := "$argon2id$v=19$m=19456,t=2,p=1$"
	if !strings.Contains(string(text), hash) {
		t.Errorf("no %s in\n%s", hash, text)
	}
	for _, c := range []struct{ text, want string }{
		{"accounts: [{name: a, role: admin}]\n", "accounts[0].role is \"admin\", which is none of viewer, operator, approver"},
		{"accounts: [{name: a, role: viewer, password: hunter2}]\n", "f:1: accounts[0].password is no argon2id hash"},
		{"accounts: [{name: a, role: viewer, password: \"" + hash + "AAAA$AAAA\"}]\n", "damaged"},
		{"accounts: [{name: a, role: viewer, password: \"$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]\n", "out of bounds"},
		{"tokens: [{name: a, role: viewer, sha256: xx}]\n", "f:1: tokens[0].sha256 is no SHA-256"},
		{"tokens: [{name: a, role: viewer, sum: xx}]\n", `unknown field "sum"`},
		{"tokens: [{name: a, sha256: xx}]\n", "has no role"},
		{"version: 3\n", "version is 3"},
		{"tokens: [{name: a, account: kim, role: viewer, sha256: " + strings.Repeat("00", 32) + "}]\n", `tokens[0].account is "kim", which is no account of this file`},
		{"tokens: [{name: policy, role: viewer, sha256: xx}]\n", `tokens[0] has the name "policy", which the record keeps`},
		{"accounts: [{name: Bank, role: viewer, password: xx}]\n", `accounts[0] has the name "Bank", which the record keeps`},
		{"tokens: [{name: claimant, role: viewer, sha256: xx}]\n", "which the record keeps"},
		{"tokens: [{name: restore, role: viewer, sha256: xx}]\n", "which the record keeps"},
		{"tokens: [{name: probe, role: viewer, sha256: xx}]\n", "which the record keeps"},
		{"accounts: [{name: 'kim ', role: viewer, password: xx}]\n", `has the name "kim ", with space around it`},
	} {
		if _, err := config.ParseAccounts("f", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
}

// A token acts as the account that it names; one that names none has no duty in which persons are counted.
func TestTokensOfPersons(t *testing.T) {
	entry := func(name, text, more string) string {
		return fmt.Sprintf("- {name: %s, claims: [agent, decider, payer, body, privacy], sha256: %x%s}\n", name, sha256.Sum256([]byte(text)), more)
	}
	const kim = "- {name: kim, claims: [decider], password: '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}\n"
	a, err := config.ParseAccounts("f", []byte("accounts:\n"+kim+"tokens:\n"+entry("laptop", "one", ", account: kim")+entry("robot", "two", "")))
	if err != nil {
		t.Fatal(err)
	}
	if who, _, ok := a.Token("one"); !ok || who != "kim" {
		t.Errorf("the token of kim is %q's (%v)", who, ok)
	}
	if got := a.TokenClaims("one"); len(got) != 5 {
		t.Errorf("the token of kim may %v", got)
	}
	if who, _, ok := a.Token("two"); !ok || who != "robot" {
		t.Errorf("the token of nobody is %q's (%v)", who, ok)
	}
	if got := a.TokenClaims("two"); !slices.Equal(got, []config.ClaimDuty{config.Agent, config.Privacy}) {
		t.Errorf("the token of nobody may %v", got)
	}
	if got := a.TokenClaims("three"); got != nil {
		t.Errorf("what is no token may %v", got)
	}
	if got := a.Bare(); !slices.Equal(got, []string{"robot"}) {
		t.Errorf("bare are %v", got)
	}
}
