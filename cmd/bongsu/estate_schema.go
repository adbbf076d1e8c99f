package main

import (
	"strings"

	"github.com/spf13/cobra"

	"bongsu/estate"
)

func estateSchemaCommand(a *app) *cobra.Command {
	kinds := make([]string, len(estate.Kinds()))
	for i, k := range estate.Kinds() {
		kinds[i] = k.String()
	}
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Print the JSON Schema of the format, for editors",
		Long: `Print the JSON Schema (draft 2020-12) of an estate's documents, or of those of
one kind. With it an editor completes and checks *.yaml files as you type; for
those that use yaml-language-server, begin a file with

    # yaml-language-server: $schema=estate.schema.json`,
		Example: `  bongsu estate schema > estate.schema.json
  bongsu estate schema component`,
		Args:      between(0, "KIND"),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			schema := estate.StreamSchema()
			if len(args) > 0 {
				k, ok := estate.KindOf(strings.ToLower(args[0]))
				if !ok {
					return usagef("the kinds are "+strings.Join(kinds, ", "), "there is no kind %q", args[0])
				}
				schema = estate.Schema(k)
			}
			_, err := a.out.Write(schema)
			return err
		},
	}
}
