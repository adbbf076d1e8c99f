// Package deskapi lets programs do at the desk of the public side what people do in its pages.
//
// It stands between the command line, or a company's own systems, and claim and settle: each
// address is one call of [claim.Office] or [settle.Cashier], in the name of the account
// whose token was sent.
//
// The front door is [New], whose handler answers below /api/v1/, and [NewClient], which is
// its other end. [Accounts] says what a token may do.
//
// It never decides anything itself, reads no cookie (so no other site can use
// somebody's session), and shows personal data nowhere but in the files that
// banks are sent, which is written down as a look.
//
// It keeps nothing.
//
// Two who change the same are told apart by the store: the second gets "conflict". Long work
// sends its progress, one line of JSON each; when the line breaks, the same call goes on
// where it stopped.
//
// To try it: go test ./web/deskapi -v
package deskapi
