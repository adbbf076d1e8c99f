package settle

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// A Payee is where a payment goes. Only adapters see it, while they write a file.
type Payee struct {
	Holder string // of the account, as the claimant wrote it: the bank compares
	Bank   string // code of the bank in its clearing system
	Number string // of the account
}

// Payees finds the payee of a claim, or says of which claim it cannot; it writes down who looked.
type Payees func(ctx context.Context, claim string) (Payee, error)

// A Debtor is who pays.
type Debtor struct {
	Name   string
	Bank   string
	Number string
}

// errFile wraps what is wrong with a file of a bank.
var errFile = errors.New("the file of the bank cannot be read")

// mostAnswer is the largest answer of a bank that is read: 400,000 payments.
const mostAnswer = 256 << 20

const pain001 = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"

type otherAccount struct {
	ID string `xml:"Id>Othr>Id"`
}

type agent struct {
	Member string `xml:"FinInstnId>ClrSysMmbId>MmbId"`
}

type instructed struct {
	Currency string `xml:"Ccy,attr"`
	Amount   string `xml:",chardata"`
}

type transfer struct {
	EndToEnd string       `xml:"PmtId>EndToEndId"`
	Amount   instructed   `xml:"Amt>InstdAmt"`
	Agent    agent        `xml:"CdtrAgt"`
	Name     string       `xml:"Cdtr>Nm"`
	Account  otherAccount `xml:"CdtrAcct"`
	Memo     string       `xml:"RmtInf>Ustrd"`
}

// WritePain001 writes a batch as an ISO 20022 customer credit transfer initiation
// (pain.001.001.09), one payment after the other, so that a large batch does not sit in
// memory. The same batch gives the same bytes. It is to be paid on the day of its approval in zone. memo stands on the statement of the payee.
func WritePain001(ctx context.Context, w io.Writer, b Batch, items []Item, from Debtor, payees Payees, memo string, zone *time.Location) error {
	if !b.goesOut() {
		return fmt.Errorf("%w: %s is %s, its file is not to be written", ErrState, b.ID, b.State)
	}
	if err := b.holds(items); err != nil {
		return err
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write pain.001: %w", err)
	}
	e := &xmlWriter{xml: xml.NewEncoder(w)}
	e.xml.Indent("", " ")
	sum := decimal(b.Total, b.Currency)
	when := b.ApprovedAt.UTC()
	e.open("Document", xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: pain001})
	e.open("CstmrCdtTrfInitn")
	e.open("GrpHdr")
	e.leaf("MsgId", digest35("bongsu message", b.ID))
	e.leaf("CreDtTm", when.Format("2006-01-02T15:04:05Z"))
	e.leaf("NbOfTxs", fmt.Sprint(b.Count))
	e.leaf("CtrlSum", sum)
	e.open("InitgPty")
	e.leaf("Nm", clip(from.Name, 140))
	e.close("InitgPty", "GrpHdr")
	e.open("PmtInf")
	e.leaf("PmtInfId", digest35("bongsu information", b.ID))
	e.leaf("PmtMtd", "TRF")
	e.leaf("NbOfTxs", fmt.Sprint(b.Count))
	e.leaf("CtrlSum", sum)
	e.open("ReqdExctnDt")
	e.leaf("Dt", when.In(zone).Format(time.DateOnly))
	e.close("ReqdExctnDt")
	e.open("Dbtr")
	e.leaf("Nm", clip(from.Name, 140))
	e.close("Dbtr")
	e.any("DbtrAcct", otherAccount{from.Number})
	e.any("DbtrAgt", agent{from.Bank})
	for _, it := range items {
		p, err := payees(ctx, it.Claim)
		if err != nil {
			return err
		}
		e.any("CdtTrfTxInf", transfer{
			EndToEnd: it.ID, Amount: instructed{b.Currency, decimal(it.Amount, b.Currency)},
			Agent: agent{p.Bank}, Name: clip(p.Holder, 140), Account: otherAccount{clip(p.Number, 34)}, Memo: clip(memo, 140),
		})
	}
	e.close("PmtInf", "CstmrCdtTrfInitn", "Document")
	if e.err == nil {
		e.err = e.xml.Close()
	}
	if e.err == nil {
		_, e.err = io.WriteString(w, "\n")
	}
	if e.err != nil {
		return fmt.Errorf("write pain.001: %w", e.err)
	}
	return nil
}

// An xmlWriter remembers the first error.
type xmlWriter struct {
	xml *xml.Encoder
	err error
}

func (e *xmlWriter) token(t xml.Token) {
	if e.err == nil {
		e.err = e.xml.EncodeToken(t)
	}
}

