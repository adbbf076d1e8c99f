package config_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/config"
)

// What init makes can be loaded, and fits together: what control signs, every public
// node takes; and the two clusters share no port and no name.
func TestInitPublic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	r, err := config.Init(dir, config.InitOptions{Cluster: "test", Sites: []string{"a", "b"}, Witness: "w", Hosts: map[string]string{"b": "10.1.0.5"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(r.Files["a"])
	if err != nil {
		t.Fatal(err)
	}
	signer, err := c.Public.Signer()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "hello\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Public.Nodes) != 3 {
		t.Errorf("control tells %q", c.Public.Nodes)
	}
	ports := map[string]string{}
	take := func(what, addr string) {
		if other, taken := ports[addr]; taken && addr != "" {
			t.Errorf("%s and %s both listen on %s", what, other, addr)
		}
		ports[addr] = what
	}
	for _, site := range []string{"a", "b", "w"} {
		control, err := config.Load(r.Files[site])
		if err != nil {
			t.Fatal(err)
		}
		p, err := config.LoadPublic(r.Public[site])
		if err != nil {
			t.Fatal(err)
		}
		known, err := p.Verifiers()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open(signed, known); err != nil {
			t.Errorf("%s does not know the key of control: %v", site, err)
		}
		if p.Cluster == control.Cluster || p.Control != control.Cluster || p.Self().Role != config.Member {
			t.Errorf("%s: cluster %s of control %s, role %s", site, p.Cluster, p.Control, p.Self().Role)
		}
		for _, l := range []struct{ what, addr string }{
			{"peer", control.Listen.Peer},
			{"client", control.Listen.Client},
			{"console", control.Listen.Console},
			{"public peer", p.Listen.Peer},
			{"public client", p.Listen.Client},
			{"page", p.Listen.Page},
			{"push", p.Listen.Push},
			{"desk", p.Listen.Desk},
		} {
			take(site+" "+l.what, l.addr)
		}
		if _, err := config.LoadAccounts(p.Desk.Accounts); err != nil {
			t.Error(err)
		}
	}
	if len(r.Agents) != 6 || r.Agents[0].Password.Reveal() == r.Agents[1].Password.Reveal() {
		t.Errorf("agents: %v", r.Agents)
	}
}

func TestDescribePublicCanBeReadBack(t *testing.T) {
	var b bytes.Buffer
	if err := config.DescribePublic(&b); err != nil {
		t.Fatal(err)
	}
	c, err := config.ParsePublic("public.yaml", b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got, want := c.Listen, config.DefaultPublicConfig().Listen; got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestAPublicFileIsReadStrictly(t *testing.T) {
	var good bytes.Buffer
	if err := config.DescribePublic(&good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, with, want string }{
		{"\nsite: north", "\nsites: north", `did you mean "site"?`},
		{"\nsite: north", "\nsite: south", "not among the nodes"},
		{"cluster: example-public", "cluster: example", "control has a cluster of its own"},
		{"  page: 127.0.0.1:7405", "  page: 0.0.0.0:7405", "served on this machine only"},
		{"  push: 127.0.0.1:7406", "  push: 0.0.0.0:7406", "it needs tls"},
		{"  desk: 127.0.0.1:7407", "  desk: 0.0.0.0:7407", "desk.cert"},
		{"  every: 30s", "  every: 30", "is no duration"},
		{`  masterKey: ""`, "  masterKey: m.key", "claims.logKey is missing"},
		{"  trust: []", "  trust: [10.0.0.0]", "must be a prefix"},
		{"keys: [bongsu", "keys: [bongso", "no public key"},
	} {
		text := strings.Replace(good.String(), c.old, c.with, 1)
		if text == good.String() {
			t.Fatalf("%q is not in the file:\n%s", c.old, text)
		}
		if _, err := config.ParsePublic("public.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "public.yaml:") {
			t.Errorf("%q: got %v, want a line and %q", c.with, err, c.want)
		}
	}
}
