package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bongsu/estate"
)

func estateDiffCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what changed from one estate to another",
		Long: `Compare the estates in the folders OLD and NEW by what they say, whatever files
it stands in: + is a new document, - one that is gone, ~ one that changed, with
each field.

With --format json: {old, new, changes}; a change is {what, kind, name, fields},
what is added, removed or changed, and a field is {path, old, new}.`,
		Example:           `  bongsu estate diff examples/kakao-2022 examples/kakao-2023`,
		Args:              exactly("OLD", "NEW"),
		ValidArgsFunction: folders,
	}
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		before, err := a.load(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		after, err := a.load(cmd.Context(), args[1])
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
	d := difference{Old: before.Rev, New: after.Rev, Changes: []changeRecord{}}
	for _, c := range changes {
		r := changeRecord{What: c.What, Kind: c.Kind.String(), Name: c.Name, Fields: []fieldRecord{}}
		for _, f := range c.Fields {
			r.Fields = append(r.Fields, fieldRecord(f))
		}
		d.Changes = append(d.Changes, r)
	}
	return d
}
