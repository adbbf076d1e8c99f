package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/internal/lang"
)

func estateGenerateCommand(a *app) *cobra.Command {
	var o estate.GenerateOptions
	cmd := &cobra.Command{
		Use:   "generate DIR",
		Short: "Make up a large estate, to try things on",
		Long: `Write a plausible estate of a large company into DIR, which must be empty or
new: racks, power feeds, quorum stores, primaries and standbys, tools, crews.
The same flags give the same files.`,
		Example: `  bongsu estate generate --sites 5 --servers 32000 --components 10000 \
    --services 2000 --seed 1 /tmp/large`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.estateGenerate(args[0], o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Sites, "sites", 3, "data centres")
	f.IntVar(&o.Servers, "servers", 3000, "servers in all of them")
	f.IntVar(&o.Components, "components", 1000, "components")
	f.IntVar(&o.Services, "services", 200, "services")
	f.IntVar(&o.Needs, "needs", 0, "references in the needs of components; 0 means six for each")
	f.Uint64Var(&o.Seed, "seed", 1, "another seed gives another estate")
	return cmd
}

func (a *app) estateGenerate(dir string, o estate.GenerateOptions) error {
	switch old, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist): // it is made below
	case err != nil:
		return err
	case len(old) > 0:
		return usagef("name a folder that is empty or does not exist", "%s is not empty, and nothing in it is overwritten", dir)
	}
	files, err := estate.Generate(o)
	if err != nil {
		return &usageError{err: err, hint: "see bongsu estate generate --help"}
	}
	size := 0
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			return err
		}
		size += len(f.Data)
	}
	_, err = fmt.Fprintf(a.out, "wrote %s, %s bytes, to %s\n", counted(len(files), "file", "files"), lang.Number(int64(size)), dir)
	return err
}