func (e *xmlWriter) open(name string, attr ...xml.Attr) {
	e.token(xml.StartElement{Name: xml.Name{Local: name}, Attr: attr})
}

func (e *xmlWriter) close(names ...string) {
	for _, n := range names {
		e.token(xml.EndElement{Name: xml.Name{Local: n}})
	}
}

func (e *xmlWriter) leaf(name, text string) { e.any(name, text) }

func (e *xmlWriter) any(name string, v any) {
	if e.err == nil {
		e.err = e.xml.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}})
	}
}

// clip cuts text to so many characters and drops what does not print.
func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// A statusReason says why a status is what it is.
type statusReason struct {
	Code        string   `xml:"Rsn>Cd"`
	Proprietary string   `xml:"Rsn>Prtry"`
	Info        []string `xml:"AddtlInf"`
}

// pain002 is what is read of a payment status report, of any version of the schema.
type pain002 struct {
	XMLName xml.Name `xml:"Document"`
	Report  *struct {
		Group struct {
			Message string         `xml:"OrgnlMsgId"`
			Status  string         `xml:"GrpSts"`
			Reasons []statusReason `xml:"StsRsnInf"`
		} `xml:"OrgnlGrpInfAndSts"`
		Payments []struct {
			ID           string         `xml:"OrgnlPmtInfId"`
			Status       string         `xml:"PmtInfSts"`
			Reasons      []statusReason `xml:"StsRsnInf"`
			Transactions []struct {
				EndToEnd string         `xml:"OrgnlEndToEndId"`
				Status   string         `xml:"TxSts"`
				Reasons  []statusReason `xml:"StsRsnInf"`
			} `xml:"TxInfAndSts"`
		} `xml:"OrgnlPmtInfAndSts"`
	} `xml:"CstmrPmtStsRpt"`
}

// An outcome is what a status means for a payment.
type outcome int

const (
	silent  outcome = iota // it says nothing of a single payment
	waiting                // accepted, pending, received: on its way
	paid
	unpaid
)

// outcomeOf reads a status of ISO 20022, of a message, of its payment information or of one payment.
func outcomeOf(status, of string) (outcome, error) {
	switch status = strings.TrimSpace(status); status {
	case "ACSC", "ACCC": // settled at the debtor's, or the creditor's, bank
		return paid, nil
	case "RJCT", "CANC":
		return unpaid, nil
	case "ACTC", "ACCP", "ACSP", "ACWC", "ACWP", "PDNG", "RCVD", "ACFC", "ACIS", "ACPD", "PATC", "PRES", "BLCK", "CPUC":
		return waiting, nil
	case "PART", "": // some are accepted and some not: which, their own statuses say
		return silent, nil
	}
	return silent, fmt.Errorf("%w: %s has the status %q, which ISO 20022 does not know", errFile, of, clip(status, 20))
}

// because writes down why, as the bank says it last.
func (r *Result) because(reasons []statusReason) {
	for _, x := range reasons {
		r.Code = clip(x.Code+x.Proprietary, 35)
		r.Detail = clip(strings.Join(x.Info, " "), 210)
	}
}

// A reading is a report as far as it was read.
type reading struct {
	idsOf func(reference string) ([]string, error)
	out   Answers
	said  map[string]bool // payments of which something was said
	spoke bool            // there was a status that says something
}

// carried are the payments of the batch that a reference of the report is of; nil: it names none. One that did not go out
// from here is refused.
func (g *reading) carried(reference string) ([]string, error) {
	reference = strings.TrimSpace(reference)
	if g.idsOf == nil || reference == "" || strings.EqualFold(reference, "NOTPROVIDED") { // as ISO 20022 has it where there is none
		return nil, nil
	}
	return g.idsOf(reference)
}

// within says whether a payment is among those that each of the references carried, and tells where it is not.
func (g *reading) within(id string, of ...[]string) bool {
	for _, ids := range of {
		if ids != nil && !slices.Contains(ids, id) {
			g.spoke = true
			g.out.Odd = append(g.out.Odd, fmt.Sprintf("payment %q did not go out with the message that the bank answers: its answer was not taken, ask the bank", clip(id, 40)))
			return false
		}
	}
	return true
}

// one takes what is said of one payment.
func (g *reading) one(r Result, o outcome) {
	if o == silent {
		return
	}
	g.spoke, g.said[r.ID] = true, true
	if o == waiting {
		g.out.Waiting++
		return
	}
	r.Done = o == paid
	g.out.Results = append(g.out.Results, r)
}

