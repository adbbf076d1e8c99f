package cutset

import (
	"errors"
	"strings"
	"testing"
)

func TestModelSizeIsBounded(t *testing.T) {
	text := "<opsa-mef>" + strings.Repeat(" ", 5000) + "</opsa-mef>"
	if err := newModel(5021).read(strings.NewReader(text)); err != nil {
		t.Errorf("a model of just the limit: %v", err)
	}
	err := newModel(5000).read(strings.NewReader(text))
	if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "larger than 5000 bytes") {
		t.Errorf("a model above the limit: error %v", err)
	}
}
