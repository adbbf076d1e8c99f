package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"bongsu/verify"
)

func verifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a certificate without the engines that made it",
		Long: `Replay a certificate that bongsu impact, audit or cutsets wrote with
--certificate. It holds the estate, the answer and its proof; the checker is a
small package of its own that knows only the format of an estate.

What it proves is listed, and so is what a certificate of the kind leaves open.
--estate DIR also checks that the certificate is about the estate in DIR as it
is now.

Exit code 0: all that is claimed holds; 3: something does not, and it says what;
2: the file is no certificate.

With --format json: {kind, estate, valid, proved, unproved, wrong}, the last
three lists of sentences.`,
		Example: `  bongsu impact examples/two-sites --lose north --certificate north.json
  bongsu verify north.json --estate examples/two-sites`,
		Args: exactly("FILE"),
	}
	dir := cmd.Flags().String("estate", "", "the `folder` of the estate that the certificate is to be about")
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := readCertificate(args[0])
		if err != nil {
			return err
		}
		r, err := work(cmd.Context(), a, "verifying", func() (*verify.Report, error) { return verify.Check(data) })
		if err != nil {
			return usagef("bongsu impact DIR --lose DOMAIN --certificate FILE writes one", "%s: %w", args[0], err)
		}
		if *dir != "" {
			s, err := a.load(cmd.Context(), *dir)
			if err != nil {
				return err
			}
			if s.Rev != r.Estate {
				r.Valid, r.Proved = false, []string{}
				r.Wrong = append(r.Wrong, fmt.Sprintf("the estate in %s has the revision %s; the certificate is about %s", *dir, s.Rev, orNone(r.Estate)))
			}
		}
		if *f == formatJSON {
			err = a.printJSON(r)
		} else {
			a.printVerified(r)
		}
		if err == nil && !r.Valid {
			return errFound
		}
		return err
	}
	return cmd
}

func orNone(rev string) string {
	if rev == "" {
		return "no estate"
	}
	return rev
}

func readCertificate(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("bongsu impact DIR --lose DOMAIN --certificate FILE writes one", "there is no file %s", file)
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, verify.MaxBytes+1))
}

func (a *app) printVerified(r *verify.Report) {
	p := a.palette()
	verdict := p.good("valid")
	if !r.Valid {
		verdict = p.bad("does not hold")
	}
	about := ""
	if r.Estate != "" {
		about = " of estate " + r.Estate
	}
	fmt.Fprintf(a.out, "certificate (%s%s): %s\n", r.Kind, about, verdict)
	for _, list := range []struct {
		label string
		lines []string
	}{{"wrong", r.Wrong}, {"proved", r.Proved}, {"not proved", r.Unproved}} {
		if len(list.lines) == 0 {
			continue
		}
		a.section(list.label, "")
		for _, text := range list.lines {
			for i, line := range wrap(text, width-2) {
				mark := "  "
				if i == 0 {
					mark = "- "
				}
				fmt.Fprintln(a.out, mark+line)
			}
		}
	}
}
