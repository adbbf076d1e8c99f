// Package lang writes for people in their language: messages with plurals and
// Korean particles, numbers, durations and dates.
//
// It stands between whoever has something to say (the console, the public site,
// letters) and the reader: the speaker brings a catalogue of messages, the reader
// brings an Accept-Language header.
//
// The front door is [Load], which reads the messages of every [Lang] and refuses
// a catalogue that one language lacks a key of, and [Choose]. [Catalogues.Text]
// fills in a message; [Number], [Compact], [Span], [Clock], [Date] and their like
// write one value.
//
// It never translates, never looks at the clock, and reads no zone files: moments
// come with the [time.Location] to show them in.
//
// It keeps nothing, and is safe to call from anywhere.
//
// Nothing here races or crashes; a message that does not exist is an error of the
// program, and the caller sees it at once.
//
// To see what it writes: go test ./internal/lang -v
package lang
