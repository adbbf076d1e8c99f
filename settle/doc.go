// Package settle pays what was decided and claims it back from the party at fault.
//
// It stands between claim, which decides, and banks, bills and counterparties: a [Book]
// keeps every amount twice, [Payout] moves it in two phases, a [Pack] puts
// together what a counterparty is asked for, to the won.
//
// Amounts are integers in minor units. Entries of the book are never edited: a mistake
// is reversed by another entry, and every entry sums to zero.
//
// It never decides who gets what, and it never talks to a bank by itself: adapters
// write files and read answers.
//
// It keeps, in the public store: book/entry/<id>, book/balance/<account>,
// book/line/<account>/<id> (version 1). Posting the same entry twice is
// posting it once; two writers of one account take turns; a crash leaves an entry wholly
// there or not at all.
//
// To try it: go test ./settle -run Example -v
package settle
