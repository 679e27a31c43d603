-- The stored configuration: every version is kept, one of them is active.
-- The first table is that of Mattermost; the second says who made a version, and what changed.

CREATE TABLE IF NOT EXISTS configurations (
    id varchar(26) NOT NULL,
    value text NOT NULL,
    createat bigint NOT NULL,
    active boolean,
    sha char(64) DEFAULT '',
    PRIMARY KEY (id),
    CONSTRAINT configurations_active_key UNIQUE (active)
);

CREATE TABLE IF NOT EXISTS qd_configversions (
    id varchar(26) NOT NULL,
    createat bigint NOT NULL,
    userid varchar(26) NOT NULL,
    sessionid varchar(26) NOT NULL,
    address varchar(64) NOT NULL,
    source varchar(16) NOT NULL,
    comment varchar(1024) NOT NULL,
    changes text NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS idx_qd_configversions_createat ON qd_configversions (createat);
