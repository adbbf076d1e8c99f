package claim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

const (
	skew  = 5 * time.Minute // by which clocks of those who report may be ahead
	grace = 2 * time.Minute // after a window: who pressed in time and was not answered presses again
	// oldest is how long before its report something may have happened, where no record says better.
	oldest = 10 * 365 * 24 * time.Hour
)

// File takes a report in, if its window takes it ([ErrClosed], [ErrLate]), its consent is that of
// the window ([ErrConsent]) and all it says can be ([FieldErrors]). All that is wrong is told at once. A report with a key
// is filed once. What only we say of a claim (state, decision, flags, figures proven) is not taken from it.
func (o *Office) File(ctx context.Context, r Report) (Receipt, error) {
	w, err := o.recent(ctx, r.Claim.Incident)
	if errors.Is(err, ErrNotFound) {
		return Receipt{}, fmt.Errorf("%w: none was opened for %q", ErrClosed, r.Claim.Incident)
	}
	if err != nil {
		return Receipt{}, err
	}
	if err := o.admit(&w, &r, o.now()); err != nil {
		return Receipt{}, err
	}
	if r.Key != "" {
		r.Key = r.Claim.Channel + "/" + r.Claim.Incident + "/" + r.Key // one channel never uses up the keys of another
	}
	return o.keep(ctx, r)
}

func (o *Office) keep(ctx context.Context, r Report) (Receipt, error) {
	if o.Intake != nil {
		return o.Intake.File(ctx, r)
	}
	receipts, errs := o.Ledger.File(ctx, []Report{r})
	return receipts[0], errs[0]
}

// admit makes a report what is kept of it, or says why none is.
func (o *Office) admit(w *Window, r *Report, now time.Time) error {
	c, p := &r.Claim, &r.Personal
	c.Channel, c.Lang = cmp.Or(c.Channel, ByWeb), cmp.Or(c.Lang, "ko")
	f := FieldErrors{}
	f.set(!slices.Contains([]string{ByWeb, ByAPI, ByPhone, ByPost, ByImport}, c.Channel), "channel", "unknown")
	agent := c.Channel == ByPhone || c.Channel == ByPost || c.Channel == ByImport
	f.set(agent && strings.TrimSpace(c.Agent) == "", "agent", "missing")
	f.set(!textual(c.Agent, longName), "agent", "text")
	f.set(c.Lang != "ko" && c.Lang != "en", "lang", "unknown")
	f.set(utf8.RuneCountInString(r.Key) > 200, "key", "long")

	filed := now // what came by telephone or post came when an agent says that it did
	if agent && !c.Filed.IsZero() {
		f.set(c.Filed.After(now.Add(skew)), "filed", "future")
		filed = c.Filed.UTC().Round(time.Microsecond)
	}
	r.tidy()
	phase := w.takes(filed)
	if phase == Early || phase == Over {
		return fmt.Errorf("%w: that of %s is from %s to %s", ErrClosed, w.Incident, w.Opens.Format(time.RFC3339), w.last().Format(time.RFC3339))
	}
	var errs []error
	switch {
	case phase != Late:
		c.Late = ""
	case c.Late == "":
		errs = append(errs, ErrLate)
	default:
		f.set(!slices.ContainsFunc(w.Reasons, func(n Named) bool { return n.Name == c.Late }), "late", "unknown")
	}
	if c.Consent.Version != w.Consent.Version {
		errs = append(errs, ErrConsent)
	}
	o.about(f, w, c, filed)
	f.contact(c, p)
	errs = append(errs, f.err())
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.own(w, filed)
	return nil
}

// takes is At, with the time that people need to press again.
func (w *Window) takes(filed time.Time) Phase {
	phase := w.At(filed)
	byHand := len(w.Changes) > 0 && w.Changes[len(w.Changes)-1].What == Closed
	if before := w.At(filed.Add(-grace)); !byHand && phase != Early && before != Early {
		return before
	}
	return phase
}

// last is until when any report is taken.
func (w *Window) last() time.Time {
	if w.LateUntil.After(w.Closes) {
		return w.LateUntil
	}
	return w.Closes
}

// tidy writes what people typed in one way, and masks resident numbers, which must not be kept.
func (r *Report) tidy() {
	p, c := &r.Personal, &r.Claim
	for _, s := range []*string{
		&p.Name, &p.Email, &p.Phone, &p.Business, &p.Bank, &p.Number, &p.Holder, &p.Text,
		&c.Agent, &c.Late, &c.Account, &c.Report.Service, &c.Report.Part, &c.Report.Use, &c.Report.Kind,
	} {
		*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	}
	for _, s := range []*string{&p.Name, &p.Business, &p.Holder, &p.Text, &c.Account} {
		*s, _ = paper.MaskNumbers(*s)
	}
	c.Report.Kind = cmp.Or(c.Report.Kind, "person")
	c.Report.From, c.Report.To = c.Report.From.UTC().Round(time.Microsecond), c.Report.To.UTC().Round(time.Microsecond)
}

