-- A million claims, and thousands a second: few rows and indexes for each report.

-- Rows of one report are written by one statement: nothing is left for foreign keys to find,
-- and they cost more than the rows. Keys are restored from a backup of their own, which may be
-- newer than that of the claims: keys of claims that are not there are removed by the replay,
-- not refused by the load.
ALTER TABLE claim_sealed DROP CONSTRAINT claim_sealed_id_fkey;
ALTER TABLE claim_keys   DROP CONSTRAINT claim_keys_id_fkey;
ALTER TABLE claim_files  DROP CONSTRAINT claim_files_id_fkey;
ALTER TABLE claim_events DROP CONSTRAINT claim_events_claim_fkey;
ALTER TABLE claim_looks  DROP CONSTRAINT claim_looks_claim_fkey;

-- Nobody looks into documents but this program, so the database need not read them.
ALTER TABLE claims ALTER COLUMN doc TYPE text USING doc::text;
ALTER TABLE claim_events ALTER COLUMN doc TYPE text USING doc::text;
ALTER TABLE claim_looks ALTER COLUMN doc TYPE text USING doc::text;

-- The first event of a claim stands with it.
ALTER TABLE claims ADD COLUMN filing text;
UPDATE claims c SET filing = e.doc FROM claim_events e WHERE e.claim = c.id AND e.n = 1;
ALTER TABLE claims ALTER COLUMN filing SET NOT NULL;
DELETE FROM claim_events WHERE n = 1;

-- So does what its idempotency key was, the start of its hash.
ALTER TABLE claims ADD COLUMN keyed uuid, ADD COLUMN fingerprint text;
UPDATE claims c SET keyed = left(k.hash, 32)::uuid, fingerprint = k.fingerprint FROM claim_keyed k WHERE k.id = c.id;
DROP TABLE claim_keyed;
CREATE UNIQUE INDEX claims_by_keyed ON claims (keyed) WHERE keyed IS NOT NULL;

-- The start of each mark is enough to find it; who finds it checks the mark itself. What is
-- new waits in a list of the index, which is put in order many at a time.
ALTER TABLE claim_sealed ADD COLUMN starts bigint[] NOT NULL DEFAULT '{}';
UPDATE claim_sealed s SET starts = ARRAY(SELECT ('x' || left(split_part(m, '.', 2), 16))::bit(64)::bigint FROM unnest(c.marks) AS m) FROM claims c WHERE c.id = s.id;
DROP TABLE claim_marks;
CREATE INDEX claim_sealed_by_start ON claim_sealed USING gin (starts) WITH (gin_pending_list_limit = 1024);

-- A facet is one combination of all that lists filter by. There are some hundreds, whatever
-- the number of claims; a list goes over those that are asked for, each in order by an index,
-- so that no combination of filters makes it go over the claims. They are never removed.
CREATE TABLE claim_facets (
    id       int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident text NOT NULL,
    service  text NOT NULL,
    use      text NOT NULL,
    kind     text NOT NULL,
    channel  text NOT NULL,
    state    text NOT NULL,
    rule     text NOT NULL,
    flagged  bool NOT NULL,
    UNIQUE (incident, service, use, kind, channel, state, rule, flagged)
);
INSERT INTO claim_facets (incident, service, use, kind, channel, state, rule, flagged)
    SELECT DISTINCT incident, service, use, kind, channel, state, rule, flags > 0 FROM claims;
ALTER TABLE claims ADD COLUMN facet int;
UPDATE claims c SET facet = f.id FROM claim_facets f
    WHERE (f.incident, f.service, f.use, f.kind, f.channel, f.state, f.rule, f.flagged) = (c.incident, c.service, c.use, c.kind, c.channel, c.state, c.rule, c.flags > 0);
ALTER TABLE claims ALTER COLUMN facet SET NOT NULL,
    DROP COLUMN incident, DROP COLUMN service, DROP COLUMN use, DROP COLUMN kind, DROP COLUMN channel, DROP COLUMN state, DROP COLUMN rule, DROP COLUMN flags;

-- Most indexes went with their columns.
DROP INDEX claims_by_amount, claims_by_filed;
CREATE INDEX claims_by_amount ON claims (facet, amount DESC, id) INCLUDE (filed);
CREATE INDEX claims_by_filed ON claims (facet, filed, id) INCLUDE (amount);
-- For lists that ask for nearly all claims, or for a few by their amount or age alone.
CREATE INDEX claims_in_amount ON claims (amount DESC, id) INCLUDE (facet, filed);
CREATE INDEX claims_in_filed ON claims (filed, id) INCLUDE (facet, amount);
