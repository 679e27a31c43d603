-- The users who have a socket on each server of a PostgreSQL. The rows last as long as the sockets, so they belong to no migration and
-- no backup.

CREATE TABLE IF NOT EXISTS qd_presence (
    nodeid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    PRIMARY KEY (nodeid, userid)
);
CREATE INDEX IF NOT EXISTS idx_qd_presence_userid ON qd_presence (userid);
