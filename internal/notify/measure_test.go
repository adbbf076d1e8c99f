//go:build measure

package notify

import "testing"

// The rate is that of issue 4: 200 mails a second to a sink on this machine.
func TestMailRate(t *testing.T) {
	dialled, rate := sendMany(t, 4000)
	t.Logf("%.0f mails/s over %d connections", rate, dialled)
	if rate < 200 {
		t.Errorf("%.0f mails/s, want 200", rate)
	}
}
