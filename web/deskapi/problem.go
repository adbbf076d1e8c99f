package deskapi

import (
	"errors"
	"net/http"

	"bongsu/claim"
	"bongsu/internal/kv"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/web"
)

// Errors of the API itself.
var (
	errToken     = errors.New("the token is none of this desk")
	errDuty      = errors.New("the account of this token has no duty for it")
	errInput     = errors.New("what was sent cannot be used")
	errNoAddress = errors.New("there is no such address")
	errAbsent    = errors.New("this node does not do that")
)

// problem is the one table that gives an error its code, status and hint.
func problem(err error) *web.Error {
	p := &web.Error{Status: http.StatusInternalServerError, Code: "internal", Message: err.Error(), Hint: "the node's log has the details; the other nodes go on without this one"}
	for _, row := range []struct {
		is     error
		status int
		code   string
		hint   string
	}{
		{errToken, http.StatusUnauthorized, "not-signed-in", "the accounts of the desk, and their tokens, stand in the node's configuration"},
		{errDuty, http.StatusForbidden, "role", "ask somebody whose duty it is; a token is a decider, payer or member of the body only if it says whose it is: account: NAME beside it in the file of accounts"},
		{errNoAddress, http.StatusNotFound, "not-found", "check the address; is the program older than the node?"},
		{errAbsent, http.StatusNotImplemented, "absent", "the node's configuration says what it does"},
		{errInput, http.StatusUnprocessableEntity, "bad-input", "correct it and send it again; nothing was changed"},
		{claim.ErrSame, http.StatusForbidden, "same", "let somebody else do it"},
		{settle.ErrFourEyes, http.StatusForbidden, "same", "let somebody else do it"},
		{settle.ErrTaken, http.StatusForbidden, "same", "make sure that the bank does not have it, then let somebody else do it"},
		{claim.ErrNoWindow, http.StatusNotFound, "not-found", "bongsu claim window list shows what there is"},
		{claim.ErrNotFound, http.StatusNotFound, "not-found", "bongsu claim list shows what there is"},
		{settle.ErrNotFound, http.StatusNotFound, "not-found", "bongsu claim payout list shows what there is"},
		{settle.ErrRestored, http.StatusConflict, "restored", "hold the book against the bank's statements, then: bongsu claim payout resume --why \"…\""},
		{settle.ErrNothing, http.StatusConflict, "nothing", "grant first, or see to those of whom it is not known where it goes: bongsu claim payout missing"},
		{settle.ErrBudget, http.StatusConflict, "budget", "draft fewer with --limit, or let the body decide on another policy"},
		{claim.ErrBudget, http.StatusConflict, "budget", "let the body decide on another policy"},
		{settle.ErrAnswer, http.StatusUnprocessableEntity, "bad-input", "ask the bank for pain.002 or a CSV with id and result; nothing was changed"},
		{settle.ErrPack, http.StatusUnprocessableEntity, "bad-input", "bongsu claim recourse --help says what it is made of"},
		{settle.ErrPayee, http.StatusConflict, "payee", "see to the account, or drop the batch and draft another"},
		{settle.ErrBank, http.StatusUnprocessableEntity, "bad-input", "claims.banks in the configuration of the public nodes names the company's own accounts"},
		{settle.ErrName, http.StatusUnprocessableEntity, "bad-input", "leave spaces out of names"},
		{settle.ErrFormat, http.StatusUnprocessableEntity, "bad-input", "leave the format out for the usual one"},
		{settle.ErrState, http.StatusConflict, "refused", "bongsu claim payout list shows its state"},
		{settle.ErrInBatch, http.StatusConflict, "refused", "bongsu claim payout list shows the batches"},
		{settle.ErrReused, http.StatusConflict, "refused", "give the batch another name"},
		{settle.ErrOverdrawn, http.StatusConflict, "refused", "bongsu claim payout reconcile says what does not agree"},
		{claim.ErrNoPolicy, http.StatusConflict, "no-policy", "bongsu claim draft submit FILE, and two people approve it"},
		{claim.ErrDigest, http.StatusConflict, "conflict", "bongsu claim draft list shows the digest of what was handed in: read that, then approve it"},
		{claim.ErrPolicy, http.StatusUnprocessableEntity, "bad-input", "bongsu claim policy FILE says what is wrong with it"},
		{claim.ErrState, http.StatusConflict, "refused", "look at its state again, then decide"},
		{claim.ErrClosed, http.StatusConflict, "closed", "bongsu claim window open INCIDENT opens one"},
		{claim.ErrErased, http.StatusGone, "erased", "its personal data are gone for good"},
		{claim.ErrReused, http.StatusConflict, "refused", "give it another name or version"},
		{claim.ErrUnknown, http.StatusUnprocessableEntity, "bad-input", "bongsu incident list shows what there is; bongsu claim window open --prepared opens one ahead of its record"},
		{claim.ErrInput, http.StatusUnprocessableEntity, "bad-input", "correct it and send it again; nothing was changed"},
		{claim.ErrConflict, http.StatusConflict, "conflict", "somebody else changed it first; look at it again, then decide"},
		{kv.ErrConflict, http.StatusConflict, "conflict", "somebody else changed it first; try again"},
		{kv.ErrFull, http.StatusInsufficientStorage, "store-full", "nothing was filed; the quota of the public store has to grow, or space be freed: see docs/operations.md"}, // which is unavailable too
		{claim.ErrUnavailable, http.StatusServiceUnavailable, "no-quorum", "this node cannot reach a majority; try the node of another site"},
		{kv.ErrUnavailable, http.StatusServiceUnavailable, "no-quorum", "this node cannot reach a majority; try the node of another site"},
	} {
		if errors.Is(err, row.is) {
			p.Status, p.Code, p.Hint = row.status, row.code, row.hint
			break
		}
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p.Status, p.Code, p.Hint = http.StatusRequestEntityTooLarge, "too-large", "at most "+lang.Number(tooLarge.Limit)+" bytes are taken here"
	}
	return p
}
