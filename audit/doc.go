// Package audit says what would not survive: it holds rules against an estate
// and against what losses would do to it.
//
// It stands between impact and people who can still change something: [Check]
// takes a snapshot of the estate and gives a [Report] of findings to a
// continuity officer, a pull request, a code-scanning viewer or the node that
// keeps their history. prevent turns findings into measures.
//
// The front door is [Check]. A [Finding] has an ID that stays the same as long
// as its rule, loss and subject do, a severity, a sentence, a proof and, where it
// can be computed, a fix; [Rules] lists what is looked for; [Fix] finds the
// cheapest measures that leave nothing unrecoverable in one loss, with a
// certificate; [PlanQuorum] says which losses a consensus group survives;
// [Compare] sets a report against a former one.
//
// It never calls the planner, never asks whether a site is really lost, reads no
// clock (the caller says what time it is) and changes nothing. It judges by what
// holds for every plan: the critical path without contention, and the room that
// is needed against the room that is left.
//
// A check keeps nothing; the JSON of a report carries a version, so that a baseline
// of another version is refused instead of misread. The node that leads folds the
// report of each revision into a [History], which says what opened and what fixed a
// finding, and [Keep]s it below the keys "audit/", version 1, within [DefaultBounds].
//
// The same input gives the same report in the same order, and there is nothing to
// race for. Of two that keep a history at once one gets kv.ErrConflict; one that
// dies on the way leaves the history before whole, and is followed by one that does
// it again.
//
// To try it by hand: bongsu audit examples/kakao-2022, and bongsu audit rules.
package audit
