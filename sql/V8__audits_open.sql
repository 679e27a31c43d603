-- Drafts: the records of changes that are stored, and whose end is not in the trail yet. A draft is stored with its change.

CREATE TABLE qd_audits_open (
    id varchar(26) NOT NULL,
    createat bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (id)
);
