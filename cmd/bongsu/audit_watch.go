package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"bongsu/audit"
)

// follow judges the estate again whenever one of its files changes, and prints
// what that changed, until ctx ends. A file that does not load is said and waited
// for: somebody is in the middle of an edit.
func (c *auditRun) follow(ctx context.Context, dir string) error {
	r, err := c.again(ctx, dir)
	if err != nil {
		return auditError(err)
	}
	t := auditPrinter{app: c.app, p: c.palette(), most: 20}
	if c.all {
		t.most = max(len(r.Findings), t.most)
	}
	t.print(r, nil)
	fmt.Fprintf(c.err, "bongsu: watching %s; press Ctrl-C to stop\n", dir)
	seen := stamps(dir)
	ticker := time.NewTicker(300 * time.Millisecond)
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
		next, err := c.again(ctx, dir)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			c.exit(err)
			continue
		}
		diff := audit.Compare(r, next)
		fmt.Fprintf(c.out, "\n%s\n", c.palette().bold(time.Now().Format(time.TimeOnly)+" the estate changed"))
		t.print(diff.Report, diff)
		r = next
	}
}

// again loads and judges, with the clock's time unless --now gave one.
func (c *auditRun) again(ctx context.Context, dir string) (*audit.Report, error) {
	if time.Time(c.now).IsZero() {
		c.opts.Now = time.Now()
	}
	s, err := c.load(ctx, dir)
	if err != nil {
		return nil, err
	}
	return audit.Check(s, c.opts)
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
