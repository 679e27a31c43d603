-- A page of the versions of the configuration is found without their documents. Bots are counted by their owner, and tokens
-- that are too old are found by their type.

CREATE INDEX IF NOT EXISTS idx_qd_configurations_newest ON configurations (createat, id, active);
CREATE INDEX IF NOT EXISTS idx_qd_bots_owner ON bots (ownerid);
CREATE INDEX IF NOT EXISTS idx_qd_tokens_type ON tokens (type, createat);
