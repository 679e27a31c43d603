-- Tables that Mattermost 11.6 has beside those of mattermost.sql, as its migrations make them, with a few rows. Its
-- indexes that only speed up its own searches are left out.

CREATE TABLE db_migrations (version bigint NOT NULL PRIMARY KEY, name varchar NOT NULL);
INSERT INTO db_migrations SELECT number, 'step' FROM generate_series(1, 167) AS number WHERE number <> 110;
CREATE TABLE db_lock (id varchar(64) PRIMARY KEY, expireat bigint);

CREATE TABLE configurationfiles (
    name varchar(64) PRIMARY KEY,
    data text NOT NULL,
    createat bigint NOT NULL,
    updateat bigint NOT NULL
);

CREATE TABLE tokens (
    token varchar(64) NOT NULL PRIMARY KEY,
    createat bigint,
    type varchar(64),
    extra varchar(2048)
);

CREATE TABLE schemes (
    id varchar(26) PRIMARY KEY,
    name varchar(64) UNIQUE,
    displayname varchar(128),
    description varchar(1024),
    createat bigint,
    updateat bigint,
    deleteat bigint,
    scope varchar(32),
    defaultteamadminrole varchar(64),
    defaultteamuserrole varchar(64),
    defaultchanneladminrole varchar(64),
    defaultchanneluserrole varchar(64),
    defaultteamguestrole varchar(64),
    defaultchannelguestrole varchar(64),
    defaultplaybookadminrole varchar(64) DEFAULT '',
    defaultplaybookmemberrole varchar(64) DEFAULT '',
    defaultrunadminrole varchar(64) DEFAULT '',
    defaultrunmemberrole varchar(64) DEFAULT ''
);

CREATE TABLE publicchannels (
    id varchar(26) PRIMARY KEY,
    deleteat bigint,
    teamid varchar(26),
    displayname varchar(64),
    name varchar(64),
    header varchar(1024),
    purpose varchar(250),
    CONSTRAINT publicchannels_name_teamid_key UNIQUE (name, teamid)
);

CREATE TABLE channelmemberhistory (
    channelid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    jointime bigint NOT NULL,
    leavetime bigint,
    PRIMARY KEY (channelid, userid, jointime)
);

CREATE TABLE oauthapps (id varchar(26) PRIMARY KEY, creatorid varchar(26), createat bigint, name varchar(64));
CREATE TABLE pluginkeyvaluestore (
    pluginid varchar(190) NOT NULL,
    pkey varchar(150) NOT NULL,
    pvalue bytea,
    expireat bigint,
    PRIMARY KEY (pluginid, pkey)
);

INSERT INTO oauthapps VALUES ('app', 'anna', 1, 'app');
INSERT INTO systems VALUES ('DiagnosticId', 'diagnostic'), ('InstallationDate', '1795836083617');
