-- The audit trail: what changed, what was refused, and by whom.
-- The first table is that of Mattermost, which GET audits reads; the second has the whole record of each of our rows, chained by hashes.

CREATE TABLE IF NOT EXISTS audits (
    id varchar(26) NOT NULL,
    createat bigint,
    userid varchar(26),
    action varchar(512),
    extrainfo varchar(1024),
    ipaddress varchar(64),
    sessionid varchar(26),
    PRIMARY KEY (id)
);
CREATE INDEX IF NOT EXISTS idx_audits_user_id ON audits (userid);
CREATE INDEX IF NOT EXISTS idx_qd_audits_newest ON audits (createat);

CREATE TABLE IF NOT EXISTS qd_audits (
    id varchar(26) NOT NULL,
    number bigint NOT NULL,
    createat bigint NOT NULL,
    event varchar(64) NOT NULL,
    status varchar(16) NOT NULL,
    userid varchar(26) NOT NULL,
    sessionid varchar(26) NOT NULL,
    address varchar(64) NOT NULL,
    source varchar(16) NOT NULL,
    requestid varchar(26) NOT NULL,
    method varchar(16) NOT NULL,
    path varchar(2048) NOT NULL,
    code bigint NOT NULL,
    errorid varchar(128) NOT NULL,
    parameters text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    extrainfo varchar(1024) NOT NULL,
    previous char(64) NOT NULL,
    hash char(64) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT qd_audits_number_key UNIQUE (number)
);
