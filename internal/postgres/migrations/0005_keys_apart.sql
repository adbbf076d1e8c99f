-- Keys are restored from a backup of their own, which may be newer than that of the claims:
-- keys of claims that are not there are removed by the replay, not refused by the load.
ALTER TABLE claim_keys DROP CONSTRAINT claim_keys_id_fkey;
