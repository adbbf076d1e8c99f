package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/impact"
)

// load reads the estate in dir. Errors name its files as seen from here.
func (a *app) load(ctx context.Context, dir string) (*estate.Snapshot, error) {
	return work(ctx, a, "reading "+dir, func() (*estate.Snapshot, error) { return loadEstate(dir) })
}

func loadEstate(dir string) (*estate.Snapshot, error) {
	files, err := readEstate(dir)
	if err != nil {
		return nil, err
	}
	return parseIn(dir, files)
}

// readEstate returns the files of an estate, named from its folder on.
func readEstate(dir string) ([]estate.File, error) {
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("an estate is a folder of *.yaml files, such as examples/two-sites", "there is no folder %s", dir)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, usagef("name the folder that it is in", "%s is a file; an estate is a folder of *.yaml files", dir)
	}
	files, err := estate.ReadFiles(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, nil
}

// parseIn checks the files of a folder; errors name them as the caller does.
func parseIn(dir string, files []estate.File) (*estate.Snapshot, error) {
	named := slices.Clone(files)
	for i := range named {
		named[i].Name = filepath.Join(dir, filepath.FromSlash(named[i].Name))
	}
	return estate.Parse(named)
}

// loseFlag gives a command whose first argument is an estate the flag --lose.
func loseFlag(cmd *cobra.Command) *[]string {
	lost := cmd.Flags().StringSlice("lose", nil, "the `domains` that are lost: separated by commas, or one flag each")
	err := cmd.RegisterFlagCompletionFunc("lose", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return domainNames(args[0]), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // unreachable: the flag was defined just before, once
	}
	return lost
}

// domainNames lists the domains of the estate in dir with their titles, as the
// shell's completion wants them; none if the estate does not load.
func domainNames(dir string) []string {
	s, err := loadEstate(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(s.Domains))
	for i := range s.Domains {
		names[i] = cobra.CompletionWithDesc(s.Domains[i].Name, s.Domains[i].Title)
	}
	return names
}

// impactOf loads the estate, warns if it looks healthier than it can be, and
// says what the loss does to it.
func (a *app) impactOf(ctx context.Context, dir string, lost []string) (*impact.Impact, error) {
	if len(lost) == 0 {
		return nil, usagef("bongsu estate show "+dir+" lists the domains", "--lose is missing: say which domains are lost")
	}
	s, err := a.load(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, doubt := range doubts(s) {
		a.warn(doubt)
	}
	return work(ctx, a, "following the loss", func() (*impact.Impact, error) { return impact.Of(s, lost) })
}
