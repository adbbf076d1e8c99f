package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
)

// enterView is the form in which an agent enters what somebody reports by phone or post.
type enterView struct {
	Window   claim.Window
	Windows  []claim.Window
	Services []claim.Service // empty: any word is taken
	Uses     []string
	Kinds    []string
	Late     bool
	Phase    claim.Phase
	Key      string // the same form files once, however often it is sent
}

// receiptView is what is read out to a claimant, or printed and posted.
type receiptView struct {
	claim.Receipt

	Window claim.Window
}

func (c *call) services(w *claim.Window) []claim.Service {
	if len(w.Services) == 0 && c.s.o.Services != nil {
		return c.s.o.Services(w.Incident)
	}
	return w.Services
}

func (c *call) enterPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	phase := w.At(c.s.o.Now())
	key := c.typed.Get("key")
	if key == "" {
		key = rand.Text()
	}
	return c.show("enter", enterView{
		Window: w, Windows: all, Services: c.services(&w), Uses: uses(), Kinds: kinds(), Late: phase == claim.Late, Phase: phase, Key: key,
	})
}

// clock reads a moment as a form sends it, in the zone of the desk.
func (c *call) clock(name, format string) (time.Time, error) {
	s := c.form(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(format, s, c.s.o.Zone)
	if err != nil {
		return time.Time{}, claim.FieldErrors{name: "form"}
	}
	return t.UTC(), nil
}

// minute is how browsers send a date and a time.
const minute = "2006-01-02T15:04"

func (c *call) enter() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	r := claim.Report{
		Key: c.form("key"),
		Claim: claim.Claim{
			Incident: w.Incident, Channel: c.form("channel"), Agent: c.who, Lang: c.form("language"), Late: c.form("late"), Account: c.form("account"),
			Report: policy.Claim{Service: c.form("service"), Part: c.form("part"), Use: c.form("use"), Kind: c.form("kind")},
		},
		Personal: claim.Personal{
			Name: c.form("name"), Email: c.form("email"), Phone: c.form("phone"), Business: c.form("business"),
			Bank: c.form("bank"), Number: c.form("number"), Holder: c.form("holder"), Text: c.form("text"),
		},
	}
	wrong := claim.FieldErrors{}
	if !slices.Contains([]string{claim.ByPhone, claim.ByPost}, r.Claim.Channel) {
		wrong["channel"] = "unknown"
	}
	if c.form("consent") != "" {
		r.Claim.Consent.Version = c.form("consent")
	}
	for name, to := range map[string]*int64{"loss": &r.Claim.Report.Loss, "best": &r.Claim.Report.Best, "week": &r.Claim.Report.Week} {
		if s := c.form(name); s != "" {
			if *to, err = settle.ParseAmount(s, w.Currency); err != nil {
				wrong[name] = "amount"
			}
		}
	}
	for name, to := range map[string]*time.Time{"from": &r.Claim.Report.From, "to": &r.Claim.Report.To, "filed": &r.Claim.Filed} {
		if *to, err = c.clock(name, minute); err != nil {
			wrong[name] = "form"
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	got, err := c.s.o.Office.File(c.r.Context(), r)
	if err != nil {
		return err
	}
	return c.show("receipt", receiptView{Receipt: got, Window: w})
}

// importView is the page on which tables are taken in.
type importView struct {
	Window  claim.Window
	Windows []claim.Window
	Done    bool
	Dry     bool
	Name    string
	Rows    int
	Filed   int
	Again   int
	Wrong   []*claim.RowError
	More    int // wrong rows that are not listed
}

// mostWrong is how many wrong rows a page lists.
const mostWrong = 200

func (c *call) importPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	return c.show("import", importView{Window: w, Windows: all})
}

// importTable tries a table, or files what is in it. The file is sent both times: nothing
// personal is kept between the two.
func (c *call) importTable() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	name, data, err := c.upload()
	if err != nil {
		return err
	}
	rows, wrong, err := claim.ReadReports(bytes.NewReader(data), claim.Reading{Zone: c.s.o.Zone, Services: c.services(&w), Reasons: w.Reasons})
	if err != nil {
		return err
	}
	v := importView{Window: w, Windows: all, Done: true, Dry: c.form("do") != "file", Name: name, Rows: len(rows) + inRows(wrong)}
	got, err := c.s.o.Office.Import(c.r.Context(), w.Incident, rows, c.who, v.Dry)
	if err != nil {
		return err
	}
	v.Wrong = append(wrong, got.Wrong...)
	slices.SortStableFunc(v.Wrong, func(a, b *claim.RowError) int { return a.Row - b.Row })
	v.Filed, v.Again = got.Filed, got.Again
	if n := len(v.Wrong); n > mostWrong {
		v.More, v.Wrong = n-mostWrong, v.Wrong[:mostWrong]
	}
	return c.show("import", v)
}

