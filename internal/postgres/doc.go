// Package postgres keeps claims, and the book of what they cost, in PostgreSQL.
//
// It implements claim.Ledger and settle.Book for those who expect more than some
// 500,000 claims; the caller is the public process, which chooses by its configuration.
//
// The front door is [Open], which brings the schema up to date; a [DB] gives [DB.Claims]
// and [DB.Book].
//
// It decides nothing, and never sees personal data in clear for longer than a call.
//
// It keeps the tables of migrations/, in numbered steps that are never edited once
// released. Any number of processes may write.
//
// What was acknowledged is committed. A caller that crashes leaves a report wholly
// there or not at all; two writers of one claim: the second is told claim.ErrConflict.
//
// To try it: make test-real, which starts a real server.
package postgres
