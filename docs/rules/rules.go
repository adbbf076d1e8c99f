// Package rules holds the pages of the audit's rules, so that bongsu audit rules
// can print them.
//
// It gives them to audit: [Pages] has one file a rule, named RULE.md. It decides
// nothing, keeps nothing, and cannot fail. To try it: bongsu audit rules tool-tier.
package rules

import "embed"

// Pages holds the page of each rule.
//
//go:embed *.md
var Pages embed.FS
