package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/web"
)

// app is what all commands share: the streams, and how to speak on them.
type app struct {
	in       io.Reader
	out, err io.Writer
	began    bool // the command's own code runs: what cobra refuses came before
}

// Exit codes; they are a contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
	exitOpen   = 4
)

// errFound is returned by a command that did what it was asked and found
// something; it has said what.
var errFound = errors.New("found something")

// errOpen is returned by a check that refuted nothing, and did not prove all that is
// claimed; it has said what.
var errOpen = errors.New("not all that is claimed is proved")

// errNotTold is how a demo ends in which the public page did not tell what users saw.
var errNotTold = errors.New("the public page did not tell what users saw")

// errNotBack is how a demo ends in which something recoverable stayed down.
var errNotBack = errors.New("not everything that is recoverable came back")

// usageError is the fault of who called: bad flags, bad arguments, bad input.
type usageError struct {
	err  error
	hint string // what to do next; may be empty
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usageError with a hint, which may be empty.
func usagef(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// exit says what went wrong and returns the exit code: the one table from
// errors to codes and hints.
func (a *app) exit(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFound
	case errors.Is(err, errOpen):
		return exitOpen
	case errors.Is(err, context.Canceled):
		return a.complain(exitFailed, errors.New("interrupted"), "")
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		return a.complain(exitUsage, err, usage.hint)
	}
	if refused, ok := errors.AsType[*web.Error](err); ok {
		return a.refused(err, refused)
	}
	if _, ok := errors.AsType[estate.Errors](err); ok {
		return a.complain(exitUsage, err, "docs/format.md describes the format; bongsu estate schema prints it for an editor")
	}
	if _, ok := errors.AsType[*estate.Error](err); ok {
		return a.complain(exitUsage, err, "bongsu estate show DIR lists what there is")
	}
	if _, ok := errors.AsType[*impact.UnknownDomainError](err); ok {
		return a.complain(exitUsage, err, "bongsu estate show DIR lists the domains")
	}
	if alone, ok := errors.AsType[*unreachableError](err); ok {
		return a.complain(exitFailed, err, alone.hint())
	}
	if !a.began {
		return a.complain(exitUsage, err, "see bongsu --help")
	}
	return a.complain(exitFailed, err, "")
}

// refused says what a node answered instead of doing what it was asked.
func (a *app) refused(err error, answer *web.Error) int {
	code, hint := exitFailed, answer.Hint
	switch answer.Code {
	case "bad-input", "bad-estate", "unknown-domain", "why-missing", "too-large", "not-found":
		code = exitUsage
	case "not-signed-in":
		if hint != deskTokenHint {
			hint = "the token is none of this cluster; " + remoteHint
		}
	}
	if len(answer.Details) > 0 {
		err = fmt.Errorf("%w\n%s", err, strings.Join(answer.Details, "\n"))
	}
	return a.complain(code, err, hint)
}

// hinted gives a node's answer with that code another hint.
func hinted(err error, code, hint string) error {
	if answer, ok := errors.AsType[*web.Error](err); ok && answer.Code == code {
		answer.Hint = hint
	}
	return err
}

// complain prints an error, each line of it as one of its own, and a hint.
func (a *app) complain(code int, err error, hint string) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.err, "bongsu: error: %s\n", strings.TrimRight(line, "\n"))
	}
	if hint != "" {
		a.hint(hint)
	}
	return code
}

// warn says on standard error what is doubtful but no reason to stop.
func (a *app) warn(text string) { fmt.Fprintf(a.err, "bongsu: warning: %s\n", text) }

// hint says on standard error what to do next.
func (a *app) hint(text string) { fmt.Fprintf(a.err, "bongsu: hint: %s\n", text) }

// group makes a command that only holds others: alone it prints its help, and
// it refuses what it does not know.
func (a *app) group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := "see " + cmd.CommandPath() + " --help"
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + cmd.CommandPath() + " " + strings.Join(near, " or ") + "?"
		}
		return usagef(hint, "%s has no command %q", cmd.CommandPath(), args[0])
	}
	cmd.AddCommand(children...)
	return cmd
}

// observe notes for every command when its own code begins.
func (a *app) observe(cmd *cobra.Command) {
	if inner := cmd.RunE; inner != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.began = true
			return inner(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		a.observe(child)
	}
}

// exactly refuses any other number of arguments than there are names, and
// says which is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return between(len(names), names...)
}

// between is exactly, with only the first least names required.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "see " + cmd.CommandPath() + " --help"
		switch {
		case len(args) < least:
			return usagef(hint, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef(hint, "too many arguments: %q", args[len(names)])
		}
		return nil
	}
}

// format is the value of --format.
type format string

const (
	formatText format = "text"
	formatJSON format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "text|json" }

func (f *format) Set(s string) error {
	switch v := format(s); v {
	case formatText, formatJSON:
		*f = v
		return nil
	}
	return errors.New("expected text or json")
}

// formatFlag gives the command --format.
func formatFlag(cmd *cobra.Command) *format {
	f := formatText
	cmd.Flags().Var(&f, "format", "how to print the result: text for people, json as documented in docs/commands.md")
	complete(cmd, "format", string(formatText), string(formatJSON))
	return &f
}

// complete makes the shell complete a flag with the given values.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // unreachable: the flag was defined just before, once
	}
}

// folders completes arguments with folders.
func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// printJSON writes v as indented JSON to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