// about checks what is reported.
func (o *Office) about(f FieldErrors, w *Window, c *Claim, now time.Time) {
	r := &c.Report
	f.set(r.Service == "", "service", "missing")
	f.set(!textual(r.Service, 64), "service", "text")
	f.set(!textual(r.Part, 64), "part", "text")
	services := w.Services
	if len(services) == 0 && o.Page != nil {
		services = o.Page(w.Incident)
	}
	if len(services) > 0 {
		at := slices.IndexFunc(services, func(s Service) bool { return s.Name == r.Service })
		f.set(at < 0, "service", "unknown")
		f.set(at >= 0 && r.Part != "" && !slices.ContainsFunc(services[at].Parts, func(n Named) bool { return n.Name == r.Part }), "part", "unknown")
	}
	f.set(r.Use == "", "use", "missing")
	f.set(!slices.Contains([]string{"paid", "free", "none"}, r.Use), "use", "unknown")
	f.set(!slices.Contains([]string{"person", "small-business", "company"}, r.Kind), "kind", "unknown")
	for field, n := range map[string]int64{"loss": r.Loss, "best": r.Best, "week": r.Week} {
		f.set(n < 0 || n > mostAmount, field, "amount")
	}
	f.set(!textual(c.Account, 128), "account", "text")
	f.when(r, o.began(w.Incident, r), now)
}

// began is when the record says that the outage of a service and part began; zero: it says nothing.
func (o *Office) began(incident string, r *policy.Claim) time.Time {
	if all, ok := o.outages(incident); ok {
		return all.Of(r.Service, r.Part).From.Truncate(time.Minute) // people write minutes
	}
	return time.Time{}
}

func (f FieldErrors) when(r *policy.Claim, began, now time.Time) {
	if began.IsZero() {
		began = now.Add(-oldest)
	}
	for field, t := range map[string]time.Time{"from": r.From, "to": r.To} {
		if !t.IsZero() {
			f.set(t.Before(began), field, "early")
			f.set(t.After(now.Add(skew)), field, "future")
		}
	}
	f.set(!r.To.IsZero() && r.To.Before(r.From), "to", "order")
}

