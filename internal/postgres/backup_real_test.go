//go:build real

package postgres

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/claimtest"
)

// The commands of docs/claims-privacy.md, with the programs of PostgreSQL: an old dump without
// keys, a newer one of the keys alone, and the erasures since.
func TestRealBackup(t *testing.T) {
	ctx, s := t.Context(), start(t)
	db := s.open(t)
	c := db.Claims(master(t))
	var ids []string
	var papers []claim.File
	file := func(n int) {
		t.Helper()
		r, errs := c.File(ctx, []claim.Report{claimtest.Report(n)})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		f, err := c.AddFile(ctx, r[0].ID, "use-proof", "image/png", []byte("paper"), "claimant")
		if err != nil {
			t.Fatal(err)
		}
		ids, papers = append(ids, r[0].ID), append(papers, f)
	}
	for n := range 4 {
		file(n)
	}
	rest, keys := filepath.Join(s.dir, "claims.sql"), filepath.Join(s.dir, "keys.sql")
	run := func(name string, args ...string) {
		t.Helper()
		if err := s.run(name, append([]string{"-h", s.dir, "-U", "postgres"}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	run("pg_dump", "--exclude-table-data=claim_keys", "-f", rest, "t1")
	file(4) // its key is in the dump of the keys, the claim is not in the other
	run("pg_dump", "--data-only", "--table=claim_keys", "-f", keys, "t1")
	if err := c.Erase(ctx, ids[0], "kim", "asked after the backup"); err != nil {
		t.Fatal(err)
	}
	if err := c.Erase(ctx, ids[4], "kim", "asked after the backup"); err != nil {
		t.Fatal(err)
	}
	erased, err := c.Erased(ctx)
	if err != nil || len(erased) != 2 || time.Since(erased[ids[0]]) > time.Minute {
		t.Fatal(erased, err)
	}
	var list bytes.Buffer
	if _, err := claim.WriteErasures(ctx, &list, "postgres", time.Now(), erased); err != nil {
		t.Fatal(err)
	}

	run("createdb", "again")
	run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", rest, "again")
	bare, err := Open(ctx, s.url("again"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bare.Close)
	again := bare.Claims(master(t))
	for _, id := range ids[:4] {
		if _, err := again.Open(ctx, id, "kim", "test"); !errors.Is(err, claim.ErrErased) {
			t.Errorf("a dump without keys opens %s: %v", id, err)
		}
	}
	run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", keys, "again")
	read, err := claim.ReadErasures(&list)
	if err != nil {
		t.Fatal(err)
	}
	for want := range 2 { // again it has nothing to do
		if n, err := again.Replay(ctx, read); err != nil || n != 1-want {
			t.Fatalf("replayed %d, %v", n, err)
		}
	}
	noted := 0
	for n, note := range []func(context.Context, time.Time) error{
		func(context.Context, time.Time) error { return errors.New("no quorum") },
		func(_ context.Context, at time.Time) error {
			if noted++; time.Since(at) > time.Hour {
				t.Errorf("restored at %s", at)
			}
			return nil
		},
		func(context.Context, time.Time) error { noted++; return nil },
	} {
		if err := again.Restored(ctx, note); (err != nil) != (n == 0) {
			t.Errorf("told %d: %v", n, err)
		}
	}
	if noted != 1 {
		t.Errorf("noted %d times that the database was restored", noted)
	}
	for n, id := range ids[:4] {
		_, errPersonal := again.Open(ctx, id, "kim", "test")
		_, errPaper := again.OpenFile(ctx, id, papers[n].ID, "kim", "test")
		if n == 0 && (!errors.Is(errPersonal, claim.ErrErased) || !errors.Is(errPaper, claim.ErrErased)) || n > 0 && (errPersonal != nil || errPaper != nil) {
			t.Errorf("claim %d: %v; %v", n, errPersonal, errPaper)
		}
	}
	for _, row := range bare.dump(t) {
		if strings.HasPrefix(row, "claim_keys: ") && (strings.Contains(row, ids[0]) || strings.Contains(row, ids[4])) {
			t.Error("a key that was destroyed is there again")
		}
	}
	if n, err := again.Sweep(ctx, time.Now().Add(-time.Hour)); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if left, err := again.Erased(ctx); err != nil || len(left) != 2 {
		t.Errorf("the list has %d, %v", len(left), err)
	}
}
