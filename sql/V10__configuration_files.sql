-- Files that belong to the configuration, such as certificates of a SAML provider. The table is that of Mattermost.
-- This server does not use them; it carries them along from store to store.

CREATE TABLE IF NOT EXISTS configurationfiles (
    name varchar(64) NOT NULL,
    data text NOT NULL,
    createat bigint NOT NULL,
    updateat bigint NOT NULL,
    PRIMARY KEY (name)
);
