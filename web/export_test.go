package web

import (
	"time"

	"bongsu/internal/lang"
)

// Route is a route as tests enumerate them.
type Route struct {
	Method, Path string
	Role         Role
}

// Routes lists what the server answers.
func (s *Server) Routes() []Route {
	var out []Route
	for _, r := range s.routes() {
		out = append(out, Route{r.method, r.path, r.role})
	}
	return out
}

// Catalogues returns the messages by language and key.
func Catalogues() (lang.Catalogues, error) { return loadCatalogues() }

// Exported for tests of the pure parts.
var (
	LocalPath = localPath
	TickStep  = tickStep
	TrendOf   = trendOf
)

// NewSay returns what tells a sentence in a language, as the pages do.
func NewSay() (func(lang.Lang, string) string, error) {
	messages, err := loadCatalogues()
	if err != nil {
		return nil, err
	}
	s := &Server{messages: messages, sentences: newSentences(messages)}
	return s.say, nil
}

// TimelineParts returns what tests look at of a picture.
func TimelineParts(r *Run, now time.Time) (bars int, lanes []string, hasNow bool, nowX string) {
	t := drawTimeline(r, now, lanesBySite)
	for _, l := range t.Lanes {
		lanes = append(lanes, l.Name)
	}
	return len(t.Bars), lanes, t.HasNow, t.NowX
}

// Limiter is a limiter of attempts.
type Limiter struct{ l *limiter }

// NewLimiter makes one.
func NewLimiter(burst int, every time.Duration, most int) Limiter {
	return Limiter{newLimiter(burst, every, most)}
}

// Take uses one attempt.
func (l Limiter) Take(key string, now time.Time) (time.Duration, bool) { return l.l.take(key, now) }
