//go:build real || measure

package postgres

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
	"bongsu/claim/claimtest"
	"bongsu/settle"
	"bongsu/settle/settletest"
)

// A server is a real PostgreSQL of one test.
type server struct {
	dir  string
	bin  string
	next atomic.Int64
	run  func(name string, args ...string) error
}

// start makes a cluster in a folder of its own and starts it on a socket there.
func start(t testing.TB) *server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("no PostgreSQL on this machine: run tools/real-deps.sh, as make test-real does")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("/tmp", "bongsu-pg") //nolint:usetesting // short: the path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{dir: dir, bin: bin}
	s.run = func(name string, args ...string) error {
		c := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, name), args...)
		c.SysProcAttr, c.Dir = attr, dir
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := s.run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N"); err != nil {
		t.Fatal(err)
	}
	if err := s.run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", "-c listen_addresses='' -c max_connections=50 -k "+dir, "start"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.run("pg_ctl", "-D", data, "-m", "immediate", "stop"); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *server) url(db string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", s.dir, db)
}

// open makes an empty database.
func (s *server) open(t testing.TB) *DB {
	t.Helper()
	name := fmt.Sprintf("t%d", s.next.Add(1))
	if err := s.run("createdb", "-h", s.dir, "-U", "postgres", name); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), s.url(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func master(t testing.TB) *claim.Master {
	t.Helper()
	m, err := claim.NewMaster(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRealLedger(t *testing.T) {
	s := start(t)
	claimtest.Run(t, func(t *testing.T) claim.Ledger {
		t.Helper()
		return s.open(t).Claims(master(t))
	})
	t.Run("vault", func(t *testing.T) {
		db := s.open(t)
		r, errs := db.Claims(master(t)).File(t.Context(), []claim.Report{claimtest.Report(1)})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		claimtest.RunVault(t, rows{db}, r[0].ID)
	})
	t.Run("nothing personal in clear", func(t *testing.T) {
		ctx, db := t.Context(), s.open(t)
		c := db.Claims(master(t))
		r, errs := c.File(ctx, []claim.Report{claimtest.Report(1)})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		if _, err := c.AddFile(ctx, r[0].ID, "sales-proof", "image/png", []byte("account 110-123-456789"), "claimant"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Amend(ctx, r[0].ID, func(_ *claim.Claim, p *claim.Personal) (claim.Event, error) {
			p.Number, p.Added = "110-123-456789", []claim.Added{{By: "claimant", What: "appeal", Text: "가게 문을 닫았어요"}}
			return claim.Event{Who: "claimant", What: "appealed"}, nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Open(ctx, r[0].ID, "kim", "to decide"); err != nil {
			t.Fatal(err)
		}
		rows := db.dump(t)
		if len(rows) < 10 {
			t.Fatalf("%d rows", len(rows))
		}
		for _, row := range rows {
			for _, secret := range []string{"홍길동", "p1@example.com", "010-0000", "못 썼어요", "110-123", "110123456789", "가게 문", r[0].Secret, "device:x"} {
				if strings.Contains(row, secret) || strings.Contains(row, hex.EncodeToString([]byte(secret))) {
					t.Errorf("%q is in %s", secret, row)
				}
			}
		}
	})
}

// dump returns all rows of all tables, as text.
func (db *DB) dump(t *testing.T) []string {
	t.Helper()
	all := func(query string) []string {
		found, err := db.pool.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var out []string
	for _, table := range all("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'") {
		for _, row := range all(fmt.Sprintf("SELECT x::text FROM %s x", table)) {
			out = append(out, table+": "+row)
		}
	}
	return out
}

func TestRealBook(t *testing.T) {
	s := start(t)
	settletest.Run(t, func(t *testing.T) settle.Book {
		t.Helper()
		return s.open(t).Book()
	})
	t.Run("the database itself refuses", func(t *testing.T) {
		db := s.open(t)
		if err := db.Book().Post(t.Context(), settletest.Owe("c1", 5)); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ sql, says string }{
			{"UPDATE book_lines SET amount = amount + 1", "never changed"},
			{"DELETE FROM book_entries", "never changed"},
			{"TRUNCATE book_lines", "never changed"},
			{"INSERT INTO book_lines VALUES ('c1', 'bank/x', 'KRW', 7)", "does not sum to zero"},
			{"UPDATE book_balances SET amount = 1 WHERE account = 'claimant/c1'", "never_overdrawn"},
		} {
			if _, err := db.pool.Exec(t.Context(), tt.sql); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %q", tt.sql, err, tt.says)
			}
		}
	})
}
