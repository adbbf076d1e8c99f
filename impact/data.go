package impact

import (
	"bongsu/estate"
)

// dataLost says what component c loses of its data at once (design §3.7). A
// component that keeps no data (none stated, and neither a quorum nor a primary)
// has nothing to lose.
func (s *state) dataLost(c int) DataLoss {
	comp := &s.m.snap.Components[c]
	if s.held[c] || comp.Data == nil && comp.Mode == estate.ModeAny {
		return DataLoss{Known: true}
	}
	loss := DataLoss{Known: true, All: true}
	for i := range comp.Replicas {
		r := &comp.Replicas[i]
		if !s.lives(r) {
			continue
		}
		switch {
		case r.Role == estate.RoleStandby && r.Sync:
			return DataLoss{Known: true}
		case r.Role == estate.RoleStandby:
			loss = better(loss, r.Lag)
		case comp.Mode == estate.ModeQuorum: // a minority may lack the newest writes
			loss = better(loss, nil)
		}
	}
	if comp.Data != nil {
		for i := range comp.Data.Copies {
			k := &comp.Data.Copies[i]
			if !s.val[k.In] {
				continue
			}
			if k.How == "sync" && k.Lag == nil {
				return DataLoss{Known: true}
			}
			loss = better(loss, k.Lag)
		}
	}
	return loss
}

// better returns the loss when a copy with the given lag (nil: not stated) lives too.
func better(loss DataLoss, lag *estate.Span) DataLoss {
	switch {
	case lag == nil && loss.All:
		return DataLoss{}
	case lag == nil:
		return loss
	case loss.All || !loss.Known || lag.Likely < loss.Lag:
		return DataLoss{Known: true, Lag: lag.Likely}
	}
	return loss
}

// More reports whether the loss is larger than o; one of unknown size is larger
// than any known one but the loss of everything.
func (d DataLoss) More(o DataLoss) bool {
	if d.class() != o.class() {
		return d.class() > o.class()
	}
	return d.Lag > o.Lag
}

func (d DataLoss) class() int {
	switch {
	case d.All:
		return 2
	case !d.Known:
		return 1
	}
	return 0
}

// spreadDataLoss gives each service and part the largest loss among the
// components that it needs, transitively.
func (im *Impact) spreadDataLoss() {
	nothing := DataLoss{Known: true}
	some := false
	for i := range im.Components {
		some = some || im.Components[i].DataLost != nothing
	}
	m := im.fallen.m
	worst := func(node) DataLoss { return nothing }
	if some {
		all := im.worstBelow()
		worst = func(n node) DataLoss { return all[n] }
	}
	for i := range im.Services {
		im.Services[i].DataLost = worst(m.svcBase + node(i))
		for j := range im.Services[i].Parts {
			im.Services[i].Parts[j].DataLost = worst(m.partNode(i, j))
		}
	}
}

// worstBelow returns for each node the largest loss among the components that
// it reaches, itself included.
func (im *Impact) worstBelow() []DataLoss {
	m := im.fallen.m
	worst := make([]DataLoss, m.nodes)
	for _, members := range m.upward() {
		loss := DataLoss{Known: true}
		for _, n := range members {
			if m.isComp(n) {
				if d := im.Components[n-m.compBase].DataLost; d.More(loss) {
					loss = d
				}
			}
			for _, i := range m.in(n) {
				// An input of the same cycle still has the zero value, an
				// unknown loss, so it is told apart by its cycle.
				if k := m.scc[n]; (k < 0 || m.scc[i] != k) && worst[i].More(loss) {
					loss = worst[i]
				}
			}
		}
		for _, n := range members {
			worst[n] = loss
		}
	}
	return worst
}
