package status

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"time"
)

// A Feed is a list of news, newest first, before it is written in a format.
type Feed struct {
	Title   string
	Lang    string
	Home    string // address of the page
	Self    string // address of the feed
	Author  string
	Updated time.Time
	Entries []Entry
}

// An Entry is one piece of news: an incident or planned work as it is now.
type Entry struct {
	ID        string // an IRI that never changes
	Title     string
	Link      string
	Published time.Time
	Updated   time.Time
	Summary   string // plain text
	HTML      string // safe
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Lang    string      `xml:"xml:lang,attr"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Link      atomLink `xml:"link"`
	Summary   string   `xml:"summary"`
	Content   atomText `xml:"content"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// Atom writes the feed as RFC 4287.
func (f *Feed) Atom() ([]byte, error) {
	x := atomFeed{
		Lang: f.Lang, ID: f.Self, Title: f.Title, Updated: f.Updated.UTC().Format(time.RFC3339), Author: f.Author,
		Links: []atomLink{{"alternate", "text/html", f.Home}, {"self", "application/atom+xml", f.Self}},
	}
	for _, e := range f.Entries {
		x.Entries = append(x.Entries, atomEntry{
			ID: e.ID, Title: e.Title, Published: e.Published.UTC().Format(time.RFC3339), Updated: e.Updated.UTC().Format(time.RFC3339),
			Link: atomLink{"alternate", "text/html", e.Link}, Summary: e.Summary, Content: atomText{"html", e.HTML},
		})
	}
	return document(x)
}

type rssFeed struct {
	XMLName xml.Name   `xml:"rss"`
	Version string     `xml:"version,attr"`
	Atom    string     `xml:"xmlns:atom,attr"`
	Channel rssChannel `xml:"channel"`
}

type rssChannel struct {
	Title       string    `xml:"title"`
	Link        string    `xml:"link"`
	Description string    `xml:"description"`
	Language    string    `xml:"language"`
	Built       string    `xml:"lastBuildDate"`
	Self        rssSelf   `xml:"atom:link"`
	Items       []rssItem `xml:"item"`
}

type rssSelf struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type rssItem struct {
	Title       string  `xml:"title"`
	Link        string  `xml:"link"`
	GUID        rssGUID `xml:"guid"`
	PubDate     string  `xml:"pubDate"`
	Description string  `xml:"description"`
}

type rssGUID struct {
	Permalink bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

// RSS writes the feed as RSS 2.0. What was told anew is a new item there, because
// readers of RSS do not look at an old one again.
func (f *Feed) RSS() ([]byte, error) {
	x := rssFeed{Version: "2.0", Atom: "http://www.w3.org/2005/Atom", Channel: rssChannel{
		Title: f.Title, Link: f.Home, Description: f.Title, Language: f.Lang, Built: f.Updated.UTC().Format(time.RFC1123Z),
		Self: rssSelf{"self", "application/rss+xml", f.Self},
	}}
	for _, e := range f.Entries {
		x.Channel.Items = append(x.Channel.Items, rssItem{
			Title: e.Title, Link: e.Link, GUID: rssGUID{ID: e.ID + "#" + e.Updated.UTC().Format(time.RFC3339)},
			PubDate: e.Updated.UTC().Format(time.RFC1123Z), Description: e.HTML,
		})
	}
	return document(x)
}

func document(x any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", " ")
	if err := enc.Encode(x); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// JSON writes the feed as JSON Feed 1.1.
func (f *Feed) JSON() ([]byte, error) {
	type author struct {
		Name string `json:"name"`
	}
	type item struct {
		ID        string    `json:"id"`
		URL       string    `json:"url"`
		Title     string    `json:"title"`
		Summary   string    `json:"summary"`
		HTML      string    `json:"content_html"`
		Published time.Time `json:"date_published"`
		Modified  time.Time `json:"date_modified"`
	}
	x := struct {
		Version string   `json:"version"`
		Title   string   `json:"title"`
		Home    string   `json:"home_page_url"`
		Self    string   `json:"feed_url"`
		Lang    string   `json:"language"`
		Authors []author `json:"authors"`
		Items   []item   `json:"items"`
	}{"https://jsonfeed.org/version/1.1", f.Title, f.Home, f.Self, f.Lang, []author{{f.Author}}, []item{}}
	for _, e := range f.Entries {
		x.Items = append(x.Items, item{
			ID: e.ID, URL: e.Link, Title: e.Title, Summary: e.Summary, HTML: e.HTML,
			Published: e.Published.UTC().Truncate(time.Second), Modified: e.Updated.UTC().Truncate(time.Second),
		})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	if err := enc.Encode(x); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