var (
	accountNumbers = regexp.MustCompile(`^[0-9][0-9 -]{4,38}[0-9]$`)
	businesses     = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z -]{3,30}$`)
)

// contact checks who reports.
func (f FieldErrors) contact(c *Claim, p *Personal) {
	letter := c.Channel == ByPost && p.Name != "" // is answered by letter: its sender is in the text
	f.set(p.Email == "" && p.Phone == "" && !letter, "contact", "missing")
	f.set(p.Email != "" && !mailbox(p.Email), "email", "form")
	f.set(p.Phone != "" && !telephone(p.Phone), "phone", "form")
	f.set(!textual(p.Name, longName), "name", "text")
	f.set(p.Business != "" && !businesses.MatchString(p.Business), "business", "form")
	f.set(utf8.RuneCountInString(p.Text) > longText, "text", "long")
	f.set(!textual(p.Text, longText), "text", "text")
	if p.Bank != "" || p.Number != "" || p.Holder != "" {
		f.bank(p.Bank, p.Number, p.Holder)
	}
}

func (f FieldErrors) bank(bank, number, holder string) {
	f.set(bank == "", "bank", "missing")
	f.set(!textual(bank, 64), "bank", "text")
	f.set(number == "", "number", "missing")
	f.set(!accountNumbers.MatchString(number), "number", "form")
	f.set(holder == "", "holder", "missing")
	f.set(!textual(holder, longName), "holder", "text")
}

func mailbox(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}

func telephone(s string) bool {
	if _, ok := mobile(s); ok {
		return len(s) <= 40
	}
	n, err := phonenumbers.Parse(s, "KR")
	return len(s) <= 40 && err == nil && phonenumbers.IsPossibleNumber(n)
}

// textual says whether a text can be kept and shown: so long at most, UTF-8, no control characters but ends of lines.
func textual(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError
	})
}

// own sets what a report may not say of itself.
func (r *Report) own(w *Window, filed time.Time) {
	c, from := r.Claim, r.Claim.Report
	r.Claim = Claim{
		Incident: w.Incident, Currency: w.Currency, Channel: c.Channel, Agent: c.Agent, Lang: c.Lang, Late: c.Late, Account: c.Account, State: Received,
		Filed: filed, NextAt: filed.Add(ReviewTime), Consent: Consent{Version: c.Consent.Version, At: filed},
		Report: policy.Claim{
			Service: from.Service, Part: from.Part, Use: from.Use, Kind: from.Kind, Loss: from.Loss, Best: from.Best, Week: from.Week,
			From: from.From, To: from.To,
		},
	}
	r.Personal.Added, r.Personal.Salt = nil, nil
	device := ""
	for _, m := range r.Marks {
		if d, ok := strings.CutPrefix(m, "device:"); ok && textual(d, 200) {
			device = d
		}
	}
	r.Marks = MarksOf(&r.Personal, r.Claim.Account, device)
}

// An Import says what became of the rows of a table.
type Import struct {
	Filed    int         // or would be
	Again    int         // rows that an earlier import had filed
	Receipts []Receipt   // by row; empty where it was not filed
	Wrong    []*RowError // in the order of the rows
}

// mostRows is how many reports one import takes.
const mostRows = 200_000

// Import files the reports of a table, in the name of who imports them; dry only says what would become of them. Rows that are wrong are
// told, and the others filed. A row is known by what it says: a table that is imported again, put right or longer,
// files what is new in it. Where a row names no consent, who imports it says that the one asked for now was given. A report
// without a row (0) is of the row that it would have below a header.
func (o *Office) Import(ctx context.Context, incident string, rows []Report, by string, dry bool) (Import, error) {
	out := Import{Receipts: make([]Receipt, len(rows))}
	if err := who(by); err != nil {
		return out, err
	}
	if len(rows) > mostRows {
		return out, noTable("the table has %d rows, at most %d are taken at once", len(rows), mostRows)
	}
	w, err := o.Window(ctx, incident)
	if errors.Is(err, ErrNotFound) {
		return out, fmt.Errorf("%w: none was opened for %q", ErrClosed, incident)
	}
	if err != nil {
		return out, err
	}
	now := o.now()
	seen := map[string]int{}
	var good []Report
	var at []int
	wrong := func(i int, err error) {
		out.Wrong = append(out.Wrong, &RowError{Row: cmp.Or(rows[i].Row, i+2), Msg: strings.ReplaceAll(err.Error(), "\n", "; ")})
	}
	for i, r := range rows {
		r.Claim.Incident, r.Claim.Channel = incident, ByImport
		r.Claim.Agent = by
		r.Claim.Consent.Version = cmp.Or(r.Claim.Consent.Version, w.Consent.Version)
		key, err := rowKey(&r)
		if err != nil {
			wrong(i, err)
			continue
		}
		seen[key]++
		if err := o.admit(&w, &r, now); err != nil {
			wrong(i, err)
			continue
		}
		r.Key = fmt.Sprintf("%s/%s/%s/%d", ByImport, incident, key, seen[key])
		good, at = append(good, r), append(at, i)
	}
	if dry {
		for chunk := range slices.Chunk(good, mostImported) {
			keys := make([]string, len(chunk))
			for i := range chunk {
				keys[i] = chunk[i].Key
			}
			used, err := o.Ledger.Used(ctx, keys)
			if err != nil {
				return out, err
			}
			out.Again += len(used)
			out.Filed += len(chunk) - len(used)
		}
		return out, nil
	}
	for n := 0; n < len(good); n += mostImported {
		chunk := good[n:min(n+mostImported, len(good))]
		receipts, errs := o.Ledger.File(ctx, chunk)
		for k := range chunk {
			i := at[n+k]
			switch {
			case errors.Is(errs[k], ErrReused): // what is asked for has changed since
				out.Again++
			case errors.Is(errs[k], ErrInput):
				wrong(i, errs[k])
			case errs[k] != nil:
				return out, fmt.Errorf("row %d: %w: rows before it may be filed: import the same table again", cmp.Or(rows[i].Row, i+2), errs[k])
			case receipts[k].Again:
				out.Again++
				out.Receipts[i] = receipts[k]
			default:
				out.Filed++
				out.Receipts[i] = receipts[k]
			}
		}
	}
	slices.SortStableFunc(out.Wrong, func(a, b *RowError) int { return cmp.Compare(a.Row, b.Row) })
	return out, nil
}

// mostImported is how many rows go to the ledger at once.
const mostImported = 500

// rowKey is what a row says, whoever imports it.
func rowKey(r *Report) (string, error) {
	c := r.Claim
	c.Agent, c.Consent = "", Consent{}
	b, err := json.Marshal(struct {
		Claim    Claim    `json:"claim"`
		Personal Personal `json:"personal"`
	}{c, r.Personal})
	if err != nil {
		return "", fmt.Errorf("import: %w", err)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:]), nil
}
