package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bongsu/claim"
	"bongsu/internal/kv"
	"bongsu/internal/lang"
	"bongsu/internal/node"
	"bongsu/internal/postgres"
	"bongsu/settle"
)

// publicParts are the files of a backup of the public side.
type publicParts struct {
	config, postgres     string
	rest, keys, erasures string
}

func publicPartsFlags(cmd *cobra.Command, verb string) *publicParts {
	p := &publicParts{}
	f := cmd.Flags()
	f.StringVar(&p.config, "config", "", "the site's public.yaml")
	f.StringVar(&p.postgres, "postgres", os.Getenv("BONGSU_POSTGRES"), "claims are in this database instead; only --erasures goes with it ($BONGSU_POSTGRES)")
	f.StringVar(&p.rest, "rest", "", "file to "+verb+" everything but the keys of claims")
	f.StringVar(&p.keys, "keys", "", "file to "+verb+" the keys of claims")
	f.StringVar(&p.erasures, "erasures", "", "file to "+verb+" the list of claims that were erased")
	return p
}

func (p *publicParts) check() error {
	switch {
	case p.postgres != "" && (p.rest != "" || p.keys != "" || p.config != ""):
		return usagef("the rest and the keys of a database are backed up by pg_dump: see docs/claims-privacy.md", "--postgres goes with --erasures alone")
	case p.postgres != "" && p.erasures == "":
		return usagef("name a file with --erasures", "--erasures is missing")
	case p.postgres == "" && p.config == "":
		return usagef("bongsu init --sites a,b,c DIR writes DIR/public/SITE/public.yaml", "--config is missing")
	}
	return nil
}

func publicBackupCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Write what the public side keeps, the keys of claims apart",
		Long: `Write what the store of the public nodes keeps to files, while they serve, in parts
that are kept apart:

  --rest      everything but the keys of claims. Nothing personal in it can be
              opened. Keep it as long as you like.
  --keys      the keys alone, wrapped with the master key (which is in no
              backup). A restore refuses them after --keep; remove them by
              then.
  --erasures  which claims were erased. Write it often, and to another place: a
              restore erases them again before anything is served.

Each file appears only when it is whole. Take all three at once: they are written
in this order, so that none of them lacks what another needs.`,
		Example: `  bongsu public backup --config public.yaml --rest rest --keys keys \
      --erasures erased
  bongsu public backup --config public.yaml --erasures erased-2022-10-20`,
		Args: exactly(),
	}
	p := publicPartsFlags(cmd, "write")
	keep := cmd.Flags().Duration("keep", 7*24*time.Hour, "how long a restore takes the keys; at most 720h")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.check(); err != nil {
			return err
		}
		if p.rest == "" && p.keys == "" && p.erasures == "" {
			return usagef("name at least one of --rest, --keys and --erasures", "no file is named")
		}
		if *keep <= 0 || *keep > claim.MostKept {
			return usagef("keys that are kept for long undo erasures", "--keep is %v: must be above 0s and at most %v", *keep, claim.MostKept)
		}
		if p.postgres != "" {
			return a.sqlErasures(cmd.Context(), p)
		}
		return a.publicBackup(cmd.Context(), p, *keep)
	}
	return cmd
}

