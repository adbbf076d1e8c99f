// Package mark turns the Markdown of updates and answers into HTML that is safe on
// a page of ours.
//
// It takes text that a person wrote, who may be hostile, from the console's
// composer and from the public pages, and gives both the same HTML: what an editor
// sees in the preview is what the public sees, byte for byte.
//
// The front door is [New], whose [Renderer] has one method, [Renderer.HTML].
//
// It never lets markup of the writer through, draws no pictures (a picture would
// tell its server who reads), and links only to http, https and mailto. It never
// fails: text that is no Markdown is shown as text.
//
// It keeps nothing. A Renderer is immutable and safe for concurrent use.
//
// To try it: go test ./internal/mark -v
package mark
