package rules

import "embed"

// Pages holds the page of each rule.
//
//go:embed *.md
var Pages embed.FS
