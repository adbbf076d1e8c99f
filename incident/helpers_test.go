package incident_test

import (
	"encoding/json"
	"fmt"

	"bongsu/detect"
	"bongsu/incident"
	"bongsu/internal/kv"
)

// stored is an entry as the store has it.
func stored(n int, e incident.Entry) kv.Entry {
	value, err := json.Marshal(struct {
		V int `json:"v"`
		incident.Entry
	}{2, e})
	if err != nil {
		panic(err)
	}
	return kv.Entry{Key: fmt.Sprintf("incident/20221015-062700-pangyo/%06d", n+1), Value: value}
}

func verdictOfNothing() detect.Verdict { return detect.Verdict{} }
