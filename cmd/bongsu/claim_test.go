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
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	signed "golang.org/x/mod/sumdb/note"

	"bongsu/claim"
	"bongsu/claim/policy"
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

// desk starts the desk of a public node in this process, over a store in memory, for incident i:
// 20 reports of small businesses with bank accounts wait to be decided. It sets
// BONGSU_DESK, and writes the files kim, lee, park and choi with their tokens and log.pub.
func desk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: desk")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	s := kv.NewMemory()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	ts.Check(err)
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
	ts.Check(err)
	signer, err := signed.NewSigner(skey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("log.pub"), []byte(vkey), 0o600))
	cashier := &settle.Cashier{
		Store: s, Ledger: k, Book: settle.NewBook(s), Log: &settle.Log{Store: s, Key: signer}, Outages: outages, Domain: func(string) string { return "pangyo" },
		Debtor: func(bank string) (settle.Debtor, bool) {
			return settle.Debtor{Name: "Beacon", Bank: "004", Number: "1"}, bank == "main"
		},
	}
	_, err = office.Prepare(ctx, "i", claim.DefaultTemplate(), "kim")
	ts.Check(err)
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
	ts.Check(errors.Join(errs...))
	h, err := deskapi.New(deskapi.Options{Office: office, Cashier: cashier, Ledger: k, Accounts: deskTokens{}, Template: claim.DefaultTemplate(), Import: imports(office)})
	ts.Check(err)
	server := httptest.NewServer(h)
	ts.Defer(server.Close)
	ts.Setenv("BONGSU_DESK", server.URL)
	ts.Setenv("BONGSU_DESK_TOKEN_FILE", ts.MkAbs("kim"))
	for _, name := range []string{"kim", "lee", "park", "choi"} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(name+"\n"), 0o600))
	}
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
		if dry {
			out.Filed = len(reports) - len(got.Wrong)
		}
		for _, w := range got.Wrong {
			out.Wrong = append(out.Wrong, deskapi.RowError{Row: w.Row, Msg: w.Msg})
		}
		return out, err
	}
}
