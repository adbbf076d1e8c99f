package web

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		// unreachable: what is written here is made of our own types only.
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		return // the reader left; there is nobody to tell
	}
}

// readJSON decodes a request strictly: a field that is not known is an error,
// because a misspelt one would be a decision that was not carried out.
func readJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fmt.Errorf("content type %q, want application/json: %w", r.Header.Get("Content-Type"), ErrBadInput)
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badForm(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more than one JSON value: %w", ErrBadInput)
	}
	return nil
}

func (s *Server) apiHealth(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Health{Site: f.Site, OK: true, Quorum: f.Quorum.OK})
	return nil
}

func (s *Server) apiNow(w http.ResponseWriter, r *http.Request, _ Identity) error {
	n, err := s.now(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, n)
	return nil
}

func (s *Server) apiMembers(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	members := f.Members
	if members == nil {
		members = []Member{}
	}
	writeJSON(w, http.StatusOK, map[string][]Member{"members": members})
	return nil
}

func (s *Server) apiIncidents(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	out := []Incident{}
	for i := range f.Incidents {
		out = append(out, incidentOf(&f.Incidents[i]))
	}
	writeJSON(w, http.StatusOK, map[string][]Incident{"incidents": out})
	return nil
}

func (s *Server) apiIncident(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	inc, err := findIncident(f, r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, inc)
	return nil
}

// A declareRequest is the body of POST /api/v1/incidents.
type declareRequest struct {
	Lost []string `json:"lost"`
	Why  string   `json:"why"`
}

// A whyRequest is the body of every other decision.
type whyRequest struct {
	Why string `json:"why"`
}

// A Done is the answer to a decision: the name of what it changed.
type Done struct {
	ID    string `json:"id"`
	Asked string `json:"asked,omitempty"` // it is not done yet: who has to do what before
}

func (s *Server) apiDeclare(w http.ResponseWriter, r *http.Request, id Identity) error {
	var req declareRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	done, err := s.declare(r.Context(), id, req.Lost, req.Why)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, Done{ID: done})
	return nil
}

func (s *Server) apiDo(w http.ResponseWriter, r *http.Request, id Identity, c Command, verbs map[Verb]Role) error {
	var req whyRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	c.Why = req.Why
	return s.apiDone(w, r, id, c, verbs)
}

// apiDone carries out a decision. One that waits for a second person is accepted and
// not done, and the answer says so.
func (s *Server) apiDone(w http.ResponseWriter, r *http.Request, id Identity, c Command, verbs map[Verb]Role) error {
	done, err := s.do(r.Context(), id, c, verbs)
	switch {
	case errors.Is(err, ErrSecond):
		writeJSON(w, http.StatusAccepted, Done{ID: done, Asked: err.Error()})
	case err != nil:
		return err
	default:
		writeJSON(w, http.StatusOK, Done{ID: done})
	}
	return nil
}

func (s *Server) apiRuns(w http.ResponseWriter, r *http.Request, _ Identity) error {
	n, err := s.now(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string][]Summary{"runs": n.Runs})
	return nil
}

func (s *Server) apiRun(w http.ResponseWriter, r *http.Request, _ Identity) error {
	view, err := s.backend.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, runOf(&view))
	return nil
}

func (s *Server) apiRunVerb(w http.ResponseWriter, r *http.Request, id Identity) error {
	return s.apiDo(w, r, id, Command{Verb: Verb(r.PathValue("verb")), Run: r.PathValue("id")}, runVerbs())
}

func (s *Server) apiStepVerb(w http.ResponseWriter, r *http.Request, id Identity) error {
	step, verb := cutLast(r.PathValue("rest"))
	return s.apiDo(w, r, id, Command{Verb: Verb(verb), Run: r.PathValue("id"), Step: step}, stepVerbs())
}

// An Estate is one revision with its files, as GET /api/v1/estate answers. A file
// that is not UTF-8 has a value that begins with "base64:".
type Estate struct {
	Revision

	Files map[string]string `json:"files"`
}

const base64Mark = "base64:"

func encodeFile(b []byte) string {
	if utf8.Valid(b) && !bytes.HasPrefix(b, []byte(base64Mark)) {
		return string(b)
	}
	return base64Mark + base64.StdEncoding.EncodeToString(b)
}

func decodeFile(s string) ([]byte, error) {
	if enc, ok := strings.CutPrefix(s, base64Mark); ok {
		return base64.StdEncoding.DecodeString(enc)
	}
	return []byte(s), nil
}

func (s *Server) apiEstate(w http.ResponseWriter, r *http.Request, _ Identity) error {
	files, rev, err := s.backend.Files(r.Context(), r.URL.Query().Get("rev"))
	if err != nil {
		return err
	}
	out := Estate{Revision: rev, Files: make(map[string]string, len(files))}
	for name, b := range files {
		out.Files[name] = encodeFile(b)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) apiEstateLog(w http.ResponseWriter, r *http.Request, _ Identity) error {
	log, err := s.backend.Log(r.Context())
	if err != nil {
		return err
	}
	if log == nil {
		log = []Revision{}
	}
	writeJSON(w, http.StatusOK, map[string][]Revision{"revisions": log})
	return nil
}

type pushRequest struct {
	Files map[string]string `json:"files"`
	Why   string            `json:"why"`
}

// apiPush takes an estate as JSON ({"files": {name: text}, "why": …}) or as a
// tar archive with the reason in the query. Who pushed is who the token says.
func (s *Server) apiPush(w http.ResponseWriter, r *http.Request, id Identity) error {
	var files map[string][]byte
	why := r.URL.Query().Get("why")
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-tar" {
		if files, err = untar(r.Body); err != nil {
			return err
		}
	} else {
		var req pushRequest
		if err := readJSON(r, &req); err != nil {
			return err
		}
		why = req.Why
		files = make(map[string][]byte, len(req.Files))
		for name, text := range req.Files {
			b, err := decodeFile(text)
			if err != nil {
				return fmt.Errorf("file %s: %w: %v", name, ErrBadInput, err)
			}
			files[name] = b
		}
	}
	for name := range files {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return fmt.Errorf("no file was sent: %w", ErrBadInput)
	}
	rev, err := s.backend.Push(r.Context(), files, id.Name, strings.TrimSpace(why))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, rev)
	return nil
}

