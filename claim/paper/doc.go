// Package paper makes files that strangers send fit to be kept and looked at.
//
// It stands between the form and the ledger of claims: [Clean] takes the bytes of an upload and
// gives the bytes that are kept, or a [Refusal] that says in both languages why none are and what to
// send instead.
//
// Photographs (JPEG, PNG, GIF, WebP) are decoded, turned upright, made no larger than a screen can
// show, and encoded anew: nothing that rode along with them (position, a ZIP behind the end)
// survives. Text and CSV become UTF-8, and CSV computes nothing. XLSX and DOCX are unpacked,
// looked through and packed anew. A PDF is kept as it came, if nothing in it acts by itself. Resident
// registration numbers are masked by [MaskNumbers] wherever there is text that can be changed; where
// it cannot (PDF), the [Paper] carries a doubt for the desk, which [Tell] words.
//
// It never believes a name or a declared type, never keeps an image as it came, never
// unpacks more than it said it would, and does not read numbers off pictures: an identity card that
// was photographed shows its number. It finds no viruses: papers are for download only, from
// another origin than the console's.
//
// It keeps nothing, and is safe to call from many at once; one call may need some 300 MB, so whoever
// serves strangers bounds how many run together. The same bytes give the same paper.
//
// To try it: go test ./claim/paper -run Example -v
package paper
