-- The report of accounts is read page by page in the order of a column and the id.
-- The name and the address have unique indexes, and the time of creation has an index of Mattermost.

CREATE INDEX IF NOT EXISTS idx_qd_users_firstname ON users (firstname, id);
CREATE INDEX IF NOT EXISTS idx_qd_users_lastname ON users (lastname, id);
CREATE INDEX IF NOT EXISTS idx_qd_users_nickname ON users (nickname, id);
CREATE INDEX IF NOT EXISTS idx_qd_users_roles ON users (roles, id);
