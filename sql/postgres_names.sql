-- The searchable names of accounts on PostgreSQL. They are derived from `users`, so they belong to no migration and no backup.
-- An index holds all columns that a search reads in the order of usernames: one for callers who may search everything, and
-- one for others. In one index for both, each search would read the names twice as wide.
-- A pending list would be read by every search, so the index of pieces has none.
-- The rows of an earlier form stay, because other servers may be searching them: only its indexes are replaced.

CREATE TABLE IF NOT EXISTS qd_user_names (
    userid varchar(26) NOT NULL,
    username varchar(64) NOT NULL,
    names text NOT NULL,
    fullname text NOT NULL,
    email text NOT NULL,
    everything text NOT NULL,
    grams text[] NOT NULL,
    PRIMARY KEY (userid)
);
CREATE INDEX IF NOT EXISTS idx_qd_user_names_everything ON qd_user_names (username) INCLUDE (userid, everything);
CREATE INDEX IF NOT EXISTS idx_qd_user_names_columns ON qd_user_names (username) INCLUDE (userid, names, fullname, email);
CREATE INDEX IF NOT EXISTS idx_qd_user_names_grams ON qd_user_names USING gin (grams) WITH (fastupdate = off);
DROP INDEX IF EXISTS idx_qd_user_names_username;