// whole takes what is said of all payments of a message of ours: it holds for those of which nothing is said by
// itself. ids are its payments, inside the results of single ones among them.
func (g *reading) whole(ids []string, status, of string, reasons []statusReason, inside []Result) error {
	o, err := outcomeOf(status, of)
	if err != nil || o == silent {
		return err
	}
	g.spoke = true
	for _, r := range inside {
		if o != waiting && r.Done != (o == paid) {
			return fmt.Errorf("%w: %s is %s as a whole, and payment %s in it is said to be otherwise: ask the bank", errFile, of, status, clip(r.ID, 40))
		}
	}
	switch {
	case g.idsOf == nil || ids != nil:
	case len(g.said) == 0:
		return fmt.Errorf("%w: %s is %s, and the bank does not say which message of ours that is", errFile, of, status)
	case o != waiting:
		g.out.Odd = append(g.out.Odd, fmt.Sprintf("%s is %s as a whole, and the bank does not say which message of ours that is: only the payments that it names were taken", of, status))
	}
	for _, id := range ids {
		r := Result{ID: id, Whole: true}
		if o == unpaid {
			r.Code = strings.TrimSpace(status)
			r.because(reasons)
		}
		if !g.said[id] {
			g.one(r, o)
		}
	}
	return nil
}

// ReadPain002 reads an ISO 20022 payment status report. Payments that are on their way (accepted, pending) are no
// result yet. The status of a whole message, or of a payment information, is that of each payment in it
// of which nothing is said by itself; idsOf finds them by the reference that our file had. A report on a message that is
// none of ours is refused, and what it says of a payment of another message is not taken.
func ReadPain002(r io.Reader, idsOf func(reference string) ([]string, error)) (Answers, error) {
	var doc pain002
	limited := &io.LimitedReader{R: r, N: mostAnswer}
	d := xml.NewDecoder(limited)
	d.CharsetReader = charset
	if err := d.Decode(&doc); err != nil {
		if limited.N == 0 {
			return Answers{}, fmt.Errorf("%w: it is larger than %d bytes", errFile, mostAnswer)
		}
		return Answers{}, fmt.Errorf("%w: %w", errFile, err)
	}
	if doc.Report == nil {
		return Answers{}, fmt.Errorf("%w: it has no CstmrPmtStsRpt: expected a pain.002", errFile)
	}
	g := reading{idsOf: idsOf, said: map[string]bool{}}
	m := &doc.Report.Group
	message, err := g.carried(m.Message)
	if err != nil {
		return Answers{}, err
	}
	for _, p := range doc.Report.Payments {
		from := len(g.out.Results)
		info, err := g.carried(p.ID)
		if err != nil {
			return Answers{}, err
		}
		for _, t := range p.Transactions {
			res := Result{ID: strings.TrimSpace(t.EndToEnd)}
			o, err := outcomeOf(t.Status, "payment "+clip(res.ID, 40))
			if err != nil {
				return Answers{}, err
			}
			res.because(t.Reasons)
			if g.within(res.ID, message, info) {
				g.one(res, o)
			}
		}
		if err := g.whole(info, p.Status, "payment information "+clip(p.ID, 40), p.Reasons, g.out.Results[from:]); err != nil {
			return Answers{}, err
		}
	}
	if err := g.whole(message, m.Status, "message "+clip(m.Message, 40), m.Reasons, g.out.Results); err != nil {
		return Answers{}, err
	}
	if !g.spoke {
		return Answers{}, fmt.Errorf("%w: it says of no payment what became of it (no GrpSts, PmtInfSts or TxSts but PART)", errFile)
	}
	return g.out, nil
}

// charset decodes what banks declare: EUC-KR among others. Entities and external files are
// never read by this decoder.
func charset(name string, r io.Reader) (io.Reader, error) {
	if strings.HasPrefix(strings.ToLower(name), "utf-16") {
		return r, nil // it was decoded by its mark
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("the encoding %q is not known", clip(name, 20))
	}
	return e.NewDecoder().Reader(r), nil
}

// Message finds the payments of the batch that a message of ours, or a payment information in it, carried.
func (p *Payout) Message(ctx context.Context, reference string) ([]string, error) {
	all, err := p.Batches(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if reference != digest35("bongsu message", b.ID) && reference != digest35("bongsu information", b.ID) {
			continue
		}
		items, err := p.Items(ctx, b.ID)
		if err != nil {
			return nil, err
		}
		ids := make([]string, len(items))
		for i := range items {
			ids[i] = items[i].ID
		}
		return ids, nil
	}
	return nil, fmt.Errorf("%w: no batch of ours went out as %q: its file is not from here, or not pain.001", errFile, clip(reference, 40))
}
