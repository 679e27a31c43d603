-- Questions of a node of a cluster to the others, and their answers. Only PostgreSQL has them; they belong to no migration
-- and no backup. A start runs these statements if the comment on qd_questions is another than the one at the end.
-- Statements end with a semicolon and an empty line.
--
-- Both tables are unlogged: an answer can contain lines of a log, which must be neither in the write-ahead log nor on a
-- standby, and it is of no use after a crash.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- A target that takes the question is removed from the list, so that it answers once.
CREATE UNLOGGED TABLE IF NOT EXISTS qd_questions (
    id varchar(26) NOT NULL,
    node varchar(26) NOT NULL,
    kind varchar(16) NOT NULL,
    arguments text NOT NULL,
    maxbytes bigint NOT NULL,
    targets text[] NOT NULL,
    closesat bigint NOT NULL,
    PRIMARY KEY (id)
);

-- The node that reads a part deletes it.
CREATE UNLOGGED TABLE IF NOT EXISTS qd_answers (
    question varchar(26) NOT NULL REFERENCES qd_questions (id) ON DELETE CASCADE,
    node varchar(26) NOT NULL,
    part bigint NOT NULL,
    state varchar(16) NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (question, node, part)
);

-- The names of parameters cannot be replaced.
DROP FUNCTION IF EXISTS qd_ask(text, text, text, text, bigint, text[], bigint, bigint);

-- Stores a question and tells the nodes of it. Returns false if too many questions are open. The lock makes questions of
-- several nodes count one after the other.
CREATE OR REPLACE FUNCTION qd_ask(question_id text, sender text, given_kind text, given text, max_bytes bigint,
    given_targets text[], limit_ms bigint, max_questions bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('quarterdeck questions ' || current_schema(), 0));
    DELETE FROM qd_questions WHERE closesat <= qd_now();
    IF (SELECT COUNT(*) FROM qd_questions) >= max_questions THEN
        RETURN false;
    END IF;
    INSERT INTO qd_questions (id, node, kind, arguments, maxbytes, targets, closesat)
    VALUES (question_id, sender, given_kind, given, max_bytes, given_targets, qd_now() + limit_ms);
    INSERT INTO qd_outbox (node, kind, body) VALUES (sender, 'question', question_id);
    PERFORM pg_notify(qd_channel(), 'waiting');
    RETURN true;
END $$;

-- Stores a part of an answer and tells the nodes of it. Returns false if the question is closed.
CREATE OR REPLACE FUNCTION qd_answer(question_id text, sender text, number bigint, given_state text, given text)
    RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO qd_answers (question, node, part, state, body)
    SELECT q.id, sender, number, given_state, given FROM qd_questions q
    WHERE q.id = question_id AND q.closesat > qd_now() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify(qd_channel(), 'answered');
    RETURN true;
END $$;

COMMENT ON TABLE qd_questions IS 'form 1';
