package web

import (
	"fmt"
	"net/http"
	"time"
)

// beat is how often a stream says that it is alive. Without it neither side, nor
// a proxy between them, can tell silence from a cut line.
const beat = 15 * time.Second

// stalled is how long a reader may leave an event unread before it is given up.
const stalled = 10 * time.Second

// apiEvents is a stream of server-sent events: "change" when something may have
// changed, and the reader asks again for what it shows. No event carries the
// change itself, so a lost one costs nothing but the wait for the next.
func (s *Server) apiEvents(w http.ResponseWriter, r *http.Request, _ Identity) error {
	out := http.NewResponseController(w)
	// The server's limits are for requests; this one lasts. Where the connection
	// knows no deadlines (in tests) there is nothing to lift.
	_ = out.SetReadDeadline(time.Time{})
	changes := s.backend.Changes(r.Context())
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	// The reader's session is asked about again at every event, so that an
	// account that was removed does not go on listening.
	var n int64
	send := func(event string) bool {
		if id, _ := s.identify(r); id.Role < Viewer {
			return false
		}
		n++
		_ = out.SetWriteDeadline(time.Now().Add(stalled))
		if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: {\"at\":%q}\n\n", n, event, time.Now().UTC().Format(time.RFC3339Nano)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("hello") {
		return nil
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		event := "beat"
		select {
		case <-r.Context().Done():
			return nil
		case _, ok := <-changes:
			if !ok {
				return nil
			}
			event = "change"
		case <-tick.C:
		}
		if !send(event) {
			return nil
		}
	}
}
