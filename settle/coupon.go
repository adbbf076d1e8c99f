package settle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"bongsu/claim/policy"
)

// Coupon is the code of a payment in coupons: the same whenever it is asked for, unique,
// and not to be guessed without the key, at 80 bits.
func (c *Cashier) Coupon(it *Item) (string, error) {
	if len(c.Coupons) < 16 {
		return "", fmt.Errorf("%w: no key of coupon codes is configured, or it is shorter than 16 bytes", ErrFormat)
	}
	h := hmac.New(sha256.New, c.Coupons)
	h.Write([]byte("bongsu coupon\x00" + it.ID))
	s := base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").EncodeToString(h.Sum(nil)[:10])
	return s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:], nil
}

// A Coupon is one that was issued for a claim: the system that redeems it said that it has it.
type Coupon struct {
	Batch    string    `json:"batch"`
	Code     string    `json:"code"` // its last four letters only, until somebody says why they look
	Hidden   bool      `json:"hidden"`
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	Issued   time.Time `json:"issued"`
}

// Issued returns the coupons that were issued for a claim, the oldest first, with their codes hidden.
func (c *Cashier) Issued(ctx context.Context, id string) ([]Coupon, error) {
	all, err := c.coupons(ctx, id)
	for i := range all {
		x := &all[i]
		x.Code, x.Hidden = strings.Repeat("····-", 3)+x.Code[len(x.Code)-4:], true
	}
	return all, err
}

// Codes returns the coupons of a claim with their codes, after it was written down who looks, and why.
func (c *Cashier) Codes(ctx context.Context, id, who, why string) ([]Coupon, error) {
	all, err := c.coupons(ctx, id)
	if err != nil || len(all) == 0 {
		return all, err
	}
	_, err = c.Ledger.Open(ctx, id, who, why) // a code is as good as money: it is looked at as personal data are
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (c *Cashier) coupons(ctx context.Context, id string) ([]Coupon, error) {
	x, err := c.Ledger.Claim(ctx, id)
	if err != nil {
		return nil, err
	}
	batches, err := c.Batches(ctx, x.Incident)
	if err != nil {
		return nil, err
	}
	out := []Coupon{}
	for i := len(batches) - 1; i >= 0; i-- {
		b := &batches[i]
		if b.Form != policy.Coupon {
			continue
		}
		it, _, err := c.payout().item(ctx, b.ID, x.ID)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return nil, err
		case it.State != Posted:
			continue
		}
		code, err := c.Coupon(&it)
		if err != nil {
			return nil, err
		}
		out = append(out, Coupon{Batch: b.ID, Code: code, Amount: it.Amount, Currency: b.Currency, Issued: it.Settled})
	}
	return out, nil
}
