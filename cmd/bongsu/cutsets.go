package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"bongsu/cutset"
	"bongsu/estate"
	"bongsu/internal/lang"
)

func cutsetsCommand(a *app) *cobra.Command {
	c := &cutsetsRun{app: a}
	cmd := &cobra.Command{
		Use:   "cutsets DIR --of SERVICE",
		Short: "Find the smallest sets of losses that take a service down",
		Long: `Find the minimal cut sets of a service: the smallest sets of domains whose loss
takes its core down at once, exactly. What could be done about it afterwards
plays no part; that is bongsu impact.

They are counted without being listed, so that billions are no obstacle, and
listed where there are at most a million. Where the node budget does not
suffice, the answer is complete up to an order and says so.

--openpsa FILE reads a coherent fault tree in Open-PSA MEF XML instead of an
estate; --of then names its top gate, if more than one could be it. Of a model
in several files each gets a flag of its own, in any order. --export openpsa
writes the tree instead of solving it. The probability of a domain is that of at
least one loss in a year, from its rate.

With --format json: {of, count, byOrder, complete, upTo, sets}. Numbers of sets
are strings, as they can be larger than any number that JSON readers handle;
byOrder has them by number of members. With complete false, count and byOrder
cover sets of up to upTo members. Sets of --top come in order of rank, all
others small ones first.`,
		Example: `  bongsu cutsets examples/kakao-2022 --of kakaotalk
  bongsu cutsets examples/kakao-2022 --of kakaotalk --leaves components
  bongsu cutsets examples/two-sites --of shop --format json
  bongsu cutsets examples/two-sites --of shop --export openpsa > shop.xml
  bongsu cutsets --openpsa shop.xml --count
  bongsu cutsets --openpsa tree.xml --openpsa basic-events.xml`,
		Args:              between(0, "DIR"),
		ValidArgsFunction: folders,
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.check(cmd, args); err != nil {
			return err
		}
		return c.run(cmd.Context(), args)
	}
	return cmd
}

// A cutsetsRun is one call of bongsu cutsets.
type cutsetsRun struct {
	*app
	of          string
	leaves      choice
	order, top  int
	count       bool
	by          choice
	budget      int
	openpsa     []string
	export      choice
	certificate string
	all         bool
	format      *format

	snap *estate.Snapshot // nil with --openpsa
	kind map[string]estate.Ref
}

func (c *cutsetsRun) flags(cmd *cobra.Command) {
	c.leaves = choice{value: "domains", all: []string{"domains", "components"}}
	c.by = choice{value: "cost", all: []string{"cost", "probability"}}
	c.export = choice{all: []string{"openpsa"}}
	f := cmd.Flags()
	f.StringVar(&c.of, "of", "", "the `service`, or with --openpsa the top gate")
	c.leaves.flag(cmd, "leaves", "what a set is made of: domains, or domains and components (a component that is lost does not hold)")
	f.IntVar(&c.order, "order", 0, "only sets of at most so many `members`")
	f.BoolVar(&c.count, "count", false, "only count")
	f.IntVar(&c.top, "top", 0, "list only the first `n` by rank, and count no more than that takes")
	c.by.flag(cmd, "by", "what ranks with --top: the cheapest first (cost) or the likeliest (probability)")
	f.IntVar(&c.budget, "budget", cutset.DefaultNodeBudget, "how many `nodes` of about 50 bytes to spend before answering up to an order")
	f.StringArrayVar(&c.openpsa, "openpsa", nil, "read a fault tree from an Open-PSA `file` instead of an estate; give one for each file of the model")
	c.export.flag(cmd, "export", "write the tree to standard output instead of solving it")
	f.StringVar(&c.certificate, "certificate", "", "also write a `file` that bongsu verify checks")
	f.BoolVar(&c.all, "all", false, "print long lists in full")
	c.format = formatFlag(cmd)
	err := cmd.RegisterFlagCompletionFunc("of", func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return serviceNames(args[0]), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // unreachable: the flag was defined just before, once
	}
}

// serviceNames lists the services of the estate in dir with their titles, as
// the shell's completion wants them; none if the estate does not load.
func serviceNames(dir string) []string {
	s, err := loadEstate(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(s.Services))
	for i := range s.Services {
		names[i] = cobra.CompletionWithDesc(s.Services[i].Name, s.Services[i].Title)
	}
	return names
}

