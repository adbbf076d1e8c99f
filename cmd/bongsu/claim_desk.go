package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/internal/lang"
	"bongsu/web"
	"bongsu/web/deskapi"
)

// deskHint says how a command is told of a desk.
const deskHint = "name the desk of a public node with --desk https://host:port and the file of an account's token with --token-file"

// deskTokenHint is for who shows a token that the desk does not know.
const deskTokenHint = "bongsu init wrote DIR/claims-1.token and claims-2.token; the accounts stand in public-accounts.yaml of the public nodes" //nolint:gosec // where tokens are, not one of them

// deskAt is how a command reaches the desk of a public node.
type deskAt struct{ url, token, ca string }

func deskFlags(cmd *cobra.Command) *deskAt {
	d := &deskAt{}
	f := cmd.Flags()
	f.StringVar(&d.url, "desk", os.Getenv("BONGSU_DESK"), "address of the desk, https://host:port ($BONGSU_DESK)")
	f.StringVar(&d.token, "token-file", os.Getenv("BONGSU_DESK_TOKEN_FILE"), "file with the token of an account ($BONGSU_DESK_TOKEN_FILE)")
	f.StringVar(&d.ca, "ca", os.Getenv("BONGSU_DESK_CA"), "PEM file of the CA of the desk's certificate ($BONGSU_DESK_CA)")
	return d
}

func (d *deskAt) client() (*deskapi.Client, error) {
	if d.url == "" || d.token == "" {
		return nil, usagef(deskHint, "%s", map[bool]string{true: "no desk is named", false: "no token file is named"}[d.url == ""])
	}
	secret, err := os.ReadFile(d.token)
	if err != nil {
		return nil, usagef(deskHint, "read the token: %w", err)
	}
	pool, err := authorities(d.ca)
	if err != nil {
		return nil, err
	}
	c, err := deskapi.NewClient(web.ClientOptions{URL: d.url, Token: strings.TrimSpace(string(secret)), CA: pool})
	if err != nil {
		return nil, &usageError{err: err, hint: deskHint}
	}
	return c, nil
}

// A deskDo is what a command does at the desk.
type deskDo[T any] struct {
	json  string                     // the contract of its JSON
	ask   func(args []string) string // what is changed, asked before it is; nil: nothing of the world is
	what  string                     // said while it lasts
	do    func(ctx context.Context, c *deskapi.Client, args []string) (T, error)
	show  func(T)
	found func(T) bool // whether it ends with exit code 3; nil: never
}

// deskCommand makes a command that does one thing at the desk.
func deskCommand[T any](a *app, cmd *cobra.Command, d deskDo[T]) *cobra.Command {
	cmd.Long = strings.TrimSpace(cmd.Long) + "\n\nWith --format json: " + d.json + "."
	at, f := deskFlags(cmd), formatFlag(cmd)
	var yes *bool
	if d.ask != nil {
		yes = yesFlag(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := at.client()
		if err != nil {
			return err
		}
		if d.ask != nil {
			if err := a.confirm(*yes, d.ask(args)); err != nil {
				return err
			}
		}
		out, err := work(cmd.Context(), a, cmp.Or(d.what, "asking the desk"), func() (T, error) { return d.do(cmd.Context(), c, args) })
		if err != nil {
			return deskError(err)
		}
		if *f == formatJSON {
			err = a.printJSON(out)
		} else {
			d.show(out)
		}
		if err == nil && d.found != nil && d.found(out) {
			return errFound
		}
		return err
	}
	return cmd
}

// deskError says what to do when the desk cannot be reached.
func deskError(err error) error {
	if in, ok := errors.AsType[*url.Error](err); ok {
		at := in.URL
		if u, err := url.Parse(at); err == nil {
			at = u.Scheme + "://" + u.Host
		}
		return &unreachableError{tried: []candidate{{url: at, err: in}}, desk: true}
	}
	return hinted(err, "not-signed-in", deskTokenHint)
}

// incidentFlag gives a command --incident, which has to be given.
func incidentFlag(cmd *cobra.Command) *string {
	id := cmd.Flags().String("incident", "", "the `ID` of the incident")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *id == "" {
			return usagef("bongsu claim window list shows the incidents that reports are taken about", "--incident is missing")
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
	return id
}

// sentences prints a list under a title, wrapped.
func (a *app) sentences(title string, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(a.out, title)
	for _, s := range list {
		a.item(s)
	}
}

// amount writes a number of a currency's minor units.
func amount(n int64, currency string) string { return lang.Number(n) + " " + currency }
