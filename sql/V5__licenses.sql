CREATE TABLE IF NOT EXISTS licenses (
    id varchar(26) NOT NULL,
    createat bigint,
    bytes varchar(10000),
    PRIMARY KEY (id)
);
