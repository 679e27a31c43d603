-- Tables with rows of accounts, teams and messages that only Mattermost 11.6 has, as its migrations make them. Its indexes
-- are left out.

CREATE TABLE oauthaccessdata (
    token varchar(26) NOT NULL,
    refreshtoken varchar(26),
    redirecturi varchar(256),
    clientid varchar(26),
    userid varchar(26),
    expiresat bigint,
    scope varchar(128),
    audience varchar(512) DEFAULT '',
    PRIMARY KEY (token)
);

CREATE TABLE oauthauthdata (
    clientid varchar(26),
    userid varchar(26),
    code varchar(128) NOT NULL,
    expiresin integer,
    createat bigint,
    redirecturi varchar(256),
    state varchar(1024),
    scope varchar(128),
    codechallenge varchar(128) DEFAULT '',
    codechallengemethod varchar(10) DEFAULT '',
    resource varchar(512) DEFAULT '',
    PRIMARY KEY (code)
);

CREATE TABLE incomingwebhooks (
    id varchar(26) NOT NULL,
    createat bigint,
    updateat bigint,
    deleteat bigint,
    userid varchar(26),
    channelid varchar(26),
    teamid varchar(26),
    displayname varchar(64),
    description varchar(500),
    username varchar(255),
    iconurl varchar(1024),
    channellocked boolean,
    PRIMARY KEY (id)
);

CREATE TABLE outgoingwebhooks (
    id varchar(26) NOT NULL,
    token varchar(26),
    createat bigint,
    updateat bigint,
    deleteat bigint,
    creatorid varchar(26),
    channelid varchar(26),
    teamid varchar(26),
    triggerwords varchar(1024),
    callbackurls varchar(1024),
    displayname varchar(64),
    contenttype varchar(128),
    triggerwhen integer,
    username varchar(64),
    iconurl varchar(1024),
    description varchar(500),
    PRIMARY KEY (id)
);

CREATE TABLE commands (
    id varchar(26) NOT NULL,
    token varchar(26),
    createat bigint,
    updateat bigint,
    deleteat bigint,
    creatorid varchar(26),
    teamid varchar(26),
    trigger varchar(128),
    method varchar(1),
    username varchar(64),
    iconurl varchar(1024),
    autocomplete boolean,
    autocompletedesc varchar(1024),
    autocompletehint varchar(1024),
    displayname varchar(64),
    description varchar(128),
    url varchar(1024),
    pluginid varchar(190),
    PRIMARY KEY (id)
);

CREATE TABLE groupmembers (
    groupid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    createat bigint,
    deleteat bigint,
    PRIMARY KEY (groupid, userid)
);

CREATE TABLE scheduledposts (
    id varchar(26) NOT NULL,
    createat bigint,
    updateat bigint,
    userid varchar(26) NOT NULL,
    channelid varchar(26) NOT NULL,
    rootid varchar(26),
    message varchar(65535),
    props varchar(8000),
    fileids varchar(300),
    priority text,
    scheduledat bigint NOT NULL,
    processedat bigint,
    errorcode varchar(200),
    type text,
    PRIMARY KEY (id)
);

CREATE TABLE drafts (
    createat bigint,
    updateat bigint,
    deleteat bigint,
    userid varchar(26) NOT NULL,
    channelid varchar(26) NOT NULL,
    rootid varchar(26) DEFAULT '' NOT NULL,
    message varchar(65535),
    props varchar(8000),
    fileids varchar(300),
    priority text,
    type text,
    PRIMARY KEY (userid, channelid, rootid)
);

CREATE TABLE threadmemberships (
    postid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    following boolean,
    lastviewed bigint,
    lastupdated bigint,
    unreadmentions bigint,
    PRIMARY KEY (postid, userid)
);

CREATE TABLE threads (
    postid varchar(26) NOT NULL,
    replycount bigint,
    lastreplyat bigint,
    participants jsonb,
    channelid varchar(26),
    threaddeleteat bigint,
    threadteamid varchar(26),
    PRIMARY KEY (postid)
);

CREATE TABLE sidebarchannels (
    channelid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    categoryid varchar(128) NOT NULL,
    sortorder bigint,
    PRIMARY KEY (channelid, userid, categoryid)
);

CREATE TABLE sidebarcategories (
    id varchar(128) NOT NULL,
    userid varchar(26),
    teamid varchar(26),
    sortorder bigint,
    sorting varchar(64),
    type varchar(64),
    displayname varchar(64),
    muted boolean,
    collapsed boolean,
    PRIMARY KEY (id)
);

CREATE TABLE reactions (
    userid varchar(26) NOT NULL,
    postid varchar(26) NOT NULL,
    emojiname varchar(64) NOT NULL,
    createat bigint,
    updateat bigint,
    deleteat bigint,
    remoteid varchar(26),
    channelid varchar(26) DEFAULT '' NOT NULL,
    PRIMARY KEY (postid, userid, emojiname)
);

CREATE TABLE fileinfo (
    id varchar(26) NOT NULL,
    creatorid varchar(26),
    postid varchar(26),
    createat bigint,
    updateat bigint,
    deleteat bigint,
    path varchar(512),
    thumbnailpath varchar(512),
    previewpath varchar(512),
    name varchar(256),
    extension varchar(64),
    size bigint,
    mimetype varchar(256),
    width integer,
    height integer,
    haspreviewimage boolean,
    minipreview bytea,
    content text,
    remoteid varchar(26),
    archived boolean DEFAULT false NOT NULL,
    channelid varchar(26),
    PRIMARY KEY (id)
);

CREATE TABLE postspriority (
    postid varchar(26) NOT NULL,
    channelid varchar(26) NOT NULL,
    priority varchar(32) NOT NULL,
    requestedack boolean,
    persistentnotifications boolean,
    PRIMARY KEY (postid)
);

CREATE TABLE persistentnotifications (
    postid varchar(26) NOT NULL,
    createat bigint,
    lastsentat bigint,
    deleteat bigint,
    sentcount smallint,
    PRIMARY KEY (postid)
);

CREATE TABLE postacknowledgements (
    postid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    acknowledgedat bigint,
    remoteid varchar(26) DEFAULT '',
    channelid varchar(26) DEFAULT '',
    PRIMARY KEY (postid, userid)
);

CREATE TABLE postreminders (
    postid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    targettime bigint,
    PRIMARY KEY (postid, userid)
);

CREATE TABLE temporaryposts (
    postid varchar(26) NOT NULL,
    type varchar(26) NOT NULL,
    expireat bigint NOT NULL,
    message varchar(65535),
    fileids varchar(300),
    PRIMARY KEY (postid)
);

CREATE TABLE readreceipts (
    postid varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    expireat bigint NOT NULL,
    PRIMARY KEY (postid, userid)
);
