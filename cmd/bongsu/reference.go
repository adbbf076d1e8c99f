package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// referenceCommand prints docs/commands.md; make check compares the two.
func referenceCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "reference",
		Short:  "Print the reference of all commands as Markdown",
		Hidden: true,
		Args:   exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var b bytes.Buffer
			fmt.Fprint(&b, "# Commands\n\nMade by `make generate` from the program itself; do not edit.\n\n"+
				"Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed,\n"+
				"2 bad usage or bad input, 3 found something.\n")
			describe(&b, cmd.Root())
			_, err := b.WriteTo(a.out)
			return err
		},
	}
}

// describe writes the section of a command and those of its children. What
// cobra adds by itself (help, completion) is not ours to document.
func describe(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, "\n## %s\n\n", cmd.CommandPath())
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintln(w, strings.TrimSpace(text))
	if !cmd.HasSubCommands() {
		fmt.Fprintf(w, "\n```\n%s\n```\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExample:\n\n```sh\n%s\n```\n", dedent(cmd.Example))
	}
	if flags := cmd.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprint(w, "\n| flag | default | meaning |\n| --- | --- | --- |\n")
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" {
				describeFlag(w, f)
			}
		})
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && child.Name() != "help" && child.Name() != "completion" {
			describe(w, child)
		}
	}
}

func describeFlag(w io.Writer, f *pflag.Flag) {
	kind, usage := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if kind != "" {
		name += " " + kind
	}
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	value := ""
	if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" {
		value = "`" + f.DefValue + "`"
	}
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	fmt.Fprintf(w, "| `%s` | %s | %s |\n", cell.Replace(name), cell.Replace(value), cell.Replace(usage))
}

// dedent takes the two blanks away that cobra's help wants in front of examples.
func dedent(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
