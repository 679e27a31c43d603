-- The searchable names of accounts on SQLite. They are derived from `users`, so they belong to no migration and no backup.
-- An index holds all columns that a search reads in the order of usernames: one for callers who may search everything, and
-- one for others. The rows of `qd_user_grams` have the same key, and `qd_user_terms` lists the pieces in it.

DROP TABLE IF EXISTS qd_user_terms;
DROP TABLE IF EXISTS qd_user_grams;
DROP TABLE IF EXISTS qd_user_names;
CREATE TABLE qd_user_names (
    place INTEGER PRIMARY KEY,
    userid varchar(26) NOT NULL UNIQUE,
    username varchar(64) NOT NULL,
    names text NOT NULL,
    fullname text NOT NULL,
    email text NOT NULL,
    everything text NOT NULL
);
CREATE INDEX idx_qd_user_names_everything ON qd_user_names (username, userid, everything);
CREATE INDEX idx_qd_user_names_username ON qd_user_names (username, userid, names, fullname, email);
CREATE VIRTUAL TABLE qd_user_grams USING fts5 (
    names, fullname, email, tokenize = 'trigram case_sensitive 1', content = '', contentless_delete = 1
);
CREATE VIRTUAL TABLE qd_user_terms USING fts5vocab (qd_user_grams, row);
