-- Rows of the audit trail are hashed with a key that is not in the database. A row names its key; older rows have none.

ALTER TABLE qd_audits ADD COLUMN keyid varchar(16) NOT NULL DEFAULT '';
