package cutset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelSizeIsBounded(t *testing.T) {
	text := "<opsa-mef>" + strings.Repeat(" ", 5000) + "</opsa-mef>"
	if err := newModel(5021).read(strings.NewReader(text)); err != nil {
		t.Errorf("a model of just the limit: %v", err)
	}
	err := newModel(5000).read(strings.NewReader(text))
	if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "larger than 0 MiB") {
		t.Errorf("a model above the limit: error %v", err)
	}
}

// A file that is too large is refused by its size: this one takes no room on the disk.
func TestLargeFileIsNotRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.xml")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 1<<40); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_, err = ReadOpenPSA(f)
	if !errors.Is(err, ErrLarge) || !strings.Contains(err.Error(), "the file has 1048576 MiB and is not read; at most 256 MiB are") {
		t.Errorf("error %v", err)
	}
}