// inRows is how many rows the errors are in: one row may have several.
func inRows(wrong []*claim.RowError) int {
	rows := map[int]bool{}
	for _, e := range wrong {
		rows[e.Row] = true
	}
	return len(rows)
}

// windowsView lists the windows.
type windowsView struct {
	Windows []windowRow
	Max     time.Time
}

type windowRow struct {
	claim.Window

	Phase claim.Phase
}

func (c *call) windowsPage() error {
	all, err := c.windows()
	if err != nil {
		return err
	}
	v := windowsView{}
	for _, w := range all {
		v.Windows = append(v.Windows, windowRow{w, w.At(c.s.o.Now())})
	}
	return c.show("windows", v)
}

func (c *call) openWindow() error {
	incident := c.form("incident")
	if incident == "" {
		return errInput
	}
	if err := c.s.o.Office.Known(c.r.Context(), incident); err != nil {
		return err
	}
	if _, err := c.s.o.Office.Prepare(c.r.Context(), incident, c.s.o.Template, c.who); err != nil {
		return err
	}
	return c.to("/windows", "opened")
}

func (c *call) extendWindow() error {
	why, err := c.why()
	if err != nil {
		return err
	}
	until, err := c.clock("until", minute)
	if err != nil {
		return err
	}
	if until.IsZero() {
		return fmt.Errorf("%w: the new end is missing", errInput)
	}
	if _, err := c.s.o.Office.Extend(c.r.Context(), c.form("incident"), until, c.who, why); err != nil {
		return err
	}
	return c.to("/windows", "extended")
}

func (c *call) closeWindow() error {
	why, err := c.why()
	if err != nil {
		return err
	}
	if _, err := c.s.o.Office.Close(c.r.Context(), c.form("incident"), c.who, why); err != nil {
		return err
	}
	return c.to("/windows", "closed")
}

// privacyView is the log of looks.
type privacyView struct {
	Looks   []claim.Event
	Days    int
	Choices []int
	Full    bool // there are more
}

// mostLooks is how many looks a page lists.
const mostLooks = 500

func (c *call) privacyPage() error {
	days := 30
	switch c.r.URL.Query().Get("days") {
	case "1":
		days = 1
	case "7":
		days = 7
	case "365":
		days = 365
	}
	looks, err := c.s.o.Ledger.Looks(c.r.Context(), c.s.o.Now().AddDate(0, 0, -days), mostLooks)
	if err != nil {
		return err
	}
	return c.show("privacy", privacyView{Looks: looks, Days: days, Choices: []int{1, 7, 30, 365}, Full: len(looks) == mostLooks})
}

func (c *call) erase() error {
	why, err := c.why()
	if err != nil {
		return err
	}
	if c.form("sure") != "1" {
		return fmt.Errorf("%w: tick that it cannot be undone", errInput)
	}
	erase := c.s.o.Ledger.Erase
	if c.s.o.Cashier != nil { // which knows what is on its way to the bank
		erase = c.s.o.Cashier.Erase
	}
	if err := erase(c.r.Context(), claim.NormalCode(c.form("claim")), c.who, why); err != nil {
		return err
	}
	return c.to("/privacy", "erased")
}

func (c *call) retain() error {
	j, err := c.s.start(c.r.Context(), &job{Kind: "retain", Key: "retain", By: c.who, May: Privacy, run: func(ctx context.Context, _ func(int)) (any, error) {
		n, err := c.s.o.Office.Retain(ctx)
		return n, err
	}})
	if err != nil {
		return err
	}
	return c.follow(j)
}

// active is the policy in force; nil where there is none.
func (c *call) active(incident string) (*policy.Policy, error) {
	p, err := c.s.o.Office.Active(c.r.Context(), incident)
	if errors.Is(err, claim.ErrNoPolicy) || errors.Is(err, claim.ErrNotFound) {
		return nil, nil //nolint:nilnil // there need not be one
	}
	return p, err
}
