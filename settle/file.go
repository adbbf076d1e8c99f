package settle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/estate"
	"bongsu/internal/kv"
)

// Files that a batch is written as.
const (
	FileCSV       = "csv"       // firm banking
	FilePain001   = "pain.001"  // ISO 20022
	FileCredit    = "credit"    // on bills
	FilePoints    = "points"    // of an account
	FileCoupon    = "coupon"    // codes
	FileExtension = "extension" // hours
)

// Files returns the formats that a batch of a form can be written as, the usual one first.
func Files(f policy.Form) []string {
	switch f {
	case policy.Money:
		return []string{FileCSV, FilePain001}
	case policy.Credit:
		return []string{FileCredit}
	case policy.Points:
		return []string{FilePoints}
	case policy.Coupon:
		return []string{FileCoupon}
	case policy.Extension:
		return []string{FileExtension}
	case policy.Nothing:
	}
	return nil
}

// File writes the file of a batch: format is csv, pain.001, credit (on bills), coupon, points or extension, or empty for the usual one of
// its form. Payee data are looked at for it, which is written down under who. The same batch gives the same bytes,
// and nothing is written when something of it cannot be.
func (c *Cashier) File(ctx context.Context, batch, format, who string, w io.Writer) (name string, err error) {
	if who == "" {
		return "", errors.New("who writes the file of payees, which is written down, is missing")
	}
	if err := c.known(ctx); err != nil {
		return "", err
	}
	b, items, err := c.Batch(ctx, batch)
	if err != nil {
		return "", err
	}
	known := Files(b.Form)
	if format = cmp.Or(format, slices.Concat(known, []string{""})[0]); !slices.Contains(known, format) {
		return "", fmt.Errorf("%w: batch %s gives %s: expected %s, not %q", ErrFormat, b.ID, b.Form, strings.Join(known, " or "), format)
	}
	if !b.goesOut() {
		return "", fmt.Errorf("%w: %s is %s, its file is not to be written", ErrState, b.ID, b.State)
	}
	var out bytes.Buffer
	name = b.ID + "." + format + ".csv"
	memo := cmp.Or(c.Memo, "서비스 장애 보상")
	switch format {
	case FileCSV:
		name = b.ID + ".csv"
		err = WriteCSV(ctx, &out, b, items, c.payees(&b, items, who), memo)
	case FilePain001:
		name = b.ID + ".xml"
		if err = c.own(b.Bank); err != nil {
			return "", err
		}
		err = WritePain001(ctx, &out, b, items, c.Banks[b.Bank], c.payees(&b, items, who), memo, c.zone())
	case FileCoupon:
		err = c.codes(&out, b, items)
	case FileExtension:
		err = c.extensions(ctx, &out, b, items)
	default:
		err = WriteGrants(&out, b, items, func(id string) (string, error) { return c.account(ctx, id) })
	}
	if err != nil {
		return "", err
	}
	if err := c.payout().taken(ctx, b.ID, who, c.now()); err != nil {
		return "", err
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return name, nil
}

// own refuses an account that is none of the company's.
func (c *Cashier) own(bank string) error {
	names := slices.Sorted(maps.Keys(c.Banks))
	switch near := estate.Nearest(bank, names); {
	case slices.Contains(names, bank):
		return nil
	case len(names) == 0:
		return fmt.Errorf("%w: %q: no account of the company's own is configured: claims.banks of the public nodes names them", ErrBank, bank)
	case near != "":
		return fmt.Errorf("%w: %q; did you mean %q?", ErrBank, bank, near)
	}
	return fmt.Errorf("%w: %q: expected one of %s", ErrBank, bank, strings.Join(names, ", "))
}

// account is the pseudonym that the company's own systems know a claimant by.
func (c *Cashier) account(ctx context.Context, id string) (string, error) {
	x, err := c.Ledger.Claim(ctx, id)
	if err == nil && x.Account == "" {
		err = fmt.Errorf("%w: claim %s names no account", ErrPayee, id)
	}
	return x.Account, err
}

// payees opens the personal data of claims, several at a time ahead of who asks in order.
func (c *Cashier) payees(b *Batch, items []Item, who string) Payees {
	ready := map[string]claim.Personal{}
	at := 0
	return func(ctx context.Context, id string) (Payee, error) {
		if _, ok := ready[id]; !ok {
			for at < len(items) && items[at].Claim != id {
				at++
			}
			chunk := items[at:min(at+mostOpened, len(items))]
			opened, err := c.open(ctx, claimsIn(chunk), who, "payout "+b.ID)
			if err != nil {
				return Payee{}, c.gone(ctx, b, chunk, err)
			}
			clear(ready)
			for i := range chunk {
				ready[chunk[i].Claim] = opened[i]
			}
		}
		p := ready[id]
		if !p.Banked() {
			return Payee{}, fmt.Errorf("%w: claim %s names no bank account any more: drop the batch and draft another", ErrPayee, id)
		}
		return Payee{Holder: p.Holder, Bank: p.Bank, Number: p.Number}, nil
	}
}

// gone says of which claim of a batch the personal data were destroyed, and what is to be done; any other error as it is.
func (c *Cashier) gone(ctx context.Context, b *Batch, items []Item, err error) error {
	if !errors.Is(err, claim.ErrErased) {
		return err
	}
	var erased []string
	for i := range items {
		x, failed := c.Ledger.Claim(ctx, items[i].Claim)
		if failed != nil {
			return errors.Join(err, failed)
		}
		if !x.Erased.IsZero() {
			erased = append(erased, x.ID)
		}
	}
	if len(erased) == 0 {
		return err
	}
	next := "drop the batch and draft another"
	if b.State != Pending {
		next = "the file that the bank has cannot be written again"
	}
	return fmt.Errorf("%w: the personal data of claim %s, which batch %s pays, were erased: %s", ErrPayee, few(erased), b.ID, next)
}

// Erase is [claim.Ledger.Erase] for what is not on its way in a batch ([ErrInBatch]): the others in it would not be paid either.
func (c *Cashier) Erase(ctx context.Context, id, by, why string) error {
	x, err := c.Ledger.Claim(ctx, id)
	if err != nil {
		return err
	}
	it, batch, err := c.held(ctx, x.ID)
	if err != nil {
		return err
	}
	if it == nil || it.State == Posted || it.State == Voided {
		return c.Ledger.Erase(ctx, x.ID, by, why)
	}
	b, _, err := c.payout().need(ctx, batch)
	if err != nil {
		return err
	}
	if b.State == Sent || b.State == Settled {
		return fmt.Errorf("%w: batch %s, which went out, pays claim %s: erase it once the answer was read in (bongsu claim payout results)", ErrInBatch, b.ID, x.ID)
	}
	return fmt.Errorf("%w: batch %s, which is %s, pays claim %s: give the batch up first (bongsu claim payout drop %[2]s), or wait until the bank has answered", ErrInBatch, b.ID, b.State, x.ID)
}

// mostOpened is how many claims are opened together.
const mostOpened = 100

// An opener is a ledger that opens many claims at the price of one.
type opener interface {
	OpenAll(ctx context.Context, ids []string, who, why string) ([]claim.Personal, error)
}

// open unseals the personal data of claims, after it was written down for each who looks, and why.
func (c *Cashier) open(ctx context.Context, ids []string, who, why string) ([]claim.Personal, error) {
	if o, ok := c.Ledger.(opener); ok {
		return o.OpenAll(ctx, ids, who, why)
	}
	opened := make([]claim.Personal, len(ids))
	return opened, kv.Together(ctx, len(ids), func(ctx context.Context, i int) error {
		var err error
		if opened[i], err = c.Ledger.Open(ctx, ids[i], who, why); err != nil {
			err = fmt.Errorf("%w: %s", err, ids[i])
		}
		return err
	})
}

// codes writes the codes for the system that redeems them.
func (c *Cashier) codes(w io.Writer, b Batch, items []Item) error {
	return writeRows(w, b, items, []string{"id", "code", "amount", "currency", "rule"}, func(it *Item) ([]string, error) {
		code, err := c.Coupon(it)
		return []string{it.ID, code, strconv.FormatInt(it.Amount, 10), b.Currency, it.About.Rule}, err
	})
}

// extensions writes by how much whose subscription is extended.
func (c *Cashier) extensions(ctx context.Context, w io.Writer, b Batch, items []Item) error {
	return writeRows(w, b, items, []string{"id", "account", "service", "hours", "rule"}, func(it *Item) ([]string, error) {
		a, err := c.account(ctx, it.Claim)
		return []string{it.ID, a, it.About.Service, strconv.FormatInt(it.Hours, 10), it.About.Rule}, err
	})
}
