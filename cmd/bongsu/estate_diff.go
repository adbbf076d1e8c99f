package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bongsu/estate"
)

func estateDiffCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD [NEW]",
		Short: "Say what changed from one estate to another",
		Long: `Compare the estates OLD and NEW by what they say, whatever files it stands in: + is
a new document, - one that is gone, ~ one that changed, with each field.

OLD and NEW are folders or, where a node is named, revisions that were pushed. With
one argument the newest revision is OLD and the argument is NEW: what would a push
change?

With --format json: {old, new, changes}; a change is {what, kind, name, fields},
what is added, removed or changed, and a field is {path, old, new}.`,
		Example: `  bongsu estate diff examples/kakao-2022 examples/kakao-2023
  bongsu estate diff mine --config sites/anyang/bongsu.yaml
  bongsu estate diff 3 mine --config sites/anyang/bongsu.yaml`,
		Args:              between(1, "OLD", "NEW"),
		ValidArgsFunction: folders,
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		before, after, err := a.twoEstates(cmd, r, args)
		if err != nil {
			return err
		}
		changes := estate.Diff(before, after)
		if *f == formatJSON {
			return a.printJSON(differenceOf(before, after, changes))
		}
		for _, c := range changes {
			if _, err := fmt.Fprintln(a.out, c); err != nil {
				return err
			}
		}
		if len(changes) == 0 {
			_, err = fmt.Fprintf(a.out, "no difference: both are %s\n", after.Rev)
		}
		return err
	}
	return cmd
}

// twoEstates reads what is to be compared.
func (a *app) twoEstates(cmd *cobra.Command, r *remote, args []string) (before, after *estate.Snapshot, err error) {
	ctx := cmd.Context()
	if len(args) == 2 {
		if before, err = a.source(ctx, r, args[0]); err != nil {
			return nil, nil, err
		}
		after, err = a.source(ctx, r, args[1])
		return before, after, err
	}
	if !r.named() {
		return nil, nil, usagef("name another folder, or a node with --config to compare with what was pushed", "NEW is missing")
	}
	if after, err = a.source(ctx, r, args[0]); err != nil {
		return nil, nil, err
	}
	c, err := a.client(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	_, before, _, err = a.newest(ctx, c)
	return before, after, err
}

// difference is the JSON of bongsu estate diff; a contract.
type difference struct {
	Old     string         `json:"old"` // revisions
	New     string         `json:"new"`
	Changes []changeRecord `json:"changes"`
}

type changeRecord struct {
	What   string        `json:"what"`
	Kind   string        `json:"kind"`
	Name   string        `json:"name"`
	Fields []fieldRecord `json:"fields"`
}

type fieldRecord struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

func differenceOf(before, after *estate.Snapshot, changes []estate.Change) difference {
	return difference{Old: before.Rev, New: after.Rev, Changes: recordsOf(changes)}
}

func recordsOf(changes []estate.Change) []changeRecord {
	records := []changeRecord{}
	for _, c := range changes {
		r := changeRecord{What: c.What, Kind: c.Kind.String(), Name: c.Name, Fields: []fieldRecord{}}
		for _, f := range c.Fields {
			r.Fields = append(r.Fields, fieldRecord(f))
		}
		records = append(records, r)
	}
	return records
}
