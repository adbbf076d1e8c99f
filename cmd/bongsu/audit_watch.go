package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bongsu/audit"
	"bongsu/estate"
)

// lookEvery is how often the files are looked at.
const lookEvery = 100 * time.Millisecond

// follow judges the estate again whenever one of its files changes, and prints
// what that changed, until ctx ends: only what the change reaches is judged anew.
// A file that does not load is said and waited for: somebody is in the middle of
// an edit.
func (c *auditRun) follow(ctx context.Context, dir string) error {
	w := watcher{dir: dir, checker: audit.NewChecker(c.opts), now: c.now}
	r, err := work(ctx, c.app, "auditing", w.judge)
	if err != nil {
		return auditError(err)
	}
	t := auditPrinter{app: c.app, p: c.palette(), most: 20}
	if c.all {
		t.most = max(len(r.Findings), t.most)
	}
	t.print(r, nil)
	c.idle(r.WaivesNothing)
	fmt.Fprintf(c.err, "bongsu: watching %s; press Ctrl-C to stop\n", dir)
	seen := stamps(dir)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := stamps(dir)
		if now == seen {
			continue
		}
		seen = now
		start := time.Now()
		next, err := w.judge()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			c.exit(err)
			continue
		}
		diff := audit.Compare(r, next)
		fmt.Fprintf(c.out, "\n%s %s\n", c.palette().bold(start.Format(time.TimeOnly)), judged(w.checker.Judged(), time.Since(start)))
		t.print(diff.Report, diff)
		c.idle(newlyIdle(r.WaivesNothing, next.WaivesNothing))
		r = next
	}
}

// newlyIdle are the waivers of a list that are not in the one before, on whatever line.
func newlyIdle(before, now []audit.IdleWaiver) []audit.IdleWaiver {
	key := func(w audit.IdleWaiver) [5]string { return [5]string{w.Subject, w.Rule, w.Loss, w.Owner, w.File} }
	had := map[[5]string]bool{}
	for _, w := range before {
		had[key(w)] = true
	}
	return slices.DeleteFunc(slices.Clone(now), func(w audit.IdleWaiver) bool { return had[key(w)] })
}

// judged says what a change was, what had to be judged, and how long that took.
func judged(j audit.Judged, took time.Duration) string {
	what := "nothing had to be judged anew"
	switch {
	case j.Whole:
		what = "everything was judged anew"
	case j.Reached > 0:
		reach := "it reaches"
		if j.Documents != 1 {
			reach = "they reach"
		}
		what = counted(j.Reached, "thing that "+reach+" was", "things that "+reach+" were") + " judged anew"
	}
	if j.Losses > 0 {
		what += ", and " + counted(j.Losses, "loss", "losses") + " for the first time"
	}
	return fmt.Sprintf("%s changed; %s, in %s", counted(j.Documents, "document", "documents"), what, took.Round(time.Millisecond))
}

// A watcher audits one folder again and again.
type watcher struct {
	dir     string
	loader  estate.Loader
	checker *audit.Checker
	now     moment
}

// judge loads and judges, with the clock's time unless --now gave one.
func (w *watcher) judge() (*audit.Report, error) {
	now := time.Time(w.now)
	if now.IsZero() {
		now = time.Now()
	}
	files, err := readEstate(w.dir)
	if err != nil {
		return nil, err
	}
	for i := range files { // errors name them as the caller does
		files[i].Name = filepath.Join(w.dir, filepath.FromSlash(files[i].Name))
	}
	s, err := w.loader.Parse(files)
	if err != nil {
		return nil, err
	}
	return w.checker.Check(s, now)
}

// stamps says in one string which files an estate has, how long they are and when
// they were written; what cannot be read has no stamp.
func stamps(dir string) string {
	var b strings.Builder
	walk := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a file that is gone is a change, which its missing stamp shows
		}
		if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	}
	if err := filepath.WalkDir(dir, walk); err != nil {
		return ""
	}
	return b.String()
}
