-- Attempts at names that no account has. A row is a place out of a fixed number of them; it holds a keyed hash, not the name.

CREATE TABLE qd_unknown_names (
    place integer NOT NULL CHECK (place BETWEEN 0 AND 65535),
    hash varchar(32) NOT NULL,
    failures integer NOT NULL,
    lastat bigint NOT NULL,
    PRIMARY KEY (place)
);
