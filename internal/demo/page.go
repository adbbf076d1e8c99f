package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"bongsu/status"
)

// A word is what a public page says, as anybody may read it: it is asked over HTTP,
// without a password and without control.
type word struct {
	AsOf      time.Time         `json:"asOf"`
	Until     time.Time         `json:"until"`
	Stale     bool              `json:"stale"` // the page says that all is unknown
	Incidents []status.Incident `json:"incidents"`
}

// told is what a reader of the public pages saw.
type told struct {
	first time.Duration // from the loss to the first word on a page; 0: there was none
	board bool          // a page showed the recovery board
	wrong string        // how a page differs at the end from what users see; empty: none does
}

const (
	readEvery  = 200 * time.Millisecond
	pageLimit  = 4 << 20
	agreeAfter = 20 * time.Second // the pages have so long to say what users see already
)

// read fetches one file of a page.
func (d *demo) read(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, pageLimit))
}

// says asks what the page of a site says.
func (d *demo) says(ctx context.Context, site string) (word, error) {
	var w word
	text, err := d.read(ctx, d.pages[site]+"/api/v1/incidents.json")
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(text, &w)
}

// surviving are the sites that are not to be lost.
func (d *demo) surviving() []string {
	return slices.DeleteFunc(slices.Clone(d.sites), func(s string) bool { return d.lostSite[s] })
}

// readPages reads the pages of the surviving sites in turn from the loss on, until one
// has told of it and shown the recovery board, or ctx ends.
func (d *demo) readPages(ctx context.Context) told {
	var t told
	for {
		for _, site := range d.surviving() {
			w, err := d.says(ctx, site)
			if err != nil || w.Stale || len(w.Incidents) == 0 {
				continue
			}
			i := w.Incidents[0]
			text, err := d.read(ctx, d.pages[site]+"/en/incidents/"+status.Slug(i.ID)+".html")
			if err != nil {
				continue
			}
			page := html.UnescapeString(string(text))
			if first := firstWords(&i); t.first == 0 && first != "" && strings.Contains(page, first) {
				t.first = time.Since(d.lostAt)
				d.screen.told(site, d.pages[site], first, t.first)
			}
			if !t.board && len(i.Board) > 0 && strings.Contains(page, `class="board"`) {
				t.board = true
				d.screen.board(site, len(i.Board))
			}
			if t.first > 0 && t.board {
				return t
			}
		}
		if !sleep(ctx, readEvery) {
			return t
		}
	}
}

// firstWords returns the first paragraph of what was said first, as it is read; empty if
// nothing was said.
func firstWords(i *status.Incident) string {
	if len(i.Updates) == 0 {
		return ""
	}
	text, _, _ := strings.Cut(i.Updates[len(i.Updates)-1].Body.In("en"), "\n\n")
	return regexp.MustCompile(`\\(.)`).ReplaceAllString(text, "$1") // what Markdown escapes
}

// agree waits until the page of every surviving site says of each service and part
// what users see, and returns what differs if they never do.
func (d *demo) agree(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, agreeAfter)
	defer cancel()
	last := "the pages cannot be read"
	for {
		wrong, back := d.compare(ctx)
		switch {
		case ctx.Err() != nil: // it was not read to the end
		case wrong == "":
			d.screen.agreed(back)
			return ""
		default:
			last = wrong
		}
		if !sleep(ctx, readEvery) {
			return last
		}
	}
}

// compare says what the first page tells otherwise than users see it, else how many
// services the pages say are back.
func (d *demo) compare(ctx context.Context) (wrong, back string) {
	for _, site := range d.surviving() {
		w, err := d.says(ctx, site)
		switch {
		case err != nil:
			return fmt.Sprintf("the page of %s cannot be read: %v", site, err), ""
		case w.Stale:
			return fmt.Sprintf("the page of %s says that all is unknown", site), ""
		}
		if x := d.differs(w); x != "" {
			return "the page of " + site + " says " + x, ""
		}
		if len(w.Incidents) > 0 && w.Incidents[0].Progress != nil {
			p := w.Incidents[0].Progress
			back = fmt.Sprintf("; %d of %d services are back", p.Back, p.Of)
		}
	}
	return "", back
}

// differs says what a page tells otherwise than users see it; empty: nothing. A service
// that is degraded answers, and so does what the page does not name.
func (d *demo) differs(w word) string {
	levels := map[Subject]status.Level{}
	for _, i := range w.Incidents {
		for _, l := range i.Board {
			levels[Subject{l.Service, l.Part}] = l.Level
		}
	}
	for _, x := range d.users.Subjects() {
		level, named := levels[x]
		down := named && level != status.Operational && level != status.Degraded
		switch up := d.users.Tally(x).Up; {
		case up && down:
			return fmt.Sprintf("that %s is %s, and users can use it", d.screen.name(x), level)
		case !up && !down:
			return fmt.Sprintf("nothing of %s being down, and users cannot use it", d.screen.name(x))
		}
	}
	return ""
}

// unknown says since when the pages of the surviving sites tell of nothing any more,
// because control is silent; empty if one of them does not.
func (d *demo) unknown(ctx context.Context) string {
	since := ""
	for _, site := range d.surviving() {
		w, err := d.says(ctx, site)
		if err != nil || !w.Stale {
			return ""
		}
		since = fmt.Sprintf("%.0f s", w.Until.Sub(d.lostAt).Seconds())
	}
	return since
}