// A choice is the value of a flag that takes one of a few words.
type choice struct {
	value string
	all   []string
}

func (c *choice) Type() string   { return strings.Join(c.all, "|") }
func (c *choice) String() string { return c.value }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.all, s) {
		return errors.New("expected " + strings.Join(c.all, " or "))
	}
	c.value = s
	return nil
}

func (c *choice) flag(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(c, name, usage)
	complete(cmd, name, c.all...)
}

// check refuses flags that make no sense, or not together.
func (c *cutsetsRun) check(cmd *cobra.Command, args []string) error {
	hint := "see " + cmd.CommandPath() + " --help"
	switch {
	case len(c.openpsa) == 0 && len(args) == 0:
		return usagef(hint, "DIR is missing; or name a fault tree with --openpsa FILE")
	case len(c.openpsa) > 0 && len(args) > 0:
		return usagef(hint, "both %s and --openpsa %s are given; a tree comes from one of them", args[0], c.openpsa[0])
	case len(c.openpsa) > 0 && cmd.Flags().Changed("leaves"):
		return usagef(hint, "--leaves chooses what of an estate can be lost; a fault tree has its own leaves")
	case len(c.openpsa) == 0 && c.of == "":
		return usagef("bongsu estate show "+args[0]+" lists the services", "--of is missing: say which service")
	case cmd.Flags().Changed("order") && c.order < 1, cmd.Flags().Changed("top") && c.top < 1, c.budget < 1:
		return usagef(hint, "--order, --top and --budget take numbers above 0")
	case c.count && c.top > 0:
		return usagef(hint, "--count lists nothing and --top lists the first; ask for one of them")
	case c.count && c.certificate != "":
		return usagef(hint, "--count lists nothing that a certificate could prove; leave it out, or bound --order")
	case cmd.Flags().Changed("by") && c.top == 0:
		return usagef(hint, "--by ranks the sets of --top; say how many with --top N")
	}
	return nil
}

func (c *cutsetsRun) run(ctx context.Context, args []string) error {
	tree, err := c.tree(ctx, args)
	if err != nil {
		return err
	}
	if c.export.value != "" {
		flat, err := tree.Unroll()
		if err != nil {
			return usagef("cut the cycle of run-time needs somewhere for the export", "%s: %w", c.of, err)
		}
		return cutset.WriteOpenPSA(c.out, flat)
	}
	r, err := work(ctx, c.app, "finding cut sets", func() (*cutset.Result, error) { return c.solve(tree) })
	if err != nil {
		hint := ""
		if c.snap != nil && c.by.value == "probability" {
			hint = "give every domain that the service stands on a rate, in losses a year; docs/format.md says how"
		}
		return usagef(hint, "%s: %w", c.of, err)
	}
	if c.certificate != "" {
		if err := c.certify(tree, r); err != nil {
			return err
		}
	}
	if *c.format == formatJSON {
		return c.printJSON(c.answer(tree, r))
	}
	c.print(tree, r)
	return nil
}

// tree reads the tree from the estate or the model, and gives c.of its full name.
func (c *cutsetsRun) tree(ctx context.Context, args []string) (*cutset.Tree, error) {
	if len(c.openpsa) > 0 {
		t, err := work(ctx, c.app, "reading "+listed(c.openpsa, 2), c.model)
		if err != nil {
			return nil, err
		}
		if i, ok := t.Top.Gate(); ok {
			c.of = t.Gates[i].Name
		}
		return t, nil
	}
	s, err := c.load(ctx, args[0])
	if err != nil {
		return nil, err
	}
	service, err := s.Find(c.of, estate.KindService)
	if err != nil {
		return nil, fmt.Errorf("--of: %w", err)
	}
	c.of, c.snap = service.Name, s
	leaves := cutset.Domains
	if c.leaves.value == "components" {
		leaves = cutset.Components
	}
	t := cutset.FromEstate(s, service.Index, leaves)
	c.kind = map[string]estate.Ref{}
	for i := range s.Domains {
		c.name(estate.Ref{Kind: estate.KindDomain, Index: i, Name: s.Domains[i].Name})
	}
	for i := range s.Components {
		c.name(estate.Ref{Kind: estate.KindComponent, Index: i, Name: s.Components[i].Name})
	}
	return &t, nil
}

