// Package rules holds the pages of the audit's rules, so that bongsu audit rules
// can print them.
//
// It gives them to audit: [Pages] has one file a rule, named RULE.md.
//
// It never decides anything and keeps nothing; nobody can race for it.
//
// To try it: bongsu audit rules tool-tier
package rules
