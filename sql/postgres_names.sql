-- The searchable names of accounts on PostgreSQL. They are derived from `users`, so they belong to no migration and no backup.
-- A pending list would be read by every search, so the index has none.

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
CREATE INDEX IF NOT EXISTS idx_qd_user_names_username
    ON qd_user_names (username) INCLUDE (userid, everything, names, fullname, email);
CREATE INDEX IF NOT EXISTS idx_qd_user_names_grams ON qd_user_names USING gin (grams) WITH (fastupdate = off);
