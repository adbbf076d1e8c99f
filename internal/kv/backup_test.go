package kv_test

import (
	"bytes"
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
		if _, err := kv.Restore(t.Context(), bytes.NewReader(text), m); !errors.Is(err, kv.ErrBadBackup) {
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
	if _, err := kv.Restore(t.Context(), bytes.NewReader(text), want); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 5; n++ {
		for _, when := range []kvtest.When{kvtest.Before, kvtest.After} {
			m := kv.NewMemory()
			way := kvtest.NewFaulty(m)
			way.CrashAt(n, when)
			_, err := kv.Restore(t.Context(), bytes.NewReader(text), way)
			finished := err == nil || n == 4 && when == kvtest.After // the last call took effect
			_, err = kv.Restore(t.Context(), bytes.NewReader(text), m)
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
	info, err := kv.Restore(t.Context(), bytes.NewReader(text), kv.NewMemory())
	if err != nil || info.Records != 20 || info.Cluster != "test" || info.Revision != 21 {
		t.Errorf("%+v, %v", info, err)
	}
}
