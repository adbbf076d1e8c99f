-- Papers on their way into the vault, or out of it: written before the vault is touched,
-- removed when the claim says so too. What stays longer was left by a crash and is swept.
CREATE TABLE claim_moves (
    name    text        PRIMARY KEY, -- claim/file
    at      timestamptz NOT NULL,
    outward boolean     NOT NULL
);
ALTER TABLE claim_files ALTER COLUMN sealed SET STORAGE EXTERNAL; -- sealed bytes cannot be compressed
