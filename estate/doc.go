// Package estate knows what there is: domains, components, services, crews,
// limits, and who needs whom.
//
// It stands at the start of everything: people write a folder of YAML files in
// format v1 (docs/format.md), and impact, audit, plan and all after them read
// the [Snapshot] that comes out.
//
// The front door is [Load] for a folder and [Parse] for texts; both give an
// immutable [Snapshot], with every reference resolved and a revision that
// depends on the content alone, or [Errors]: all that is wrong, each with file,
// line, column, what was expected and the nearest valid choice.
// [Snapshot.Encode] writes the canonical form, [Diff] compares two snapshots,
// [Schema] describes the format to editors, [Generate] makes large estates.
//
// It never judges an estate (that is audit), never asks what a loss does (that
// is impact), and never opens a file or a connection by itself: the caller
// hands it an [io/fs.FS] or a store.
//
// What is pushed ([Push]) is kept in the store below "estate/": estate/head
// names the current revision, estate/rev/ has one record for each revision and
// estate/data/ the compressed files in pieces. Each value is JSON with a
// version, or a piece of gzip. The node that serves a push or a rollback writes
// them; nobody changes a record afterwards.
//
// Two pushes at a time: one wins, the other gets kv.ErrConflict and
// nothing of it is seen. A push that dies half-way leaves pieces that no
// revision names; the head, written last, still names the revision before.
//
// To try it: bongsu estate check examples/two-sites, or
// go test ./estate -run Example -v.
package estate
