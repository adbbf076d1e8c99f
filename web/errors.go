package web

import (
	"errors"
	"net/http"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/internal/lang"
	"bongsu/recovery"
	"bongsu/status"
)

// An Error is an error as a reader sees it: a stable code for programs, and
// what happened, why, and what to do next for people. The pages say Code in the
// reader's language; the API sends Message and Hint as they are.
type Error struct {
	Status  int      `json:"-"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Hint    string   `json:"hint,omitempty"`
	Details []string `json:"details,omitempty"`
}

// Error returns the message, so that an Error that came over the network can
// be returned as the error that it is.
func (p *Error) Error() string { return p.Message }

// Errors of the console itself, and those that a [Backend] returns by wrapping
// them. The table in [problem] gives each its code and status.
var (
	ErrNotFound = errors.New("there is nothing of that name")
	ErrRefused  = errors.New("that cannot be done in the present state")
	ErrBadInput = errors.New("the input cannot be used")
	ErrSecond   = errors.New("another person has to confirm it")

	errNotFound   = errors.New("no such page")
	errLogin      = errors.New("not signed in")
	errRole       = errors.New("the account's role may not do this")
	errForged     = errors.New("the request did not come from a page of this console")
	errStaleForm  = errors.New("the form is too old, or belongs to another session")
	errWhy        = errors.New("a reason is missing")
	errTooLarge   = errors.New("the request is too large")
	errTooMany    = errors.New("too many attempts")
	errPassword   = errors.New("wrong name or password")
	errMethod     = errors.New("the address takes another method")
	errNoSnapshot = errors.New("no estate was pushed yet")
)

// mostDetails is how many errors of an estate an answer lists.
const mostDetails = 200

// problem is the one table that gives an error its code, status and hint.
func problem(err error) *Error {
	if p, ok := errors.AsType[*Error](err); ok {
		return p
	}
	p := &Error{Status: http.StatusInternalServerError, Code: "internal", Message: err.Error()}
	for _, row := range []struct {
		is     error
		status int
		code   string
		hint   string
	}{
		{kv.ErrUnavailable, http.StatusServiceUnavailable, "no-quorum", "this node cannot reach a majority; reads show what was last known; try the node of another site"},
		{kv.ErrFull, http.StatusInsufficientStorage, "store-full", "the store's quota is used up; it refuses writes until space is freed: see docs/operations.md"},
		{kv.ErrConflict, http.StatusConflict, "conflict", "somebody else changed it first; look at it again, then decide"},
		{kv.ErrFenced, http.StatusConflict, "superseded", "another node leads now; try again"},
		{kv.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large", "split it into smaller parts"},
		{recovery.ErrNotFound, http.StatusNotFound, "not-found", "bongsu run list shows what there is"},
		{incident.ErrNotFound, http.StatusNotFound, "not-found", "bongsu incident show lists what there is"},
		{recovery.ErrState, http.StatusConflict, "refused", "look at its state again, then decide"},
		{incident.ErrState, http.StatusConflict, "refused", "look at its state again, then decide"},
		{ErrNotFound, http.StatusNotFound, "not-found", "check the name; bongsu run list and bongsu incident show list what there is"},
		{errNotFound, http.StatusNotFound, "not-found", "check the address"},
		{ErrSecond, http.StatusAccepted, "second", "it is not done yet: somebody else who may do it gives the same command, or confirms it in the console"},
		{incident.ErrApproval, http.StatusConflict, "approval", "let somebody else do it, or say why there is no time for that"},
		{incident.ErrInput, http.StatusUnprocessableEntity, "bad-input", "correct it and send it again; nothing was changed"},
		{status.ErrInput, http.StatusUnprocessableEntity, "bad-input", "correct it and send it again; nothing was changed"},
		{ErrRefused, http.StatusConflict, "refused", "look at its state again, then decide"},
		{ErrBadInput, http.StatusUnprocessableEntity, "bad-input", "correct it and send it again; nothing was changed"},
		{errLogin, http.StatusUnauthorized, "not-signed-in", "sign in, or give a token of this cluster"},
		{errRole, http.StatusForbidden, "role", "ask somebody whose role may do it"},
		{errForged, http.StatusForbidden, "cross-origin", "open the console itself and do it there; nothing was changed"},
		{errStaleForm, http.StatusForbidden, "stale-form", "go back, reload the page and send it again; nothing was changed"},
		{errWhy, http.StatusBadRequest, "why-missing", "say why: it goes into the journal"},
		{errTooLarge, http.StatusRequestEntityTooLarge, "too-large", "the limit of this address is smaller than what was sent"},
		{errTooMany, http.StatusTooManyRequests, "too-many", "wait as long as Retry-After says"},
		{errPassword, http.StatusUnauthorized, "password", "try again, or have an administrator set a new password in the node's configuration"},
		{errMethod, http.StatusMethodNotAllowed, "method", "use the method that the API documents for it"},
		{errNoSnapshot, http.StatusConflict, "no-estate", "push one first: bongsu estate push DIR"},
	} {
		if errors.Is(err, row.is) {
			p.Status, p.Code, p.Hint = row.status, row.code, row.hint
			break
		}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p.Status, p.Code, p.Hint = http.StatusRequestEntityTooLarge, "too-large", "at most "+lang.Number(tooLarge.Limit)+" bytes are taken here"
	}
	if unknown, ok := errors.AsType[*impact.UnknownDomainError](err); ok {
		p.Status, p.Code, p.Hint = http.StatusUnprocessableEntity, "unknown-domain", "bongsu estate show lists the domains"
		if unknown.Nearest != "" {
			p.Hint = "did you mean " + unknown.Nearest + "?"
		}
	}
	if wrong, ok := errors.AsType[estate.Errors](err); ok {
		p.Status, p.Code = http.StatusUnprocessableEntity, "bad-estate"
		p.Message = lang.Number(int64(len(wrong))) + " errors in the estate: nothing was stored"
		p.Hint = "correct them and push again; bongsu estate check DIR shows the same"
		for _, e := range wrong[:min(len(wrong), mostDetails)] {
			p.Details = append(p.Details, e.Error())
		}
	}
	if p.Code == "internal" {
		p.Hint = "the node's log has the details; the other nodes go on without this one"
	}
	return p
}
