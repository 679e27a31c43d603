-- The searchable names of accounts on SQLite. They are derived from `users`, so they belong to no migration and no backup.
-- The index holds all columns that a search reads in the order of usernames. The rows of `qd_user_grams` have the same key.

CREATE TABLE IF NOT EXISTS qd_user_names (
    place INTEGER PRIMARY KEY,
    userid varchar(26) NOT NULL UNIQUE,
    username varchar(64) NOT NULL,
    names text NOT NULL,
    fullname text NOT NULL,
    email text NOT NULL,
    everything text NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_qd_user_names_username
    ON qd_user_names (username, userid, everything, names, fullname, email);
CREATE VIRTUAL TABLE IF NOT EXISTS qd_user_grams USING fts5 (
    names, fullname, email, tokenize = 'trigram case_sensitive 1', content = '', contentless_delete = 1
);
