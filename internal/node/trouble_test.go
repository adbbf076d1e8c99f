package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/internal/config"
	"bongsu/internal/kv"
	"bongsu/internal/node"
	"bongsu/web"
)

// runs runs a node and expects it to end by itself, with an error.
func runs(t *testing.T, o node.Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := node.Run(ctx, o)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("it ran until it was told to stop: %v", err)
	}
	return err
}

func TestAPortIsTaken(t *testing.T) {
	w := newWorld(t, []string{"north"}, nil)
	for _, which := range []string{"console", "peer", "client"} {
		o := w.options("north")
		addr := map[string]string{"console": o.Listen, "peer": o.Store.PeerListen, "client": o.Store.ClientListen}[which]
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := runs(t, o); !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), which) {
			t.Errorf("the %s port %s is taken: %v", which, addr, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.start("north") // nothing was left behind that keeps it from starting
	w.ready("north")
}

func TestADataFolderOfAnotherCluster(t *testing.T) {
	w := newWorld(t, []string{"north"}, nil)
	w.start("north")
	w.ready("north")
	if err := w.stop("north"); err != nil {
		t.Fatal(err)
	}
	o := w.options("north")
	o.Store.Cluster = "another"
	err := runs(t, o)
	for _, want := range []string{o.Store.Dir, `"test"`, `"another"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in: %v", want, err)
		}
	}
	w.start("north")
	w.ready("north")
	if err := runs(t, w.options("north")); err == nil {
		t.Error("two nodes run on one folder")
	}
}

// A full store refuses control writes loudly, and everything can still be read.
// After room was made and the store repaired, it takes writes again.
func TestAFullStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []string{"north"}, func(_ *world, _ string, c *config.Config) { c.Store.Quota = 16 << 20 })
	w.start("north")
	w.ready("north")
	c, store := w.client("north"), w.store("north")
	estate := map[string][]byte{"estate.yaml": []byte("{kind: Domain, name: north, type: site}\n")}
	if _, err := c.Push(t.Context(), estate, "before"); err != nil {
		t.Fatal(err)
	}
	var filled []kv.Op
	for i := 0; ; i++ {
		op := kv.Op{Key: fmt.Sprintf("fill/%04d", i), Value: bytes.Repeat([]byte{byte(i)}, 512<<10)}
		_, err := store.Commit(t.Context(), kv.Txn{Do: []kv.Op{op}})
		if errors.Is(err, kv.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		filled = append(filled, kv.Op{Key: op.Key, Delete: true})
	}
	if err := c.Ping(t.Context()); code(err) != "store-full" {
		t.Errorf("a ping: %v", err)
	}
	if _, err := c.Declare(t.Context(), []string{"north"}, "a fire"); code(err) != "store-full" {
		t.Errorf("a declaration: %v", err)
	}
	if _, err := c.Push(t.Context(), map[string][]byte{"estate.yaml": []byte("{kind: Domain, name: south, type: site}\n")}, "more"); code(err) != "store-full" {
		t.Errorf("a push: %v", err)
	}
	eventually(t, "the console says so, and reads", func(ctx context.Context) error {
		n, err := c.Now(ctx)
		if err == nil && (!n.Quorum.OK || !n.Quorum.Full || n.Estate.Domains != 1) {
			err = fmt.Errorf("it shows %+v", n)
		}
		return err
	})
	if _, files, err := c.Estate(t.Context(), ""); err != nil || !bytes.Equal(files["estate.yaml"], estate["estate.yaml"]) {
		t.Errorf("the estate is %q, %v", files, err)
	}
	if _, err := store.Commit(t.Context(), kv.Txn{Do: filled}); err != nil {
		t.Fatalf("deleting from a full store: %v", err)
	}
	if err := store.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes are taken again", func(ctx context.Context) error {
		if err := c.Ping(ctx); err != nil {
			return err
		}
		n, err := c.Now(ctx)
		if err == nil && (n.Quorum.Full || n.Leader != "north") {
			err = fmt.Errorf("it shows %+v", n)
		}
		return err
	})
	if id, err := c.Declare(t.Context(), []string{"north"}, "a fire"); err != nil || id == "" {
		t.Errorf("a declaration: %v", err)
	}
}

// A node whose certificate another authority made is not let in.
func TestAWrongCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, nil)
	w.start("north", "south")
	w.ready("north", "south")
	ca, err := config.NewCA("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := ca.Issue(dir, "test", []string{"127.0.0.1", "east"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Dir(w.made.Files["east"])
	for _, f := range []string{"node.crt", "node.key"} { // it trusts the cluster, the cluster does not trust it
		text, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mine, "tls", f), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	north := w.client("north")
	eventually(t, "a write is taken", north.Ping)
	w.start("east")
	intruder := w.client("east")
	eventually(t, "the intruder runs", func(ctx context.Context) error { _, err := intruder.Health(ctx); return err })
	// Elections are over in a second or two; three are long enough to be let in.
	limit, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for limit.Err() == nil {
		if h, err := intruder.Health(limit); err == nil && h.Quorum {
			t.Fatal("a node with a certificate of another authority takes part")
		}
		if err := north.Ping(limit); err != nil && limit.Err() == nil && code(err) != "no-quorum" {
			t.Fatal(err)
		}
	}
	eventually(t, "the others go on", north.Ping)
	if err := intruder.Ping(t.Context()); code(err) != "no-quorum" {
		t.Errorf("the intruder writes: %v", err)
	}
}

// Whenever a node is told to stop, be it in the middle of its start, it leaves
// nothing running and can be started again on the same folder and ports.
func TestStopAtAnyPoint(t *testing.T) {
	w := newWorld(t, []string{"north"}, fenced)
	o := w.options("north")
	once := func(after time.Duration) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		timer := time.AfterFunc(after, cancel)
		defer timer.Stop()
		if after == 0 {
			cancel()
		}
		if err := node.Run(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("stopped after %v: %v", after, err)
		}
	}
	once(time.Second) // what the libraries start once for the process is there now
	before := runtime.NumGoroutine()
	for _, ms := range []int{0, 1, 3, 10, 30, 60, 100, 150, 250, 400, 700, 1500} {
		after := time.Duration(ms) * time.Millisecond
		once(after)
		within(t, 5*time.Second, fmt.Sprintf("nothing runs any more after a stop at %v", after), func(context.Context) error {
			if now := runtime.NumGoroutine(); now > before {
				buf := make([]byte, 1<<20)
				return fmt.Errorf("%d goroutines, %d before:\n%s", now, before, buf[:runtime.Stack(buf, true)])
			}
			return nil
		})
	}
	w.start("north")
	w.ready("north")
}

// What the store holds comes back from a backup, in a new cluster.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	old := newWorld(t, []string{"north"}, nil)
	old.start("north")
	old.ready("north")
	estate := map[string][]byte{"estate.yaml": []byte("{kind: Domain, name: north, type: site}\n")}
	if _, err := old.client("north").Push(t.Context(), estate, "before"); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if _, err := old.client("north").Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if err := old.client("north").Restore(t.Context(), bytes.NewReader(backup.Bytes())); code(err) != "refused" {
		t.Errorf("a restore over what is there: %v", err)
	}
	fresh := newWorld(t, []string{"north"}, nil)
	fresh.start("north")
	fresh.ready("north")
	c := fresh.client("north")
	eventually(t, "a write is taken", c.Ping) // a node that was tried is empty all the same
	if err := c.Restore(t.Context(), bytes.NewReader(backup.Bytes()[:backup.Len()/2])); code(err) != "bad-input" {
		t.Errorf("half a backup: %v", err)
	}
	if err := c.Restore(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if _, files, err := c.Estate(t.Context(), ""); err != nil || !bytes.Equal(files["estate.yaml"], estate["estate.yaml"]) {
		t.Errorf("the estate is %q, %v", files, err)
	}
	revs, err := c.EstateLog(t.Context())
	if err != nil || len(revs) != 1 || !slices.ContainsFunc(revs, func(r web.Revision) bool { return r.Why == "before" }) {
		t.Errorf("the log is %+v, %v", revs, err)
	}
}