// checkName refuses names that would leave the folder that an estate is written to.
func checkName(name string) error {
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("file name %q is no plain relative path: %w", name, ErrBadInput)
	}
	return nil
}

func untar(r io.Reader) (map[string][]byte, error) {
	files := make(map[string][]byte)
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, badForm(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(t) // the limit of the request bounds it
		if err != nil {
			return nil, badForm(err)
		}
		files[strings.TrimPrefix(h.Name, "./")] = b
	}
}

type rollbackRequest struct {
	Rev string `json:"rev"`
	Why string `json:"why"`
}

func (s *Server) apiRollback(w http.ResponseWriter, r *http.Request, id Identity) error {
	var req rollbackRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	why, err := reason(req.Why)
	if err != nil {
		return err
	}
	rev, err := s.backend.Rollback(r.Context(), req.Rev, id.Name, why)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, rev)
	return nil
}

// apiBackup streams a snapshot. When it breaks on the way the connection is cut,
// so that half a backup never looks like a whole one.
func (s *Server) apiBackup(w http.ResponseWriter, r *http.Request, id Identity) error {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it lasts as long as it lasts
	out := &counted{w: w, before: func() {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="bongsu-`+time.Now().UTC().Format("20060102T150405Z")+`.snapshot"`)
	}}
	err := s.backend.Backup(r.Context(), out)
	switch {
	case err == nil:
		s.log.Info("backup taken", "who", id.Name, "bytes", out.n)
	case out.n == 0:
		return err
	default:
		s.log.Warn("backup broke", "who", id.Name, "bytes", out.n, "error", err.Error())
		panic(http.ErrAbortHandler)
	}
	return nil
}

// counted tells whether anything was written, and does something before it is.
type counted struct {
	w      io.Writer
	before func()
	n      int64
}

func (c *counted) Write(b []byte) (int, error) {
	if c.n == 0 {
		c.before()
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// apiPing commits one small write: whoever watches the control plane asks for it.
func (s *Server) apiPing(w http.ResponseWriter, r *http.Request, _ Identity) error {
	if err := s.backend.Ping(r.Context()); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Done{ID: "written"})
	return nil
}

func (s *Server) apiRestore(w http.ResponseWriter, r *http.Request, id Identity) error {
	if err := s.backend.Restore(r.Context(), r.Body, id.Name); err != nil {
		return err
	}
	s.log.Info("store restored", "who", id.Name)
	writeJSON(w, http.StatusOK, Done{ID: "restored"})
	return nil
}

// A replaceRequest is the body of POST /api/v1/members/replace and, without lost, of
// POST /api/v1/members/move.
type replaceRequest struct {
	Lost string `json:"lost,omitempty"`
	Name string `json:"name"`
	Peer string `json:"peer"`
	Why  string `json:"why"`
}

// replacement reads which member is to be where, and why.
func replacement(r *http.Request, id Identity) (Replacement, error) {
	var req replaceRequest
	if err := readJSON(r, &req); err != nil {
		return Replacement{}, err
	}
	why, err := reason(req.Why)
	if err != nil {
		return Replacement{}, err
	}
	if req.Name == "" {
		return Replacement{}, fmt.Errorf("the name of the member is missing: %w", ErrBadInput)
	}
	if host, port, err := net.SplitHostPort(req.Peer); err != nil || host == "" || port == "" {
		return Replacement{}, fmt.Errorf("%q is not host:port, such as 10.1.0.5:7400: %w", req.Peer, ErrBadInput)
	}
	return Replacement{Lost: req.Lost, Name: req.Name, Peer: req.Peer, Who: id.Name, Why: why}, nil
}

func (s *Server) apiReplace(w http.ResponseWriter, r *http.Request, id Identity) error {
	req, err := replacement(r, id)
	if err != nil {
		return err
	}
	if req.Lost == "" {
		return fmt.Errorf("the lost member is not named: %w", ErrBadInput)
	}
	members, err := s.backend.Replace(r.Context(), req)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string][]Member{"members": members})
	return nil
}

func (s *Server) apiMove(w http.ResponseWriter, r *http.Request, id Identity) error {
	req, err := replacement(r, id)
	if err != nil {
		return err
	}
	if req.Lost != "" {
		return fmt.Errorf("a member that moves is not lost: %w", ErrBadInput)
	}
	if err := s.backend.Move(r.Context(), req); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Done{ID: req.Name})
	return nil
}

func (s *Server) apiRepair(w http.ResponseWriter, r *http.Request, id Identity) error {
	var req whyRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	why, err := reason(req.Why)
	if err != nil {
		return err
	}
	if err := s.backend.Repair(r.Context(), id.Name, why); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Done{ID: "repaired"})
	return nil
}
