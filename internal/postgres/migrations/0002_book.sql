-- The double-entry book. Entries are never changed: there is no UPDATE or DELETE for them.
CREATE TABLE book_entries (
    id  text  PRIMARY KEY,
    doc jsonb NOT NULL
);
CREATE TABLE book_lines (
    entry    text   NOT NULL REFERENCES book_entries,
    account  text   NOT NULL,
    currency text   NOT NULL,
    amount   bigint NOT NULL CHECK (amount <> 0 AND amount BETWEEN -1000000000000000 AND 1000000000000000),
    PRIMARY KEY (account, entry)
);
CREATE INDEX book_lines_by_entry ON book_lines (entry);
CREATE TABLE book_balances (
    account  text   NOT NULL,
    currency text   NOT NULL,
    amount   bigint NOT NULL,
    PRIMARY KEY (account, currency),
    -- Nobody is paid what nobody decided, and no batch sends on what did not come in.
    CONSTRAINT never_overdrawn CHECK (amount <= 0 OR (account NOT LIKE 'claimant/%' AND account NOT LIKE 'batch/%'))
);

CREATE FUNCTION book_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT coalesce(sum(amount), 0) FROM book_lines WHERE entry = NEW.entry) <> 0 THEN
        RAISE EXCEPTION 'entry % does not sum to zero', NEW.entry USING ERRCODE = 'check_violation', CONSTRAINT = 'sums_to_zero';
    END IF;
    RETURN NULL;
END $$;
-- At the end of the transaction, when all lines are there.
CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON book_lines DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION book_balanced();

CREATE FUNCTION book_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the book is corrected by a reversal, never changed' USING ERRCODE = 'check_violation', CONSTRAINT = 'immutable';
END $$;
CREATE TRIGGER immutable_entries BEFORE UPDATE OR DELETE OR TRUNCATE ON book_entries EXECUTE FUNCTION book_immutable();
CREATE TRIGGER immutable_lines BEFORE UPDATE OR DELETE OR TRUNCATE ON book_lines EXECUTE FUNCTION book_immutable();
