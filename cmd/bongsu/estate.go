package main

import (
	"github.com/spf13/cobra"
)

func estateCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "estate",
		Short: "Look at what you have: check, show and compare estates",
		Long: `Work with estates: folders of *.yaml files that say what you have, where it runs
and what it needs. docs/format.md describes the format.`,
		Example: `  bongsu estate check examples/two-sites`,
	},
		estateCheckCommand(a),
		estateShowCommand(a),
		estateSchemaCommand(a),
		estateGenerateCommand(a),
		estateDiffCommand(a),
	)
}
