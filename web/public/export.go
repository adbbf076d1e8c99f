package public

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/internal/lang"
	"bongsu/status"
)

// ExportOptions say how plain files are written.
type ExportOptions struct {
	Now  time.Time // the moment that the pages are of; zero: now
	Lang lang.Lang // of the files outside ko/ and en/, which a live node writes in the reader's; zero: English

	Compensation *Compensation // what is told of claims; nil: nothing. The form itself is on the live page only
}

// Export writes the site as plain files by calling write for each, with a path that
// holds lower case letters, digits, hyphens, dots and slashes only and stays below
// where it begins. Links are relative, so that the files work in any folder and in
// any bucket. What others point at is written before them, and rev.json, by which
// open pages see a change, last. An error of write ends it.
func Export(ctx context.Context, s *status.State, o ExportOptions, write func(path string, b []byte) error) error {
	r, err := newRenderer()
	if err != nil {
		return err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if !lang.Known(o.Lang) {
		o.Lang = lang.English
	}
	for _, p := range slices.Sorted(maps.Keys(r.assets)) {
		if err := write(p, r.assets[p]); err != nil {
			return fmt.Errorf("write %s: %w", p, err)
		}
	}
	x := newSite(s, o.Compensation, o.Now)
	trees := []out{{lang: o.Lang, neutral: true}}
	for _, l := range lang.All() {
		trees = append(trees, out{lang: l})
	}
	slices.Reverse(trees) // the root of the site, where most begin, last
	for _, at := range trees {
		for _, p := range x.paths(false) {
			if err := ctx.Err(); err != nil {
				return err
			}
			at.path = p
			t, ok := x.find(p, false)
			if !ok {
				return fmt.Errorf("%s is listed and not there", p) // unreachable: a test walks all
			}
			file := prefixOf(at) + p
			if !plainPath(file) {
				return fmt.Errorf("%q is no path of a plain file", file) // unreachable: names become slugs
			}
			b, err := r.file(x, t, at)
			if err != nil {
				return fmt.Errorf("make %s: %w", file, err)
			}
			if err := write(file, b); err != nil {
				return fmt.Errorf("write %s: %w", file, err)
			}
		}
	}
	return nil
}

// plainPath reports whether a path can lead nowhere but below where it begins.
func plainPath(p string) bool {
	if p == "" || p[0] == '/' || strings.HasSuffix(p, "/") {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part[0] == '.' || part[0] == '-' {
			return false
		}
	}
	return !strings.ContainsFunc(p, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-./", r)
	})
}
