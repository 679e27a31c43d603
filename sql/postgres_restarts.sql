-- The restart and the upgrade of several servers of a cluster, one after the other. Only PostgreSQL has this table; it belongs to no migration
-- and no backup. A start runs these statements if the comment on qd_restarts is another than the one at the end.
-- Statements end with a semicolon and an empty line.

-- The row in slot 1 is the restart, and the one in slot 2 the upgrade, and one of them is under way at a time. The server
-- that leads it renews the row; after expiresat it is abandoned.
CREATE TABLE IF NOT EXISTS qd_restarts (
    slot bigint NOT NULL,
    id varchar(26) NOT NULL,
    target varchar(26) NOT NULL,
    state varchar(16) NOT NULL,
    beganat bigint NOT NULL,
    expiresat bigint NOT NULL,
    progress text NOT NULL,
    PRIMARY KEY (slot)
);

COMMENT ON TABLE qd_restarts IS 'form 1';
