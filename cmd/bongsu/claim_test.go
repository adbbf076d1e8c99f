package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	signed "golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/status"
	"bongsu/web/deskapi"
)

// deskTokens are the accounts of a desk in scripts.
type deskTokens struct{}

func (deskTokens) Token(token string) (string, []string, bool) {
	duties, ok := map[string][]string{
		"kim": {"agent", "decider", "payer", "privacy"}, "lee": {"decider", "payer"}, "park": {"body"}, "choi": {},
	}[token]
	return token, duties, ok
}

// desk starts a desk for a script, see [startDesk]. It sets BONGSU_DESK, and the token of kim.
func desk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: desk")
	}
	url, stop, err := startDesk(ts.MkAbs("."))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("BONGSU_DESK", url)
	ts.Setenv("BONGSU_DESK_TOKEN_FILE", ts.MkAbs("kim"))
}

// startDesk starts the desk of a public node in this process, over a store in memory, for incident i:
// 20 reports of small businesses, all but one with a bank account, wait to be decided. It
// writes the files kim, lee, park and choi with their tokens, and log.pub, into the folder.
func startDesk(dir string) (url string, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := kv.NewMemory()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		return "", cancel, err
	}
	k := claim.NewKeeper(s, m)
	ready := make(chan struct{})
	go func() { _ = k.Follow(ctx, func() { close(ready) }) }()
	<-ready
	began := time.Now().Add(-48 * time.Hour)
	outages := func(string) (claim.Outages, bool) {
		return claim.NewOutages([]status.Interval{
			{Service: "kakaotalk", Level: status.Down, From: began, To: began.Add(10 * time.Hour)}, {Service: "melon", Level: status.Down, From: began, To: began.Add(9 * time.Hour)},
		}, time.Now()), true
	}
	office := &claim.Office{Store: s, Ledger: k, Outages: outages}
	skey, vkey, err := signed.GenerateKey(rand.Reader, "company")
	if err != nil {
		return "", cancel, err
	}
	signer, err := signed.NewSigner(skey)
	if err != nil {
		return "", cancel, err
	}
	cashier := &settle.Cashier{
		Store: s, Ledger: k, Book: settle.NewBook(s), Log: &settle.Log{Store: s, Key: signer}, Outages: outages, Faults: func(string) []incident.Fault { return []incident.Fault{{Domain: "pangyo", Operator: "SK C&C"}} },
		Banks: map[string]settle.Debtor{"main": {Name: "Beacon", Bank: "004", Number: "1"}},
	}
	if _, err := office.Prepare(ctx, "i", claim.DefaultTemplate(), "kim"); err != nil {
		return "", cancel, err
	}
	var reports []claim.Report
	for n := range 20 {
		number := fmt.Sprintf("110-%d", n)
		if n == 19 {
			number = ""
		}
		reports = append(reports, claim.Report{
			Claim: claim.Claim{
				Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", Filed: began.Add(20 * time.Hour), Consent: claim.Consent{Version: "1"}, Account: fmt.Sprintf("a%d", n),
				Report: policy.Claim{
					Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 200_000, Best: 900_000, Week: 700_000,
					Evidence: []string{"business-certificate", "sales-proof", "use-proof", "bank-account"},
				},
			},
			Personal: claim.Personal{Name: "홍길동", Email: fmt.Sprintf("p%d@example.com", n), Bank: "088", Number: number, Holder: "홍길동"},
		})
	}
	_, errs := k.File(ctx, reports)
	errs = append(errs, os.WriteFile(filepath.Join(dir, "log.pub"), []byte(vkey), 0o600))
	for _, name := range []string{"kim", "lee", "park", "choi"} {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(name+"\n"), 0o600))
	}
	h, err := deskapi.New(deskapi.Options{Office: office, Cashier: cashier, Ledger: k, Accounts: deskTokens{}, Template: claim.DefaultTemplate(), Import: imports(office)})
	if err := errors.Join(append(errs, err)...); err != nil {
		return "", cancel, err
	}
	server := httptest.NewServer(h)
	return server.URL, func() { server.Close(); cancel() }, nil
}

