-- Tokens that the server sends by mail. Names, columns and types are those of Mattermost 11.6. Rows of this server hold
-- a digest of the token in `extra`, and not the token.

CREATE TABLE IF NOT EXISTS tokens (
    token varchar(64) NOT NULL,
    createat bigint,
    type varchar(64),
    extra varchar(2048),
    PRIMARY KEY (token)
);