func (c *cutsetsRun) name(r estate.Ref) { c.kind[c.snap.NameOf(r)] = r }

// model reads the tree from all files of the model, by name, so that their order does not matter.
func (c *cutsetsRun) model() (*cutset.Tree, error) {
	slices.Sort(c.openpsa)
	var files []io.Reader
	for i, name := range c.openpsa {
		if i > 0 && name == c.openpsa[i-1] {
			return nil, usagef("give each file of the model once", "--openpsa %s is given twice", name)
		}
		f, err := os.Open(name)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, usagef("bongsu cutsets DIR --of SERVICE --export openpsa writes one", "there is no file %s", name)
			}
			return nil, err
		}
		defer func() { _ = f.Close() }()
		files = append(files, f)
	}
	t, err := cutset.ReadOpenPSATop(c.of, files...)
	if _, ok := errors.AsType[*cutset.CycleError](err); ok {
		return nil, usagef("an Open-PSA model has no cycles: no gate may depend on itself, through whatever others", "%w", err)
	}
	if errors.Is(err, cutset.ErrUndefined) {
		return nil, usagef("where a model is in several files, give --openpsa FILE for each of them", "%w", err)
	}
	if errors.Is(err, cutset.ErrLarge) {
		return nil, usagef("leave out what --of does not need, or spread the model over several files, each with --openpsa FILE", "%w", err)
	}
	if errors.Is(err, cutset.ErrInput) || errors.Is(err, syscall.EISDIR) {
		return nil, usagef("a model is an Open-PSA MEF file with and, or and atleast gates; --of names its top gate", "%w", err)
	}
	return &t, err
}

// solve lists what it may: all sets, the first by rank, or, where there are too
// many, those of the orders that are few.
func (c *cutsetsRun) solve(t *cutset.Tree) (*cutset.Result, error) {
	o := cutset.Options{MaxOrder: c.order, NodeBudget: c.budget}
	switch {
	case c.count:
		return cutset.Solve(*t, o)
	case c.top > 0:
		o.Top, o.RankOnly = c.top, true
		if c.by.value == "probability" {
			o.By = cutset.ByProbability
		}
		return cutset.Solve(*t, o)
	}
	o.List = true
	r, err := cutset.Solve(*t, o)
	if !errors.Is(err, cutset.ErrTooMany) {
		return r, err
	}
	o.List = false
	if r, err = cutset.Solve(*t, o); err != nil {
		return nil, err
	}
	few, sum := 0, new(big.Int)
	for k, n := range r.ByOrder {
		if sum.Add(sum, n).Cmp(big.NewInt(cutset.DefaultListLimit)) > 0 {
			break
		}
		few = k
	}
	if few == 0 {
		return r, nil
	}
	o.List, o.MaxOrder = true, few
	small, err := cutset.Solve(*t, o)
	if err != nil {
		return nil, err
	}
	r.Sets = small.Sets
	return r, nil
}

// sets returns the sets by name, a member as a need would write it: by rank, or
// small ones first.
func (c *cutsetsRun) sets(t *cutset.Tree, r *cutset.Result) [][]string {
	out := make([][]string, len(r.Sets))
	for i, set := range r.Sets {
		out[i] = make([]string, len(set))
		for j, l := range set {
			out[i][j] = t.Leaves[l].Name
		}
		slices.Sort(out[i])
	}
	if c.top == 0 {
		slices.SortFunc(out, func(a, b []string) int { return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b)) })
	}
	return out
}

// A cutsetsAnswer is the contract of --format json.
type cutsetsAnswer struct {
	Of       string            `json:"of"`
	Estate   string            `json:"estate,omitempty"` // revision
	Leaves   string            `json:"leaves,omitempty"`
	Count    string            `json:"count"`
	ByOrder  map[string]string `json:"byOrder"`
	Complete bool              `json:"complete"`
	UpTo     int               `json:"upTo"`
	Order    int               `json:"order,omitempty"` // of --order
	Ranked   bool              `json:"ranked,omitempty"`
	Sets     [][]string        `json:"sets"`
}