func (a *app) publicBackup(ctx context.Context, p *publicParts, keep time.Duration) error {
	c, err := loadPublic(p.config)
	if err != nil {
		return err
	}
	s, err := a.publicStore(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	b := claim.Backup{Store: s.Store, Cluster: c.Cluster, At: time.Now()}
	for _, part := range []struct {
		file, what string
		write      func(context.Context, io.Writer) (kv.BackupInfo, error)
	}{
		{p.rest, "everything but keys", b.Rest},
		{p.keys, "keys, to be removed by " + b.At.Add(keep).UTC().Format(time.RFC3339), func(ctx context.Context, w io.Writer) (kv.BackupInfo, error) { return b.Keys(ctx, w, keep) }},
		{p.erasures, "erasures", b.Erasures},
	} {
		if part.file == "" {
			continue
		}
		if err := a.writePart(ctx, part.file, part.what, part.write); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) writePart(ctx context.Context, file, what string, write func(context.Context, io.Writer) (kv.BackupInfo, error)) error {
	var info kv.BackupInfo
	n, err := writeWhole(file, func(w io.Writer) (int64, error) {
		return a.meter(w, "backing up", func(w io.Writer) (int64, error) {
			c := &counting{w: w}
			var err error
			info, err = write(ctx, c)
			return c.n, err
		})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %s records, %s bytes: %s\n", file, lang.Number(int64(info.Records)), lang.Number(n), what)
	return nil
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// openStore is a store and how to close it.
type openStore struct {
	kv.Store
	close func() error
}

func (s *openStore) Close() error { return s.close() }

func (a *app) publicStore(ctx context.Context, p *publicParts) (*openStore, error) {
	c, err := loadPublic(p.config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	n, err := work(ctx, a, "looking for the store", func() (*openStore, error) {
		n, err := node.PublicStore(ctx, c, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		return &openStore{n, n.Close}, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("the store of the public side does not answer: no majority of its members runs, or none is reached from here")
	}
	return n, err
}

func (a *app) sqlErasures(ctx context.Context, p *publicParts) error {
	db, err := postgres.Open(ctx, p.postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	erased, err := db.Claims(nil).Erased(ctx)
	if err != nil {
		return err
	}
	return a.writePart(ctx, p.erasures, "erasures", func(ctx context.Context, w io.Writer) (kv.BackupInfo, error) {
		return claim.WriteErasures(ctx, w, "postgres", time.Now(), erased)
	})
}

func publicRestoreCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Fill an empty public side, and erase again what was erased",
		Long: `Fill the empty store of public nodes from the files of bongsu public backup. The
nodes run with bongsu public --store-only meanwhile, so that nothing is served
before every erasure was replayed. All files are checked first; keys that have
expired are refused. A restore that was interrupted can be run again.

--erasures is the newest list there is: of after the backup. Claims on it lose
their key, what is personal in them and their papers. Without keys
(--without-keys) the claims come back and nothing personal in them opens.

With --postgres the database was loaded by psql already, and the erasures are replayed.`,
		Example: `  bongsu public restore --config public.yaml --rest rest --keys keys \
      --erasures erased --yes
  bongsu public restore --postgres "dbname=claims" --erasures erased --yes`,
		Args: exactly(),
	}
	p := publicPartsFlags(cmd, "read")
	f := cmd.Flags()
	noKeys := f.Bool("without-keys", false, "there is no backup of keys: nothing personal will open")
	noErasures := f.Bool("no-erasures", false, "nothing was erased since the backup")
	yes := yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := p.check(); err != nil {
			return err
		}
		if p.postgres != "" {
			return a.sqlReplay(cmd.Context(), p, *yes)
		}
		switch {
		case p.rest == "":
			return usagef("name the file that bongsu public backup --rest wrote", "--rest is missing")
		case (p.keys == "") != *noKeys:
			return usagef("name the backup of keys with --keys, or say --without-keys", "either --keys or --without-keys is needed")
		case (p.erasures == "") != *noErasures:
			return usagef("name the newest list with --erasures; what was erased since the backup comes back without it", "either --erasures or --no-erasures is needed")
		}
		if err := a.confirm(*yes, "restore "+p.rest); err != nil {
			return err
		}
		return a.publicRestore(cmd.Context(), p)
	}
	return cmd
}

func (a *app) publicRestore(ctx context.Context, p *publicParts) error {
	r := claim.Restore{Now: time.Now()}
	for _, part := range []struct {
		file string
		to   *io.Reader
	}{{p.rest, &r.Rest}, {p.keys, &r.Keys}, {p.erasures, &r.Erasures}} {
		if part.file == "" {
			continue
		}
		f, err := os.Open(part.file)
		if err != nil {
			return &usageError{err: err, hint: "name a file that bongsu public backup wrote"}
		}
		defer func() { _ = f.Close() }()
		*part.to = f
	}
	s, err := a.publicStore(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	r.Store = s.Store
	got, err := work(ctx, a, "restoring", func() (claim.Restored, error) { return r.Run(ctx) })
	if err != nil {
		return err
	}
	if err := settle.MarkRestored(ctx, s.Store, got.At); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "restored %s claims as of %s\n", lang.Number(int64(got.Claims)), got.At.Format(time.RFC3339))
	fmt.Fprintf(a.out, "erased again: %s\n", lang.Number(int64(got.Erased)))
	a.hint("no batch goes on until somebody has held the book against the bank: bongsu claim payout resume")
	if got.Keyless > 0 {
		a.warn(fmt.Sprintf("%s claims have no key in the backup: what is personal in them cannot be read any more", lang.Number(int64(got.Keyless))))
	}
	if got.LeftKeys > 0 {
		a.warn(fmt.Sprintf("%s keys are of claims that the backup does not have: it is older than the keys", lang.Number(int64(got.LeftKeys))))
	}
	return nil
}

func (a *app) sqlReplay(ctx context.Context, p *publicParts, yes bool) error {
	f, err := os.Open(p.erasures)
	if err != nil {
		return &usageError{err: err, hint: "name a file that bongsu public backup --erasures wrote"}
	}
	defer func() { _ = f.Close() }()
	ids, err := claim.ReadErasures(f)
	if err != nil {
		return err
	}
	if err := a.confirm(yes, "erase again what is on "+strings.TrimSpace(p.erasures)); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, p.postgres)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.Claims(nil).Replay(ctx, ids)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "erased again: %s\n", lang.Number(int64(n)))
	return nil
}
