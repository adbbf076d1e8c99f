-- That the database was filled from a dump, until a node has taken note: payments
-- that were made since are not in it. The rows go then.
CREATE TABLE claim_restored (at timestamptz NOT NULL);
