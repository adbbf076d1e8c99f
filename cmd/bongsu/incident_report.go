package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func incidentReportCommand(a *app) *cobra.Command {
	formats := []string{"html", "markdown", "json"}
	var format, language string
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "Write the after-action report of an incident",
		Long: `Write the after-action report of incident ID to standard output: the time line, what
was lost, who was down for how long, user-minutes, steps planned and actual, decisions,
what the public was told, duties kept or missed, calls, corrections, data lost, and what
the audit says of that loss. It is made of the record, the runs and the estate; nothing
is written for it.

--format html is one file that needs nothing else. With --format json: {incident, lost,
outages, dataLost, timeLine, runs, updates, clocks, calls, corrections, improve, ...}.`,
		Example: `  bongsu incident report 20221015-pangyo --format html --lang ko > report.html`,
		Args:    exactly("ID"),
	}
	cmd.Flags().StringVar(&format, "format", "markdown", "html, markdown or json")
	cmd.Flags().StringVar(&language, "lang", "", "ko or en; empty: en")
	complete(cmd, "format", formats...)
	complete(cmd, "lang", "ko", "en")
	r := remoteFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(formats, format) {
			return usagef("it is one of "+strings.Join(formats, ", "), "--format is %q", format)
		}
		if !slices.Contains([]string{"", "ko", "en"}, language) {
			return usagef("it is ko or en", "--lang is %q", language)
		}
		c, err := a.client(cmd.Context(), r)
		if err != nil {
			return err
		}
		b, err := c.Report(cmd.Context(), args[0], format, cmp.Or(language, "en"))
		if err != nil {
			return err
		}
		_, err = a.out.Write(b)
		return err
	}
	return cmd
}
