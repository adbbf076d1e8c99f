package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/estate"
)

func estateCheckCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check that an estate can be read, and count what is in it",
		Long: `Read the estate in DIR and report everything that is wrong with it, each with
file, line, column, what was expected and the nearest valid choice. What can be
read but says too little is a warning.

With --format json: {estate, counts, errors, warnings}; an error is {file, line,
column, message, expected, nearest}. The exit code is 2 if there are errors.`,
		Example: `  bongsu estate check examples/two-sites
  bongsu estate check examples/two-sites --format json`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.estateCheck(cmd.Context(), args[0], *f)
	}
	return cmd
}

// checked is the JSON of bongsu estate check; a contract.
type checked struct {
	Estate   string         `json:"estate"` // revision; empty if there are errors
	Counts   map[string]int `json:"counts"`
	Errors   []checkedError `json:"errors"`
	Warnings []string       `json:"warnings"`
}

type checkedError struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"`
	Nearest  string `json:"nearest,omitempty"`
}

func (a *app) estateCheck(ctx context.Context, dir string, f format) error {
	s, err := a.load(ctx, dir)
	invalid, ok := errors.AsType[estate.Errors](err)
	if err != nil && !ok {
		return err
	}
	c := checked{Counts: map[string]int{}, Errors: []checkedError{}, Warnings: []string{}}
	for _, e := range invalid {
		c.Errors = append(c.Errors, checkedError{e.File, e.Line, e.Col, e.Msg, e.Want, e.Nearest})
	}
	if s != nil {
		c.Estate = s.Rev
		c.Warnings = append(c.Warnings, doubts(s)...)
		for _, n := range counts(s) {
			c.Counts[n.many] = n.n
		}
	}
	switch {
	case f == formatJSON:
		if werr := a.printJSON(c); werr != nil {
			return werr
		}
	case s != nil:
		var parts []string
		for _, n := range counts(s) {
			parts = append(parts, counted(n.n, n.one, n.many))
		}
		a.paragraph(fmt.Sprintf("%s can be read: %s", dir, s.Rev))
		a.paragraph(strings.Join(parts, ", "))
		for _, w := range c.Warnings {
			a.warn(w)
		}
	}
	if len(invalid) > 1 {
		return fmt.Errorf("%w\n%s has %d errors", err, dir, len(invalid))
	}
	return err
}

type tally struct {
	n         int
	one, many string
}

func counts(s *estate.Snapshot) []tally {
	sites, tools := 0, 0
	for i := range s.Domains {
		if s.Domains[i].Type == "site" {
			sites++
		}
	}
	for i := range s.Components {
		if s.Components[i].Tool {
			tools++
		}
	}
	return []tally{
		{len(s.Domains), "domain", "domains"},
		{sites, "site", "sites"},
		{len(s.Components), "component", "components"},
		{tools, "tool", "tools"},
		{len(s.Services), "service", "services"},
		{len(s.Crews), "crew", "crews"},
		{len(s.Limits), "limit", "limits"},
		{len(s.Probes), "probe", "probes"},
		{len(s.Options), "option", "options"},
	}
}

// doubts says what makes a well-formed estate look healthier than it is: what
// is not there cannot be lost.
func doubts(s *estate.Snapshot) []string {
	var found []string
	if len(s.Services) == 0 {
		found = append(found, "the estate has no services: no loss would hurt anybody, which is never true")
	}
	if !slices.ContainsFunc(s.Domains, func(d estate.Domain) bool { return d.Type == "site" }) {
		found = append(found, "the estate has no domain of type site: there is no data centre to lose")
	}
	var idle []string
	for i := range s.Services {
		if s.Services[i].Needs.Empty() {
			idle = append(idle, s.Services[i].Name)
		}
	}
	if len(idle) > 0 {
		found = append(found, fmt.Sprintf("%s without needs, so nothing can take it down: %s", counted(len(idle), "service", "services"), listed(idle, 10)))
	}
	return found
}
