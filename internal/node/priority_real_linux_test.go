//go:build real

package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every thread of a public process steps back, those that it started under load too.
func TestRealThePublicProcessGivesWay(t *testing.T) {
	s := newSquare(t, three[:1])
	pid := s.asProcesses()
	s.start(three[0])
	s.quorum(three[0])
	s.publish(three[0], 1)
	s.shows(patience, 1, three[0])
	s.latencies(50)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid(three[0])))
	if err != nil || len(tasks) < 2 {
		t.Fatalf("threads: %v, %v", tasks, err)
	}
	for _, f := range tasks {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if nice := strings.Fields(rest)[16]; nice != "10" {
			t.Errorf("%s runs at niceness %s, want 10", f, nice)
		}
	}
}
