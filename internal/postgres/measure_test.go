//go:build measure

package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"bongsu/claim"
	"bongsu/claim/claimtest"
)

func quantiles(each []time.Duration) string {
	slices.Sort(each)
	r := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, worst %v", r(each[len(each)/2]), r(each[len(each)*99/100]), r(each[len(each)-1]))
}

// TestMeasureIntakePostgres files reports through intake, and lets pgbench insert rows of as many
// bytes, one for each commit, in turns on the same server. The goal is three times its rate.
func TestMeasureIntakePostgres(t *testing.T) {
	const rounds, n, people = 3, 8_000, 400
	s := start(t)
	db := s.open(t)
	ctx, stop := context.WithCancel(t.Context())
	in := claim.NewIntake(db.Claims(master(t)))
	var running sync.WaitGroup
	running.Go(func() { in.Run(ctx, 4) })
	defer func() { stop(); running.Wait() }()
	var rates, bench, alone, cpus, server, cpuBench []float64
	var each []time.Duration
	for round := range rounds {
		mix := claimtest.Mix2022(n, .1, uint64(round))
		took := make([]time.Duration, n)
		var next atomic.Int64
		var wg sync.WaitGroup
		begun, before, mine := time.Now(), s.cpu(t), own(t)
		for range people {
			wg.Go(func() {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					mix.Reports[i].Key = fmt.Sprintf("%d.%d", round, i)
					at := time.Now()
					if _, err := in.File(ctx, mix.Reports[i]); err != nil {
						t.Error(err)
					}
					took[i] = time.Since(at)
				}
			})
		}
		wg.Wait()
		rates = append(rates, n/time.Since(begun).Seconds())
		server = append(server, float64((s.cpu(t)-before).Microseconds())/n)
		cpus = append(cpus, float64((s.cpu(t)+own(t)-before-mine).Microseconds())/n)
		each = append(each, took...)
		before = s.cpu(t)
		rate, spent := s.pgbench(t, db, "t1", 16)
		bench = append(bench, rate)
		cpuBench = append(cpuBench, float64((s.cpu(t)-before+spent).Microseconds())/(rate*6))
		rate, _ = s.pgbench(t, db, "t1", 1)
		alone = append(alone, rate)
	}
	t.Logf("through intake %.0f/s, %s", rates, quantiles(each))
	t.Logf("pgbench with 16 clients %.0f/s, with one %.0f/s", bench, alone)
	t.Logf("ratio to 16 clients %.2f, to one %.2f", sum(rates)/sum(bench), sum(rates)/sum(alone))
	t.Logf("processor time of server and client, µs for each: intake %.0f (of which the server %.0f), pgbench %.0f; ratio %.2f", cpus, server, cpuBench, sum(cpuBench)/sum(cpus))
}

