package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), ending()...)
	context.AfterFunc(ctx, stop) // from then on a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// ending lists the signals that ask to stop. Whoever starts a node with nohup does not
// mean the end of a terminal to be one.
func ending() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// run carries out one command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, talk io.Writer) int {
	a := &app{in: in, out: out, err: talk}
	root := a.root()
	root.SetArgs(args)
	return a.exit(root.ExecuteContext(ctx))
}

// commands lists the constructors of all commands, in the order of a disaster:
// before, during, after, and then the tools of the trade.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		initCommand,
		configCommand,
		serveCommand,
		publicCommand,
		demoCommand,
		estateCommand,
		impactCommand,
		auditCommand,
		cutsetsCommand,
		planCommand,
		incidentCommand,
		statusCommand,
		dutyCommand,
		runCommand,
		memberCommand,
		backupCommand,
		restoreCommand,
		claimCommand,
		verifyCommand,
		versionCommand,
		referenceCommand,
	}
}

// helpCommand is cobra's, but it refuses what it does not know.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]...",
		Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("see bongsu --help", "there is no command %q", "bongsu "+strings.Join(args, " "))
			}
			return topic.Help()
		},
	}
}

func (a *app) root() *cobra.Command {
	root := a.group(&cobra.Command{
		Use:   "bongsu",
		Short: "Lose a data centre and get the services back",
		Long: `bongsu (봉수) keeps a company's services alive through the loss of a data
centre.

It reads what you have (the estate), says what a loss would do to it (impact),
orders what brings the services back (plan), and carries that out from nodes
that survive the loss themselves.`,
		Example: `  bongsu estate check examples/two-sites
  bongsu impact examples/two-sites --lose north
  bongsu plan examples/two-sites --lose north --format json`,
	})
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if num, ok := errors.AsType[*strconv.NumError](err); ok {
			want := map[string]string{"ParseInt": "a whole number", "ParseUint": "a whole number, not negative", "ParseFloat": "a number", "ParseBool": "true or false"}[num.Func]
			if errors.Is(num, strconv.ErrRange) {
				want += " that is not so large"
			}
			err = errors.New(strings.Replace(err.Error(), num.Error(), "expected "+want, 1))
		}
		return &usageError{err: err, hint: "see " + cmd.CommandPath() + " --help"}
	})
	for _, command := range commands() {
		root.AddCommand(command(a))
	}
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			a.group(cmd) // so that it refuses a shell that it does not know
		}
	}
	// A group is no command by itself, and help fits the terminal.
	root.SetUsageTemplate(strings.NewReplacer(
		"{{if .Runnable}}\n  {{.UseLine}}{{end}}", "{{if not .HasAvailableSubCommands}}\n  {{.UseLine}}{{end}}",
		"for more information about a command.", "for more.",
		".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", width),
	).Replace(root.UsageTemplate()))
	a.observe(root)
	reflow(root)
	return root
}

// reflow makes the explanation of every command fit the terminal, wherever its
// author broke the lines. A paragraph with indented lines stays as it is.
func reflow(cmd *cobra.Command) {
	paragraphs := strings.Split(cmd.Long, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = strings.Join(wrap(p, width), "\n")
		}
	}
	cmd.Long = strings.Join(paragraphs, "\n\n")
	for _, child := range cmd.Commands() {
		reflow(child)
	}
}
