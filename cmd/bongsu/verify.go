package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bongsu/verify"
)

func verifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a certificate or an exported record without what made it",
		Long: `Replay a certificate that bongsu impact, audit or cutsets wrote with
--certificate. It holds the estate, the answer and its proof; the checker is a
small package of its own that knows only the format of an estate.

FILE may also be the record of an incident, as bongsu incident export wrote it: then
its entries are held against the signed checkpoints, and --key names the file of the
public key (record.pub of any node) that they have to be signed with. --earlier
names an earlier export that this one has to continue.

Or FILE is a recourse pack (a ZIP archive): its files are held against its
manifest, its sums against its ledger lines, and the record in it like any other.
The file of --key may then hold several keys, a line each: pack and record are
signed by different ones.

Or FILE is the proof from the page of a damage report that its decision is in the
public log: the decision is held against the signed root of the log.

What it proves is listed, and so is what a certificate of the kind says nothing
of.
--estate DIR also checks that the certificate is about the estate in DIR as it
is now.

Exit code 0: all that is claimed is proved; 4: nothing that is claimed is wrong,
but not all of it is proved, such as the number of more cut sets than are listed;
3: something is wrong, and it says what; 2: the file is no certificate.

With --format json: {kind, estate, valid, proved, open, unproved, wrong}: valid is
whether the exit code is 0, the others are lists of sentences; open, what is
claimed and not proved, is there only then.`,
		Example: `  bongsu impact examples/two-sites --lose north --certificate north.json
  bongsu verify north.json --estate examples/two-sites
  bongsu verify pangyo.json --key sites/anyang/record.pub`,
		Args: exactly("FILE"),
	}
	dir := cmd.Flags().String("estate", "", "the `folder` of the estate that the certificate is to be about")
	key := cmd.Flags().String("key", "", "the `file` of the public key that a record is to be signed with")
	earlier := cmd.Flags().String("earlier", "", "the `file` of an earlier export of the same incident")
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		data, err := readCertificate(args[0])
		if err != nil {
			return err
		}
		if verify.IsPack(data) {
			if *dir != "" || *earlier != "" {
				return usagef("of the flags, a pack takes --key", "--estate and --earlier are not for recourse packs, and %s is one", args[0])
			}
			return a.verified(args[0], *f, checking{*key, "", "a recourse pack is a ZIP archive with a manifest", func(key string, _ []byte) (*verify.Report, error) {
				return verify.CheckPack(data, verify.PackOptions{Key: key})
			}})
		}
		if verify.IsDecisionProof(data) {
			if *dir != "" {
				return usagef("--key and --earlier are for proofs of decisions", "--estate is for certificates, and %s is none", args[0])
			}
			return a.verified(args[0], *f, checking{*key, *earlier, "the page of a damage report gives the proof of its decision", func(key string, earlier []byte) (*verify.Report, error) {
				return verify.CheckDecisionProof(data, verify.DecisionOptions{Key: key, Earlier: earlier})
			}})
		}
		if verify.IsRecord(data) {
			if *dir != "" {
				return usagef("--key and --earlier are for records", "--estate is for certificates, and %s is a record", args[0])
			}
			return a.verified(args[0], *f, checking{*key, *earlier, "bongsu incident export ID --out FILE writes one", func(key string, earlier []byte) (*verify.Report, error) {
				return verify.CheckRecord(data, verify.RecordOptions{Key: key, Earlier: earlier})
			}})
		}
		if *key != "" || *earlier != "" {
			return usagef("--estate is for certificates", "--key and --earlier are for records, and %s is none", args[0])
		}
		r, err := work(cmd.Context(), a, "verifying", func() (*verify.Report, error) { return verify.Check(data) })
		if err != nil {
			return usagef(verifiable, "%s: %w", args[0], err)
		}
		if *dir != "" {
			s, err := a.load(cmd.Context(), *dir)
			if err != nil {
				return err
			}
			if s.Rev != r.Estate {
				r.Valid, r.Proved, r.Open = false, []string{}, nil
				r.Wrong = append(r.Wrong, fmt.Sprintf("the estate in %s has the revision %s; the certificate is about %s", *dir, s.Rev, orNone(r.Estate)))
			}
		}
		return a.tellVerified(r, *f)
	}
	return cmd
}

// A checking is what a file is held against, and how.
type checking struct {
	key, earlier string // files; empty: none
	hint         string // where such a file comes from
	check        func(key string, earlier []byte) (*verify.Report, error)
}

// verified checks a file and says what it found.
func (a *app) verified(file string, f format, c checking) error {
	key, err := readKey(c.key)
	if err != nil {
		return err
	}
	var earlier []byte
	if c.earlier != "" {
		if earlier, err = readCertificate(c.earlier); err != nil {
			return err
		}
	}
	r, err := c.check(key, earlier)
	if err != nil {
		return usagef(c.hint, "%s: %w", file, err)
	}
	return a.tellVerified(r, f)
}

// tellVerified says what was found.
func (a *app) tellVerified(r *verify.Report, f format) (err error) {
	if f == formatJSON {
		err = a.printJSON(r)
	} else {
		a.printVerified(r)
	}
	switch {
	case err != nil || r.Valid:
		return err
	case len(r.Wrong) > 0:
		return errFound
	}
	return errOpen
}

// readKey reads a public key; none when there is no file.
func readKey(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("bongsu init wrote record.pub beside each bongsu.yaml", "read the key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return "", usagef("bongsu init wrote record.pub beside each bongsu.yaml", "%s is empty", file)
	}
	return key, nil
}

func orNone(rev string) string {
	if rev == "" {
		return "no estate"
	}
	return rev
}

// verifiable is where files come from that can be verified.
const verifiable = "check the name; bongsu impact, audit, cutsets, incident export, claim recourse and the page of a report write such files"

func readCertificate(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef(verifiable, "there is no file %s", file)
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, verify.MaxBytes+1))
	if errors.Is(err, syscall.EISDIR) {
		return nil, usagef(verifiable, "%s is a folder", file)
	}
	return data, err
}

func (a *app) printVerified(r *verify.Report) {
	p := a.palette()
	verdict := p.good("valid")
	switch {
	case len(r.Wrong) > 0:
		verdict = p.bad("does not hold")
	case !r.Valid:
		verdict = p.warn("not proved in full")
	}
	about := ""
	if r.Estate != "" {
		about = " of estate " + r.Estate
	}
	if r.Kind == verify.KindRecord {
		fmt.Fprintf(a.out, "record of an incident: %s\n", verdict)
	} else {
		fmt.Fprintf(a.out, "certificate (%s%s): %s\n", r.Kind, about, verdict)
	}
	for _, list := range []struct {
		label string
		lines []string
	}{{"wrong", r.Wrong}, {"proved", r.Proved}, {"claimed and not proved", r.Open}, {"not proved", r.Unproved}} {
		if len(list.lines) == 0 {
			continue
		}
		a.section(list.label, "")
		for _, text := range list.lines {
			a.item(text)
		}
	}
}
