package main

import (
	"github.com/spf13/cobra"
)

func estateCommand(a *app) *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "estate",
		Short: "Look at what you have: check, show, compare and push estates",
		Long: `Work with estates: folders of *.yaml files that say what you have, where it runs
and what it needs. docs/format.md describes the format. The nodes keep every
revision that was pushed to them; where a node is named, a revision stands for a
folder: its number, or the first four digits or more of what identifies it.`,
		Example: `  bongsu estate check examples/two-sites`,
	},
		estateCheckCommand(a),
		estateShowCommand(a),
		estateSchemaCommand(a),
		estateGenerateCommand(a),
		estatePushCommand(a),
		estateDiffCommand(a),
		estateLogCommand(a),
		estateRollbackCommand(a),
	)
}