// own is the processor time of this process.
func own(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func sum(all []float64) (s float64) {
	for _, x := range all {
		s += x
	}
	return s
}

// pgbench inserts rows of the bytes that a report has in all tables, for some seconds.
func (s *server) pgbench(t *testing.T, db *DB, name string, clients int) (rate float64, cpu time.Duration) {
	t.Helper()
	var size int
	if err := db.pool.QueryRow(t.Context(), `SELECT ((SELECT avg(pg_column_size(c.*)) FROM claims c) + (SELECT avg(pg_column_size(x.*)) FROM claim_sealed x) + (SELECT avg(pg_column_size(x.*)) FROM claim_keys x))::bigint`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(t.Context(), `CREATE TABLE IF NOT EXISTS raw (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, receipt uuid NOT NULL UNIQUE, at timestamptz NOT NULL, status text NOT NULL, doc jsonb NOT NULL);
		ALTER TABLE raw ALTER COLUMN doc SET STORAGE PLAIN; CREATE INDEX IF NOT EXISTS raw_by_status ON raw (status, at)`); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(s.dir, "insert.sql")
	if err := os.WriteFile(script, []byte(fmt.Sprintf("INSERT INTO raw (receipt, at, status, doc) VALUES (gen_random_uuid(), now(), 'received', jsonb_build_object('text', repeat(md5(random()::text), %d)));\n", size/32)), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), filepath.Join(s.bin, "pgbench"), "-n", "-h", s.dir, "-U", "postgres", "-f", script, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(2, clients)), "-T", "6", "-M", "prepared", name)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := regexp.MustCompile(`tps = ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s", out)
	}
	rate, err = strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in each row of pgbench", size)
	return rate, c.ProcessState.UserTime() + c.ProcessState.SystemTime()
}

// TestMeasureListPostgres asks for pages of a million claims by each filter of the desk and by
// pairs of them, in both orders, first pages and deep ones. The goal is 100 ms for each. The claims of
// "alike" are nearly all of one incident, service, state and amount, which is when a page has most to skip.
func TestMeasureListPostgres(t *testing.T) {
	const million = 1_000_000
	for _, shape := range []string{"mixed", "alike"} {
		t.Run(shape, func(t *testing.T) {
			s := start(t)
			db := s.open(t)
			filled(t, db, million, shape == "alike")
			db.Close()
			s.asked(t, "t1", million)
		})
	}
}

// asked asks for pages by each filter and by pairs of them.
func (s *server) asked(t *testing.T, name string, n int) {
	t.Helper()
	ctx := t.Context()
	db, err := Open(ctx, s.url(name)+" pool_max_conns=1") // whose processor time is read
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := db.Claims(master(t))
	var size string
	var backend int
	if err := db.pool.QueryRow(ctx, "SELECT pg_size_pretty(pg_total_relation_size('claims')) || ', facets: ' || (SELECT count(*) FROM claim_facets), pg_backend_pid()").Scan(&size, &backend); err != nil {
		t.Fatal(err)
	}
	t.Log(size)
	cpu := func() time.Duration {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", backend))
		if err != nil {
			t.Fatal(err)
		}
		d, err := time.ParseDuration(strings.Fields(string(text))[0] + "ns")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	opened := time.Unix(0, 1666137600000000000)
	until := func(share float64) time.Time { return opened.Add(time.Duration(share * float64(n) * 1.5e9)) }
	filters := map[string]func(q *claim.Query){
		"incident":    func(q *claim.Query) { q.Incident = "i" },
		"service":     func(q *claim.Query) { q.Service = "melon" },
		"use":         func(q *claim.Query) { q.Use = "free" },
		"kind":        func(q *claim.Query) { q.Kind = "company" },
		"channel":     func(q *claim.Query) { q.Channel = claim.ByPhone },
		"states":      func(q *claim.Query) { q.States = []claim.State{claim.Review, claim.Appealed} },
		"rare state":  func(q *claim.Query) { q.States = []claim.State{claim.Returned} },
		"flagged":     func(q *claim.Query) { q.Flagged = true },
		"rule":        func(q *claim.Query) { q.Rule = "r7" },
		"amounts":     func(q *claim.Query) { q.MinAmount, q.MaxAmount = 1_000_000, 1_100_000 },
		"rare amount": func(q *claim.Query) { q.MinAmount = 7_777_777 },
		"one amount":  func(q *claim.Query) { q.MinAmount, q.MaxAmount = 10_000, 10_000 },
		"marked":      func(q *claim.Query) { q.MarkedAs = "phone:+82100000001" },
		"much marked": func(q *claim.Query) { q.MarkedAs = "device:farm" },
		"before 35%":  func(q *claim.Query) { q.Before = until(.35) },
		"before 6%":   func(q *claim.Query) { q.Before = until(.06) },
		"before 3%":   func(q *claim.Query) { q.Before = until(.03) },
		"long before": func(q *claim.Query) { q.Before = until(.0002) },
		"none":        func(*claim.Query) {},
	}
	names := slices.Sorted(maps.Keys(filters))
	type took struct {
		what      string
		wall, cpu time.Duration
	}
	var all []took
	ask := func(what string, q claim.Query) {
		x := took{what, time.Hour, time.Hour}
		for range 3 { // what is not in memory yet is another question, and others use this machine
			at, before := time.Now(), cpu()
			if _, err := c.List(ctx, q); err != nil {
				t.Fatal(err)
			}
			x.wall, x.cpu = min(x.wall, time.Since(at)), min(x.cpu, cpu()-before)
		}
		all = append(all, x)
	}
	for i, a := range names {
		for _, b := range names[i:] {
			for _, oldest := range []bool{false, true} {
				q := claim.Query{OldestFirst: oldest}
				filters[a](&q)
				filters[b](&q)
				what := fmt.Sprintf("%s + %s, oldest %v", a, b, oldest)
				ask(what, q)
				deep := []string{"2500000.8", "10000.8", "0.8"} // within the claims of one amount, too
				if oldest {
					deep = []string{strconv.FormatInt(since1970(until(.0001)), 10) + ".8", strconv.FormatInt(since1970(until(.5)), 10) + ".8"}
				}
				for _, q.After = range deep {
					ask(what+", after "+q.After, q)
				}
			}
		}
	}
	within := 0
	for _, x := range all {
		if x.wall <= 100*time.Millisecond {
			within++
		}
	}
	r := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	slices.SortFunc(all, func(a, b took) int { return int(b.wall - a.wall) })
	for _, x := range all[:8] {
		t.Logf("%v, of which processor time %v: %s", r(x.wall), r(x.cpu), x.what)
	}
	t.Logf("%d of %d queries within 100 ms, median %v", within, len(all), r(all[len(all)/2].wall))
	slices.SortFunc(all, func(a, b took) int { return int(b.cpu - a.cpu) })
	for _, x := range all[:8] {
		t.Logf("processor time %v: %s", r(x.cpu), x.what)
	}
	t.Logf("processor time, median %v", r(all[len(all)/2].cpu))
}

// filled fills the table with n claims of the size of real ones, made by the database of one that was filed.
func filled(t *testing.T, db *DB, n int, alike bool) {
	t.Helper()
	ctx := t.Context()
	r, errs := db.Claims(master(t)).File(ctx, claimtest.Mix2022(1, 0, 1).Reports)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	d, err := db.Claims(master(t)).Claim(ctx, r[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	d.ID, d.Late = "@ID@", strings.Repeat("사유 ", 60) // with a decision and its reasons a claim has so many bytes
	doc, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	// Every combination that there can be.
	if _, err := db.pool.Exec(ctx, `INSERT INTO claim_facets (incident, service, use, kind, channel, state, rule, flagged)
		SELECT * FROM unnest('{i,j}'::text[]) n, unnest('{kakaotalk,kakao-t,daum-mail,kakaomap,kakaopay,melon,webtoon,kakaopage,gift,emoticon-plus,talk-drawer,kakao-t-pro,driver-pro}'::text[]) s,
			unnest('{paid,free,none}'::text[]) u, unnest('{person,small-business,company}'::text[]) k, unnest('{web,phone,post}'::text[]) c,
			unnest('{received,approved,decided,paid,asked,review,returned,appealed}'::text[]) t, (SELECT '' AS r UNION ALL SELECT 'r' || g FROM generate_series(0, 17) g) r, unnest('{t,f}'::bool[]) f
		ON CONFLICT DO NOTHING`); err != nil {
		t.Fatal(err)
	}
	found, err := db.pool.Query(ctx, "SELECT indexdef FROM pg_indexes WHERE indexname IN ('claims_by_amount', 'claims_by_filed')")
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(ctx, "DROP INDEX claims_by_amount, claims_by_filed; ANALYZE claim_facets"); err != nil { // made again when all are there
		t.Fatal(err)
	}
	for from := 0; from < n; from += 100_000 {
		if _, err := db.pool.Exec(ctx, `
			INSERT INTO claims (id, facet, amount, filed, version, secret, marks, events, doc, filing)
			SELECT y.i, f.id, y.amount, y.filed, 1, repeat('a', 64), ARRAY['device.' || md5(y.g::text)], 1, replace($3, '@ID@', y.i), '{}' FROM (
			SELECT g, i, CASE WHEN NOT alike AND g % 50 = 0 THEN 'j' ELSE 'i' END AS incident,
				(ARRAY['kakaotalk','kakao-t','daum-mail','kakaomap','kakaopay','melon','webtoon','kakaopage','gift','emoticon-plus','talk-drawer','kakao-t-pro','driver-pro'])[1 + h % 13] AS service,
				u AS use, CASE WHEN h % 500 = 1 THEN 'company' WHEN h % 7 = 1 THEN 'small-business' ELSE 'person' END AS kind,
				CASE WHEN h % 60 = 3 THEN 'phone' WHEN h % 90 = 4 THEN 'post' ELSE 'web' END AS channel,
				CASE WHEN g % 100003 = 5 THEN 'returned' WHEN g % 3001 = 7 THEN 'appealed' ELSE s END AS state,
				CASE WHEN s = 'received' THEN '' ELSE 'r' || (length(u) * 7 + h % 13) % 18 END AS rule,
				CASE WHEN g % 100003 = 5 THEN 9000000 WHEN alike THEN 10000 WHEN u = 'none' THEN 0 ELSE (h / 3 % 500) * 10000 END AS amount, h % 40 = 9 AS flagged,
				1666137600000000000 + g::bigint * 1500000000 AS filed
			FROM (SELECT g, alike, upper(left(md5(g::text), 4) || '-' || substr(md5(g::text), 5, 4) || '-' || lpad(to_hex(g), 5, '0')) AS i,
				CASE WHEN alike THEN 0 ELSE abs(hashint4(g)) END AS h,
				CASE WHEN alike THEN 'none' WHEN abs(hashint4(g + 1)) % 1000 < 171 THEN 'paid' WHEN abs(hashint4(g + 1)) % 1000 < 322 THEN 'free' ELSE 'none' END AS u,
				CASE WHEN alike THEN 'received' ELSE (ARRAY['received','received','approved','approved','decided','decided','paid','paid','asked','review'])[1 + abs(hashint4(g + 2)) % 10] END AS s
				FROM (SELECT g, $4::bool AND g % 100 > 0 AS alike FROM generate_series($1::int, $2::int) AS g) w) x) y
			JOIN claim_facets f USING (incident, service, use, kind, channel, state, rule, flagged)`, from, from+99_999, string(doc), alike); err != nil {
			t.Fatal(err)
		}
	}
	for _, index := range indexes {
		if _, err := db.pool.Exec(ctx, index); err != nil {
			t.Fatal(err)
		}
	}
	mark, farm := master(t).Mark("phone:+82100000001"), master(t).Mark("device:farm") // of some ten claims, and of four thousand
	if _, err := db.pool.Exec(ctx, `UPDATE claims SET marks = marks || CASE WHEN amount = 9000000 THEN $1::text ELSE $2 END WHERE amount = 9000000 OR filed % 375000000000 = 0`, mark, farm); err != nil {
		t.Fatal(err)
	}
	if _, err := db.pool.Exec(ctx, `INSERT INTO claim_sealed SELECT id, '', ARRAY[hashint8(filed)::bigint * 4294967296 + filed % 4294967296,
			CASE WHEN amount = 9000000 THEN $1 WHEN filed % 375000000000 = 0 THEN $2 ELSE filed END] FROM claims
		ON CONFLICT DO NOTHING`, markStart(mark), markStart(farm)); err != nil {
		t.Fatal(err)
	}
	// Combinations that no claim has are no facets.
	if _, err := db.pool.Exec(ctx, "DELETE FROM claim_facets f WHERE NOT EXISTS (SELECT 1 FROM claims c WHERE c.facet = f.id)"); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"VACUUM ANALYZE claims", "VACUUM FULL ANALYZE claim_facets", "VACUUM ANALYZE claim_sealed"} {
		if _, err := db.pool.Exec(ctx, more); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d claims made in %v", n, time.Since(begun).Round(time.Second))
}

// cpu is the processor time that all processes of the server have taken.
func (s *server) cpu(t *testing.T) time.Duration {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	master := strings.Fields(string(pid))[0]
	var ticks int64
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		x := strings.Fields(rest)
		of := 0
		switch {
		case filepath.Base(filepath.Dir(f)) == master:
			of = 4 // with those that have ended
		case x[1] == master:
			of = 2
		}
		for _, v := range x[11 : 11+of] {
			n, _ := strconv.ParseInt(v, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
