-- Claims, beyond what the embedded store is meant for. Personal data are sealed; the
-- wrapped keys stand in a table of their own, which backups of the rest leave out.
CREATE TABLE claims (
    id       text PRIMARY KEY,
    incident text   NOT NULL,
    service  text   NOT NULL,
    use      text   NOT NULL,
    kind     text   NOT NULL,
    channel  text   NOT NULL,
    state    text   NOT NULL,
    rule     text   NOT NULL,
    amount   bigint NOT NULL,
    flags    bigint NOT NULL,
    filed    bigint NOT NULL, -- nanoseconds since 1970, UTC
    version  bigint NOT NULL,
    secret   text   NOT NULL, -- hash
    marks    text[] NOT NULL, -- keyed hashes
    events   bigint NOT NULL,
    doc      jsonb  NOT NULL
);
-- The two orders of a desk, for all claims and for each filter that picks few of them.
CREATE INDEX claims_by_amount ON claims (amount DESC, id);
CREATE INDEX claims_by_filed ON claims (filed, id);
CREATE INDEX claims_by_incident ON claims (incident, id);
CREATE INDEX claims_by_state ON claims (state, amount DESC, id);
CREATE INDEX claims_by_state_filed ON claims (state, filed, id);
CREATE INDEX claims_by_service ON claims (service, amount DESC, id);
CREATE INDEX claims_by_rule ON claims (rule, amount DESC, id);
CREATE INDEX claims_flagged ON claims (amount DESC, id) WHERE flags > 0;
CREATE INDEX claims_by_kind ON claims (kind, use, amount DESC, id);

CREATE TABLE claim_sealed (id text PRIMARY KEY REFERENCES claims, sealed bytea NOT NULL);
CREATE TABLE claim_keys   (id text PRIMARY KEY REFERENCES claims, wrapped bytea NOT NULL);
CREATE TABLE claim_marks  (mark text NOT NULL, id text NOT NULL REFERENCES claims, PRIMARY KEY (mark, id));
CREATE TABLE claim_keyed  (hash text PRIMARY KEY, id text NOT NULL, fingerprint text NOT NULL);
CREATE TABLE claim_erased (id text PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE claim_files  (id text NOT NULL REFERENCES claims, file text NOT NULL, sealed bytea NOT NULL, PRIMARY KEY (id, file));
CREATE TABLE claim_events (
    claim text        NOT NULL REFERENCES claims,
    n     bigint      NOT NULL,
    doc   jsonb       NOT NULL,
    PRIMARY KEY (claim, n)
);
