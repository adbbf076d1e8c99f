package desk

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/internal/kv"
	"bongsu/settle"
	"bongsu/status"
)

// Errors of the desk itself.
var (
	errLogin     = errors.New("nobody is logged in")
	errPassword  = errors.New("wrong name or password")
	errTooMany   = errors.New("too many attempts")
	errForm      = errors.New("the form is too old, or belongs to another session")
	errRights    = errors.New("the account has no duty for this")
	errNoPage    = errors.New("no such page")
	errInput     = errors.New("what was sent cannot be used")
	errWhy       = errors.New("a reason is missing")
	errRows      = errors.New("rows of the table cannot be used")
	errOther     = errors.New("it is not the list that waits")
	errNone      = errors.New("nothing is selected")
	errNoWindow  = errors.New("there is no window yet")
	errBusy      = errors.New("too much work is waiting")
	errCutOff    = errors.New("the node that did the work stopped")
	errElsewhere = errors.New("what came of the work is too large to be kept")
	errJobGone   = errors.New("the work is not known here any more")
)

// A problem is an error for a person: its code leads to words that say what
// happened and what to do next.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"` // what the error itself says, where it knows more than its code
}

// problemOf is the one table that gives an error its status and its words.
func problemOf(err error) *problem {
	for _, row := range []struct {
		is     error
		status int
		code   string
		detail bool
	}{
		{errLogin, http.StatusUnauthorized, "first", false},
		{errPassword, http.StatusUnauthorized, "login", false},
		{errTooMany, http.StatusTooManyRequests, "slow", false},
		{errForm, http.StatusForbidden, "form", false},
		{errRights, http.StatusForbidden, "role", false},
		{errNoPage, http.StatusNotFound, "page", false},
		{errWhy, http.StatusUnprocessableEntity, "why", false},
		{errRows, http.StatusUnprocessableEntity, "rows", false},
		{errOther, http.StatusConflict, "other", false},
		{errNone, http.StatusUnprocessableEntity, "none", false},
		{errNoWindow, http.StatusConflict, "window", false},
		{errBusy, http.StatusTooManyRequests, "busy", false},
		{errCutOff, http.StatusConflict, "cut", false},
		{errElsewhere, http.StatusConflict, "elsewhere", false},
		{errJobGone, http.StatusNotFound, "job", false},
		{status.ErrSame, http.StatusForbidden, "same", false},
		{claim.ErrSame, http.StatusForbidden, "same", false},
		{settle.ErrFourEyes, http.StatusForbidden, "same", false},
		{settle.ErrTaken, http.StatusForbidden, "same", false},
		{status.ErrDecided, http.StatusConflict, "decided", false},
		{status.ErrInput, http.StatusUnprocessableEntity, "input", false},
		{status.ErrNotFound, http.StatusNotFound, "gone", false},
		{claim.ErrNotFound, http.StatusNotFound, "gone", false},
		{settle.ErrNotFound, http.StatusNotFound, "gone", false},
		{claim.ErrConflict, http.StatusConflict, "changed", false},
		{kv.ErrConflict, http.StatusConflict, "changed", false},
		{claim.ErrState, http.StatusConflict, "state", true},
		{settle.ErrState, http.StatusConflict, "state", true},
		{settle.ErrInBatch, http.StatusConflict, "batch", true},
		{claim.ErrErased, http.StatusGone, "erased", false},
		{claim.ErrClosed, http.StatusConflict, "closed", false},
		{claim.ErrLate, http.StatusConflict, "late", false},
		{claim.ErrConsent, http.StatusConflict, "consent", false},
		{claim.ErrNoPolicy, http.StatusConflict, "policy", false},
		{settle.ErrRestored, http.StatusConflict, "state", true},
		{settle.ErrNothing, http.StatusConflict, "nothing", true},
		{settle.ErrBudget, http.StatusConflict, "budget", true},
		{settle.ErrPayee, http.StatusConflict, "payee", true},
		{settle.ErrBank, http.StatusUnprocessableEntity, "bank", true},
		{settle.ErrName, http.StatusUnprocessableEntity, "input", true},
		{settle.ErrPack, http.StatusUnprocessableEntity, "input", true},
		{settle.ErrFormat, http.StatusUnprocessableEntity, "input", true},
		{settle.ErrAnswer, http.StatusUnprocessableEntity, "answer", true},
		{settle.ErrReused, http.StatusConflict, "reused", true},
		{claim.ErrNoRecord, http.StatusConflict, "record", false},
		{claim.ErrBudget, http.StatusConflict, "budget", true},
		{claim.ErrNobody, http.StatusUnprocessableEntity, "why", false},
		{paper.ErrType, http.StatusUnprocessableEntity, "paper", false},
		{paper.ErrLarge, http.StatusUnprocessableEntity, "paper", true},
		{paper.ErrBroken, http.StatusUnprocessableEntity, "paper", false},
		{paper.ErrHostile, http.StatusUnprocessableEntity, "paper", false},
		{claim.ErrDigest, http.StatusConflict, "changed", false},
		{claim.ErrPolicy, http.StatusUnprocessableEntity, "bad-policy", true},
		{claim.ErrReused, http.StatusConflict, "reused", false},
		{claim.ErrInput, http.StatusUnprocessableEntity, "input", true},
		{errInput, http.StatusUnprocessableEntity, "input", true},
		{kv.ErrFull, http.StatusInsufficientStorage, "full", false}, // which is unavailable too
		{claim.ErrUnavailable, http.StatusServiceUnavailable, "store", false},
		{kv.ErrUnavailable, http.StatusServiceUnavailable, "store", false},
	} {
		if !errors.Is(err, row.is) {
			continue
		}
		p := &problem{Status: row.status, Code: row.code}
		if row.detail {
			p.Detail = strings.TrimPrefix(err.Error(), row.is.Error()+": ")
		}
		if e, ok := errors.AsType[*claim.OverBudget](err); ok { // with its currency, for [renderer.phrase]
			p.Detail = fmt.Sprintf("%s has %d %[5]s left of %[3]d %[5]s, and this would cost %[4]d %[5]s; let the body decide on another version of the policy", e.Policy, e.Left, e.Budget, e.Cost, e.Currency)
		}
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			most := fmt.Sprintf("≤ %d kB", tooLarge.Limit>>10)
			if mega := (tooLarge.Limit - 1) >> 20; mega > 0 { // the rest of the last one is for the other fields
				most = fmt.Sprintf("≤ %d MB", mega)
			}
			return &problem{Status: http.StatusRequestEntityTooLarge, Code: "large", Detail: most}
		}
		return p
	}
	return &problem{Status: http.StatusInternalServerError, Code: "broken", Detail: err.Error()}
}
