package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bongsu/internal/kv"
	"bongsu/internal/kv/kvtest"
)

func TestMemoryBackup(t *testing.T) {
	kvtest.RunBackup(t, kv.NewMemory(), kv.NewMemory())
}

func backedUp(t *testing.T) []byte {
	t.Helper()
	m := kv.NewMemory()
	for i := range 20 {
		if _, err := m.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: fmt.Sprint("k", i), Value: fmt.Append(nil, "value ", i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := kv.Backup(t.Context(), m, &b, "test", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every truncation and every changed byte is found, and nothing is written.
func TestBackupDamaged(t *testing.T) {
	good := backedUp(t)
	refuse := func(what string, text []byte) {
		t.Helper()
		m := kv.NewMemory()
		if _, err := kv.Restore(t.Context(), bytes.NewReader(text), m, nil); !errors.Is(err, kv.ErrBadBackup) {
			t.Fatalf("%s: %v", what, err)
		}
		if found, _, _ := m.List(t.Context(), ""); len(found) > 0 {
			t.Fatalf("%s: %d keys were written", what, len(found))
		}
	}
	for n := range len(good) {
		refuse(fmt.Sprintf("cut to %d bytes", n), good[:n])
	}
	for n := range good {
		damaged := bytes.Clone(good)
		damaged[n] ^= 1
		refuse(fmt.Sprintf("byte %d changed", n), damaged)
	}
	refuse("a line twice", append(bytes.Clone(good), good[len(good)-10:]...))
	lines := strings.SplitAfter(string(good), "\n")
	refuse("a record left out", []byte(strings.Join(append(lines[:3:3], lines[4:]...), "")))
	refuse("two records swapped", []byte(strings.Join(append(append(lines[:2:2], lines[3], lines[2]), lines[4:]...), "")))
}

// A restore that stops at any call can be run again.
func TestRestoreCrash(t *testing.T) {
	text := backedUp(t)
	want := kv.NewMemory()
	if _, err := kv.Restore(t.Context(), bytes.NewReader(text), want, nil); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 6; n++ {
		for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
			m := kv.NewMemory()
			way := kvtest.NewFaulty(m)
			way.CrashAt(n, when)
			_, err := kv.Restore(t.Context(), bytes.NewReader(text), way, nil)
			finished := err == nil || n == 5 && when == kvtest.After // the last call took effect
			_, err = kv.Restore(t.Context(), bytes.NewReader(text), m, nil)
			if finished != (err != nil) {
				t.Errorf("%v call %d: second restore: %v", when, n, err)
			}
			a, _, _ := m.List(t.Context(), "")
			b, _, _ := want.List(t.Context(), "")
			if len(a) != len(b) {
				t.Errorf("%v call %d: %d keys, want %d", when, n, len(a), len(b))
			}
		}
	}
}

// interrupted is a store in which somebody else writes right before the n-th commit.
type interrupted struct {
	kv.Store
	n     int
	write func()
}

func (s *interrupted) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if s.n--; s.n == 0 {
		s.write()
	}
	return s.Store.Commit(ctx, t)
}

// What is written while a restore begins or goes on is not lost behind its back.
func TestRestoreDuringAPush(t *testing.T) {
	text := backedUp(t)
	for n, want := range map[int]string{1: "not empty", 2: "another write came first"} {
		m := kv.NewMemory()
		push := func() {
			if _, err := m.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: "k3", Value: []byte("pushed")}}}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := kv.Restore(t.Context(), bytes.NewReader(text), &interrupted{m, n, push}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a push before commit %d: %v, want %q", n, err, want)
		}
		if e, _, _ := m.Get(t.Context(), "k3"); string(e.Value) != "pushed" {
			t.Errorf("a push before commit %d: what was pushed is %q now", n, e.Value)
		}
		_, marked, _ := m.Get(t.Context(), kv.Restoring)
		if refused := n == 1; marked == refused {
			t.Errorf("a push before commit %d: unfinished is %t", n, marked)
		}
	}
}

// What is to be done last is done before the restore counts as done, and again when it
// is run again.
func TestRestoreFinish(t *testing.T) {
	text := backedUp(t)
	m := kv.NewMemory()
	finish := func(ctx context.Context, info kv.BackupInfo) error {
		if e, _, _ := m.Get(ctx, "k3"); info.Cluster != "test" || string(e.Value) != "value 3" {
			t.Errorf("called with %+v and k3 %q", info, e.Value)
		}
		if _, ok, _ := m.Get(ctx, kv.Restoring); !ok {
			t.Error("called when the restore counts as done")
		}
		return kv.ErrUnavailable
	}
	if _, err := kv.Restore(t.Context(), bytes.NewReader(text), m, finish); !errors.Is(err, kv.ErrUnavailable) || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("%v", err)
	}
	if _, ok, _ := m.Get(t.Context(), kv.Restoring); !ok {
		t.Error("a restore whose end failed counts as done")
	}
	again := false
	if _, err := kv.Restore(t.Context(), bytes.NewReader(text), m, func(context.Context, kv.BackupInfo) error { again = true; return nil }); err != nil || !again {
		t.Errorf("run again: %v, called %t", err, again)
	}
	if _, ok, _ := m.Get(t.Context(), kv.Restoring); ok {
		t.Error("the mark is still there")
	}
}

func FuzzVerifyBackup(f *testing.F) {
	m := kv.NewMemory()
	_, _ = m.Commit(f.Context(), kv.Txn{Do: []kv.Op{{Key: "a", Value: []byte("1")}}})
	var b bytes.Buffer
	if _, err := kv.Backup(f.Context(), m, &b, "test", time.Unix(0, 0)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		if info, err := kv.VerifyBackup(bytes.NewReader(text)); err == nil && info.Records < 0 {
			t.Error(info)
		}
	})
}

// Backups of every version that was ever written can be read.
func TestBackupVersions(t *testing.T) {
	text, err := os.ReadFile("testdata/backup-v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	info, err := kv.Restore(t.Context(), bytes.NewReader(text), kv.NewMemory(), nil)
	if err != nil || info.Records != 20 || info.Cluster != "test" || info.Revision != 21 {
		t.Errorf("%+v, %v", info, err)
	}
}
