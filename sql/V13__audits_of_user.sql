-- The audit records of a user are read page by page, the newest first.

CREATE INDEX IF NOT EXISTS idx_qd_audits_of_user ON audits (userid, createat DESC, id);
