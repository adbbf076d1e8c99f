-- Who looked at what, once more, in order of time: an index for supervisors. What was
-- looked at before this step is taken from the histories of the claims.
CREATE TABLE claim_looks (
    at    bigint NOT NULL, -- nanoseconds since 1970, UTC
    claim text   NOT NULL REFERENCES claims,
    n     bigint NOT NULL, -- of the event
    doc   jsonb  NOT NULL,
    PRIMARY KEY (at, claim, n)
);
INSERT INTO claim_looks (at, claim, n, doc)
    SELECT (extract(epoch FROM (doc->>'at')::timestamptz) * 1000000000)::bigint, claim, n, doc
    FROM claim_events WHERE doc->>'what' LIKE 'looked%';