func (c *cutsetsRun) answer(t *cutset.Tree, r *cutset.Result) cutsetsAnswer {
	v := cutsetsAnswer{
		Of: c.of, Count: r.Count.String(), ByOrder: map[string]string{}, Complete: r.Complete, UpTo: r.UpTo,
		Order: c.order, Ranked: r.Ranked, Sets: c.sets(t, r),
	}
	if c.snap != nil {
		v.Estate, v.Leaves = c.snap.Rev, c.leaves.value
	}
	for k, n := range r.ByOrder {
		if n.Sign() > 0 {
			v.ByOrder[fmt.Sprint(k)] = n.String()
		}
	}
	return v
}

// groupedBig is lang.Number for numbers of any size.
func groupedBig(n *big.Int) string {
	s := n.String()
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// countedBig is counted for numbers of any size.
func countedBig(n *big.Int, one, many string) string {
	if n.IsInt64() && n.Int64() == 1 {
		return "1 " + one
	}
	return groupedBig(n) + " " + many
}

// print tells the answer to people.
func (c *cutsetsRun) print(t *cutset.Tree, r *cutset.Result) {
	most := 20
	if c.all {
		most = len(r.Sets)
	}
	what := c.of
	if c.snap != nil {
		if ref, ok := c.snap.Lookup(estate.KindService, c.of); ok {
			what = titled(c.of, c.snap.Services[ref.Index].Title)
		}
	}
	switch {
	case r.Count.Sign() == 0 && r.Complete && c.order == 0:
		c.heading("minimal cut sets of "+what, "none")
		c.paragraph("No loss takes it down. If it has no needs, say in the estate what it stands on.")
		return
	case len(r.ByOrder) > 0 && r.ByOrder[0].Sign() > 0:
		c.heading("minimal cut sets of "+what, "the empty set")
		c.paragraph("It is down as it stands, before anything is lost. bongsu impact says why.")
		return
	}
	c.heading("minimal cut sets of "+what, c.scope(r))
	c.orders(r)
	if len(r.Sets) == 0 {
		if c.top > 0 && c.by.value == "probability" && r.Count.Sign() > 0 {
			c.paragraph("None is listed: each has a member of probability 0, so that none can happen. --by cost ranks them all the same.")
		}
		return
	}
	titles := "sets"
	if c.top > 0 {
		titles = "the first " + counted(len(r.Sets), "set", "sets") + " by " + c.by.value
		if !r.Ranked {
			titles += " among these"
		}
	}
	c.section(titles, "")
	sets := c.sets(t, r)
	for _, set := range sets[:min(len(sets), most)] {
		words := make([]string, 0, len(set))
		for _, n := range set {
			words = append(words, c.titled(n))
		}
		c.item(strings.Join(words, " + "))
	}
	if left := len(sets) - most; left > 0 {
		fmt.Fprintf(c.out, "... and %s more: --all prints them.\n", lang.Number(int64(left)))
	}
	if c.top == 0 && r.Count.Cmp(big.NewInt(int64(len(sets)))) > 0 {
		fmt.Fprintln(c.out, "Larger sets are too many to list: they are counted only.")
	}
}

// scope says how many there are, and what that covers.
func (c *cutsetsRun) scope(r *cutset.Result) string {
	count := countedBig(r.Count, "set", "sets")
	switch {
	case r.Complete && c.order > 0:
		return fmt.Sprintf("%s of at most %s, all of them", count, counted(c.order, "member", "members"))
	case r.Complete:
		return count + ", all of them"
	case c.top > 0 && r.Ranked:
		const rest = "were not counted, as none ranks before those below"
		if r.UpTo == 0 {
			return "they " + rest
		}
		if r.Count.Sign() == 0 {
			count = "none"
		}
		return fmt.Sprintf("%s of at most %s; larger ones %s", count, counted(r.UpTo, "member", "members"), rest)
	}
	return fmt.Sprintf("%s; complete up to order %d: the budget of %s does not suffice for larger sets",
		count, r.UpTo, counted(c.budget, "node", "nodes"))
}

func (c *cutsetsRun) orders(r *cutset.Result) {
	t := table{right: []bool{true}}
	for k, n := range r.ByOrder {
		if n.Sign() > 0 {
			t.add("of "+counted(k, "member", "members"), cell{text: groupedBig(n)})
		}
	}
	t.print(c.out)
}

// titled adds the title of a leaf, if the estate has one.
func (c *cutsetsRun) titled(name string) string {
	if ref, ok := c.kind[name]; ok {
		return titled(name, c.snap.Doc(ref).Title)
	}
	return name
}
