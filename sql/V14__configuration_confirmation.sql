-- The change of the configuration that is taken back unless its author confirms it. There is at most one row.

CREATE TABLE IF NOT EXISTS qd_configconfirmation (
    slot integer NOT NULL,
    version varchar(26) NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (slot)
);
