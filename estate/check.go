package estate

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// valueOf returns the value of the key of a mapping, for the place of an error,
// or the mapping itself.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return m
}

func (d *decoder) failAt(p Pos, want, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: p.File, Line: p.Line, Col: p.Col, Msg: fmt.Sprintf(format, args...), Want: want})
}

func checkReplica(d *decoder, n *yaml.Node, v *Replica) {
	v.Pos = d.pos(n)
	switch {
	case v.Sync && v.Role != RoleStandby:
		d.fail(valueOf(n, "sync"), "role: standby", "", "sync is set on a replica that is no standby")
	case v.Lag != nil && v.Role != RoleStandby:
		d.fail(valueOf(n, "lag"), "role: standby", "", "lag is set on a replica that is no standby")
	case v.Sync && v.Lag != nil && v.Lag.Worst > 0:
		d.fail(valueOf(n, "lag"), "sync without lag, or lag without sync", "", "a standby is both in sync and %s behind", FormatDuration(v.Lag.Worst))
	case v.Role == RolePrimary && v.Count > 1:
		d.fail(valueOf(n, "count"), "count: 1", "", "a primary has a count of %d", v.Count)
	}
}

func checkAction(d *decoder, n *yaml.Node, v *Action) {
	v.Pos = d.pos(n)
	switch {
	case v.Does == DoesShrink && v.Adds > 0:
		d.fail(valueOf(n, "adds"), "removes: {count: …}", "", "a shrink adds replicas")
	case v.Does == DoesShrink && v.Removes == 0 && valueOf(n, "removes") == n:
		d.fail(n, "removes: {count: …}", "", "a shrink does not say what it removes")
	case v.Does != DoesShrink && v.Does != "" && v.Removes > 0:
		d.fail(valueOf(n, "removes"), "does: shrink", "", "a %s removes replicas", v.Does)
	}
}

func checkComponent(d *decoder, n *yaml.Node, v *Component) {
	if v.Mode != ModeAny && v.Mode != "" && v.AtLeast > 1 {
		d.fail(valueOf(n, "atLeast"), "mode: any", "", "atLeast is set in mode %s", v.Mode)
	}
	if v.Auto && v.Mode != ModePrimary && v.Mode != "" {
		d.fail(valueOf(n, "auto"), "mode: primary", "", "auto is set in mode %s", v.Mode)
	}
	total := 0
	count := func(more int, p Pos) {
		if total += more; total > maxReplicas && total-more <= maxReplicas {
			d.failAt(p, fmt.Sprintf("at most %d", maxReplicas), "the replicas and what the actions add come to %d", total)
		}
	}
	primaries := 0
	for i := range v.Replicas {
		r := &v.Replicas[i]
		count(r.Count, r.Pos)
		switch {
		case r.Pos.Line == 0: // it was no mapping, which has been said
		case v.Mode == ModePrimary && r.Role == RoleNone:
			if d.clean(r.Pos) {
				d.failAt(r.Pos, "role: primary or role: standby", "a replica has no role in mode primary")
			}
		case (v.Mode == ModeAny || v.Mode == ModeQuorum) && r.Role != RoleNone:
			d.failAt(r.Pos, "mode: primary, or no role", "a replica has role %s in mode %s", r.Role, v.Mode)
		case r.Role == RolePrimary:
			if primaries++; primaries == 2 {
				d.failAt(r.Pos, "one primary", "a second replica is primary")
			}
		}
	}
	names := make(map[string]int, len(v.Actions))
	for i := range v.Actions {
		a := &v.Actions[i]
		count(a.Adds, a.Pos)
		if first, ok := names[a.Name]; ok && a.Name != "" {
			d.failAt(a.Pos, "another name", "duplicate action %q; the first is at line %d", a.Name, v.Actions[first].Pos.Line)
			continue
		}
		names[a.Name] = i
	}
}

// clean reports whether nothing has been said yet about the line of p.
func (d *decoder) clean(p Pos) bool {
	for _, e := range d.errs {
		if e.Line == p.Line {
			return false
		}
	}
	return true
}

func checkService(d *decoder, n *yaml.Node, v *Service) {
	names := make(map[string]int, len(v.Parts))
	sum := 0.0
	for i := range v.Parts {
		p := &v.Parts[i]
		sum += p.Share
		if first, ok := names[p.Name]; ok && p.Name != "" {
			d.failAt(p.Pos, "another name", "duplicate part %q; the first is at line %d", p.Name, v.Parts[first].Pos.Line)
			continue
		}
		names[p.Name] = i
	}
	if sum > 1+1e-9 {
		d.fail(valueOf(n, "parts"), "at most 1", "", "the shares of the parts sum to %s", strconv.FormatFloat(math.Round(sum*1e9)/1e9, 'f', -1, 64))
	}
}

func checkProbe(d *decoder, n *yaml.Node, v *Probe) {
	http, tcp := valueOf(n, "http") != n, valueOf(n, "tcp") != n
	switch {
	case http && tcp:
		d.fail(valueOf(n, "tcp"), "http or tcp, not both", "", "a probe has two targets")
	case !http && !tcp:
		d.fail(n, "http: URL or tcp: HOST:PORT", "", "a probe has no target")
	case tcp && v.Expect != 0:
		d.fail(valueOf(n, "expect"), "http", "", "expect is set without http")
	}
}

func urlField(at func(*Probe) *string) field[Probe] {
	const want = "a URL such as https://host/health"
	return field[Probe]{
		name: "http", doc: "The URL to ask.", schema: schema{"type": "string", "pattern": "^https?://[^/]"},
		read: func(d *decoder, n *yaml.Node, v *Probe) {
			s, n, ok := d.scalar(n, "http", want)
			if !ok {
				return
			}
			if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				d.fail(n, want, "", "http is %s", short(s))
				return
			}
			*at(v) = s
		},
		write: func(e *encoder, v *Probe) { e.textIf(*at(v)) },
	}
}

func addressField(at func(*Probe) *string) field[Probe] {
	const want = "an address such as db.example:5432"
	return field[Probe]{
		name: "tcp", doc: "The address to connect to, as host:port.", schema: schema{"type": "string", "pattern": `^\S+:[0-9]{1,5}$`},
		read: func(d *decoder, n *yaml.Node, v *Probe) {
			s, n, ok := d.scalar(n, "tcp", want)
			if !ok {
				return
			}
			if !validAddress(s) {
				d.fail(n, want, "", "tcp is %s", short(s))
				return
			}
			*at(v) = s
		},
		write: func(e *encoder, v *Probe) { e.textIf(*at(v)) },
	}
}

// validAddress reports whether s is host:port, or [v6]:port, with a port that exists.
func validAddress(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || strings.ContainsAny(s, " \t\r\n/") {
		return false
	}
	host := s[:i]
	if strings.Contains(host, ":") && (host[0] != '[' || host[len(host)-1] != ']') {
		return false
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	return err == nil && port > 0
}
