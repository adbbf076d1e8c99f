package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"bongsu/estate"
	"bongsu/internal/lang"
)

func estateShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ESTATE [NAME]",
		Short: "Show what is in an estate, or one thing of it",
		Long: `List what ESTATE holds, or print the document called NAME in full, in the canonical
form of the format. Write KIND/NAME where NAME alone is ambiguous. ESTATE is a folder
or, where a node is named, a revision that was pushed.

With --format json: {estate, documents}, each document with the fields of the
format.`,
		Example: `  bongsu estate show examples/two-sites
  bongsu estate show examples/kakao-2022 service/kakaotalk
  bongsu estate show 3 --config sites/anyang/bongsu.yaml`,
		Args: between(1, "ESTATE", "NAME"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return folders(nil, nil, "")
			case 1:
				return documentNames(args[0]), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	r, f := remoteFlags(cmd), formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.source(cmd.Context(), r, args[0])
		if err != nil {
			return err
		}
		refs := documents(s)
		if len(args) > 1 {
			ref, err := s.Find(args[1])
			if err != nil {
				return err
			}
			refs = []estate.Ref{ref}
		}
		switch {
		case *f == formatJSON:
			return a.showJSON(s, refs)
		case len(args) > 1:
			return a.showDocument(s, refs[0])
		}
		a.showList(s, refs)
		return nil
	}
	return cmd
}

// documents lists every document, by kind and name.
func documents(s *estate.Snapshot) []estate.Ref {
	var refs []estate.Ref
	add := func(k estate.Kind, n int) {
		for i := range n {
			r := estate.Ref{Kind: k, Index: i}
			r.Name = s.Doc(r).Name
			refs = append(refs, r)
		}
	}
	add(estate.KindDomain, len(s.Domains))
	add(estate.KindComponent, len(s.Components))
	add(estate.KindService, len(s.Services))
	add(estate.KindCrew, len(s.Crews))
	add(estate.KindLimit, len(s.Limits))
	add(estate.KindProbe, len(s.Probes))
	add(estate.KindOption, len(s.Options))
	return refs
}

// documentNames lists every document as kind/name for the shell's completion.
func documentNames(dir string) []string {
	s, err := loadEstate(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range documents(s) {
		names = append(names, cobra.CompletionWithDesc(r.String(), s.Doc(r).Title))
	}
	return names
}

func (a *app) showList(s *estate.Snapshot, refs []estate.Ref) {
	fmt.Fprintln(a.out, s.Rev)
	for _, kind := range estate.Kinds() {
		var t table
		for _, r := range refs {
			if r.Kind == kind {
				t.right = []bool{false}
				t.add(cmp.Or(s.Doc(r).Title, "-")+note(s, r), cell{text: r.Name})
			}
		}
		if len(t.rows) > 0 {
			a.section(counted(len(t.rows), kind.String(), kind.String()+"s"), "")
			t.print(a.out)
		}
	}
}

// note is the one thing beside its name that a list says about a document.
func note(s *estate.Snapshot, r estate.Ref) string {
	text := ""
	switch r.Kind {
	case estate.KindDomain:
		text = s.Domains[r.Index].Type
	case estate.KindComponent:
		if s.Components[r.Index].Tool {
			text = "tool"
		}
	case estate.KindService:
		text = lang.Number(s.Services[r.Index].Users) + " users"
	case estate.KindCrew:
		if n := s.Crews[r.Index].People; n >= 0 {
			text = counted(n, "person", "people")
		}
	case estate.KindLimit:
		if n := s.Limits[r.Index].Slots; n >= 0 {
			text = counted(n, "slot", "slots")
		}
	case estate.KindProbe:
		text = cmp.Or(s.Probes[r.Index].HTTP, s.Probes[r.Index].TCP)
	case estate.KindOption:
		text = s.Options[r.Index].Type
	default: // a kind without a note
	}
	if text == "" {
		return ""
	}
	return ", " + text
}

func (a *app) showDocument(s *estate.Snapshot, r estate.Ref) error {
	pos := s.Doc(r).Pos
	_, err := fmt.Fprintf(a.out, "# %s:%d\n%s", pos.File, pos.Line, s.EncodeDoc(r))
	return err
}

func (a *app) showJSON(s *estate.Snapshot, refs []estate.Ref) error {
	docs := make([]map[string]any, len(refs))
	for i, r := range refs {
		if err := yaml.Unmarshal(s.EncodeDoc(r), &docs[i]); err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
	}
	return a.printJSON(struct {
		Estate    string           `json:"estate"`
		Documents []map[string]any `json:"documents"`
	}{s.Rev, docs})
}
