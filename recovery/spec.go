package recovery

import (
	"time"
)

// A Spec is a plan as a run carries it: everything that is needed to execute it,
// resolved to names, so that neither the estate nor the planner has to be at hand
// when a step is due. [FromPlan] makes one. Times count from the loss.
type Spec struct {
	Estate    string     `json:"estate"` // revision that it was planned against
	Lost      []string   `json:"lost"`   // domains, as declared
	LostSites []string   `json:"lostSites"`
	Objective Objective  `json:"objective"`
	Steps     []Step     `json:"steps"` // in the order of the plan: by start, then ID
	Services  []Service  `json:"services"`
	Blockers  []Blocker  `json:"blockers"`
	Capacity  []Capacity `json:"capacity"` // of the crews and limits that steps use; not listed is no limit
}

// An Objective is what a plan costs users, in weighted user-minutes.
type Objective struct {
	UserMinutes float64 `json:"userMinutes"`
	LowerBound  float64 `json:"lowerBound"`
	Gap         float64 `json:"gap"`
	Stranded    float64 `json:"stranded"`
}

// A Capacity is how many people a crew has, or slots a limit.
type Capacity struct {
	Name  string `json:"name"` // crew/dba, limit/image-pull
	Count int    `json:"count"`
}

// An Amount is so much of one [Capacity].
type Amount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// A Step is one action at one place, and how it is really done.
type Step struct {
	ID        string         `json:"id"` // component/action@at
	Component string         `json:"component"`
	Title     string         `json:"title,omitempty"` // of the component
	Action    string         `json:"action"`
	Does      string         `json:"does"`
	At        string         `json:"at,omitempty"`   // the domain; empty for no place in particular
	Site      string         `json:"site,omitempty"` // whose node acts; empty for any
	Start     time.Duration  `json:"start"`          // from the loss
	Finish    time.Duration  `json:"finish"`
	Likely    time.Duration  `json:"likely"`
	Worst     time.Duration  `json:"worst"`
	Limit     time.Duration  `json:"limit"` // after this the act is stopped
	After     []string       `json:"after,omitempty"`
	Uses      []Amount       `json:"uses,omitempty"`  // people and slots that it keeps busy
	Count     int            `json:"count,omitempty"` // replicas that it adds
	Driver    string         `json:"driver"`          // exec, http, manual, …; manual: a person does it
	Args      map[string]any `json:"args,omitempty"`
	// Idempotent says that acting twice is harmless, so that nobody has to be
	// asked when it is unknown whether the act took effect.
	Idempotent bool `json:"idempotent,omitempty"`
	// Guard is set where the step could make a second writer.
	Guard *Guard `json:"guard,omitempty"`
}

// Manual reports whether a person does the step and confirms it.
func (s *Step) Manual() bool { return s.Driver == "" || s.Driver == DriverManual }

// DriverManual is the driver of steps that a person does.
const DriverManual = "manual"

// A Guard is what must hold before a step may make a new writer (design §6).
type Guard struct {
	// Old is the domain of the old primary that cannot be asked because it is
	// lost, and Site its site; both are empty when the old primary lives.
	Old  string `json:"old,omitempty"`
	Site string `json:"site,omitempty"`
	Sync bool   `json:"sync"` // the standby had every acknowledged write
}

// A Service is when a service was planned to be back, in time from the loss.
type Service struct {
	Name     string         `json:"name"`
	Title    string         `json:"title,omitempty"`
	Users    int64          `json:"users"`
	Weight   float64        `json:"weight"`
	State    string         `json:"state"` // what impact calls it
	DownFrom time.Duration  `json:"downFrom"`
	UpAt     *time.Duration `json:"upAt"` // nil: never
	Parts    []ServicePart  `json:"parts,omitempty"`
	// Needs are the steps whose effect its core waits for, transitively.
	Needs []string `json:"needs,omitempty"`
}

// A ServicePart is when a part of a service was planned to be back.
type ServicePart struct {
	Name  string         `json:"name"`
	State string         `json:"state"`
	UpAt  *time.Duration `json:"upAt"`
	// Needs are the steps whose effect it waits for, those of the core included.
	Needs []string `json:"needs,omitempty"`
}

// A Blocker says why something cannot come back: each set of Because is enough.
type Blocker struct {
	Subject string     `json:"subject"`
	Because [][]string `json:"because"`
}