// imports reads tables of service, loss and mail.
func imports(o *claim.Office) func(context.Context, string, string, []byte, bool, string) (deskapi.Imported, error) {
	return func(ctx context.Context, incident, _ string, data []byte, dry bool, by string) (deskapi.Imported, error) {
		rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
		if err != nil {
			return deskapi.Imported{}, fmt.Errorf("%w: %w", claim.ErrInput, err)
		}
		var reports []claim.Report
		for i, r := range rows[1:] {
			loss, err := strconv.ParseInt(r[1], 10, 64)
			if err != nil {
				return deskapi.Imported{}, fmt.Errorf("%w: %w", claim.ErrInput, err)
			}
			reports = append(reports, claim.Report{
				Row: i + 2, Claim: claim.Claim{Lang: "ko", Report: policy.Claim{Service: r[0], Use: "free", Kind: "person", Loss: loss}},
				Personal: claim.Personal{Name: "이", Email: r[2], Text: "못 썼어요"},
			})
		}
		got, err := o.Import(ctx, incident, reports, by, dry)
		out := deskapi.Imported{Rows: len(reports), Filed: got.Filed, Again: got.Again, Dry: dry, Wrong: []deskapi.RowError{}}
		for _, w := range got.Wrong {
			out.Wrong = append(out.Wrong, deskapi.RowError{Row: w.Row, Msg: w.Msg})
		}
		return out, err
	}
}

// TestPayoutExamples runs what docs/payout.md shows, in its order, at one desk.
func TestPayoutExamples(t *testing.T) {
	path, err := filepath.Abs("../../docs/payout.md")
	if err != nil {
		t.Fatal(err)
	}
	policies, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Symlink(policies, "examples"); err != nil {
		t.Fatal(err)
	}
	url, stop, err := startDesk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("BONGSU_DESK", url)
	t.Setenv("BONGSU_DESK_TOKEN_FILE", "kim")
	ran := 0
	for _, s := range snippets(t, path) {
		if s.lang != "console" {
			continue
		}
		for at := 0; at < len(s.lines); {
			n := 1
			for at+n < len(s.lines) && !strings.HasPrefix(s.lines[at+n], "$ ") {
				n++
			}
			args, ok := commandLine(s.lines[at])
			if !ok {
				t.Fatalf("payout.md:%d: a command begins with $ bongsu", s.line+at+1)
			}
			for i := range args { // the digest that the list above has shown
				if args[i] == "DIGEST" {
					args[i] = digestOf(t)
				}
			}
			if strings.Contains(strings.Join(args, " "), "answer.csv") {
				writeAnswer(t)
			}
			ran++
			var out bytes.Buffer
			run(t.Context(), args, strings.NewReader(""), &out, &out)
			if pattern := shownAs(s.lines[at+1 : at+n]); !pattern.MatchString(out.String()) {
				t.Errorf("payout.md:%d shows something else than bongsu %s, which prints:\n%s", s.line+at+1, strings.Join(args, " "), out.String())
			}
			at += n
		}
	}
	if ran < 15 {
		t.Errorf("only %d examples were run", ran)
	}
}

// digestOf asks the desk for the digest of the policy that was handed in.
func digestOf(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	run(t.Context(), []string{"claim", "draft", "list", "--incident", "i"}, strings.NewReader(""), &out, &out)
	_, rest, _ := strings.Cut(out.String(), "digest ")
	digest, _, _ := strings.Cut(rest, "\n")
	return digest
}

// writeAnswer is the bank's: the first payment of b1.csv comes back.
func writeAnswer(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile("b1.csv")
	if err != nil {
		t.Fatal(err)
	}
	var answer strings.Builder
	answer.WriteString("id,result,code\n")
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		id, _, _ := strings.Cut(line, ",")
		if i == 0 {
			answer.WriteString(id + ",fail,BE01\n")
		} else {
			answer.WriteString(id + ",ok,\n")
		}
	}
	if err := os.WriteFile("answer.csv", []byte(answer.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
