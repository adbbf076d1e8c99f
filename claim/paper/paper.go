package paper

import "errors"

// Errors of [Clean], each with a sentence of its own in the form.
var (
	ErrType    = errors.New("files of this type are not taken")
	ErrLarge   = errors.New("the file is too large")
	ErrBroken  = errors.New("the file cannot be read")
	ErrHostile = errors.New("the file is not what it says it is") // a polyglot, a bomb, active content
)

// MostBytes of one file; MostOfClaim of all files of one claim.
const (
	MostBytes   = 10 << 20
	MostOfClaim = 25 << 20
)

// A Paper is a file as it is kept.
type Paper struct {
	Type   string   // media type, sniffed
	Data   []byte   // re-encoded where it is an image
	Masked int      // resident numbers that were masked in it
	Doubts []string // for the desk: e.g. that a PDF may hold resident numbers that cannot be masked
}

// Clean makes a file fit to be kept, or says why it is not.
func Clean(name string, data []byte) (Paper, error) { return Paper{}, errors.New("not implemented") }

// MaskNumbers masks resident registration numbers (RRN) in a text: the last six digits become stars. It returns how
// many it masked.
func MaskNumbers(text string) (string, int) { return text, 0 }
