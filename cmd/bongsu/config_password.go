package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bongsu/internal/config"
)

func configPasswordCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "password",
		Short: "Hash a password for an accounts file",
		Long: `Ask for a password and print its hash, which accounts.yaml (of control) and
public-accounts.yaml (of the desk) keep as password: of an account. On a terminal it
is asked for twice and not shown; else it is the first line of the standard input.
It never stands in the command line, where others see it.`,
		Example: `  bongsu config password
  pass show desk/kim | bongsu config password`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 { // which are not repeated: one may be the password
				return usagef("run bongsu config password alone and type it, or pipe it in", "what stands in the command line is seen by others: take another password")
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			password, err := a.newPassword()
			if err != nil {
				return err
			}
			h, err := config.HashPassword(password)
			if err != nil {
				return &usageError{err: err}
			}
			_, err = fmt.Fprintln(a.out, h)
			return err
		},
	}
}

// newPassword reads a password that somebody chooses.
func (a *app) newPassword() (config.Secret, error) {
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(a.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return config.Secret{}, fmt.Errorf("read the password: %w", err)
		}
		return config.NewSecret(strings.TrimRight(line, "\r\n")), nil
	}
	var typed [2]string
	for i, ask := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(a.err, ask)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return config.Secret{}, fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return config.Secret{}, usagef("try again", "the two passwords differ; no hash was made")
	}
	return config.NewSecret(typed[0]), nil
}
