-- The nodes of a cluster and the bus between them. Only PostgreSQL has them; they belong to no migration and no backup.
-- A start runs these statements if the comment on qd_outbox is another than the one at the end, or a trigger is missing.
-- Statements end with a semicolon and an empty line.

-- The functions look for tables in this schema, and in that of temporary tables last: they run with the rights of their
-- owner, and a caller must not put a table of their own in the place of one of these.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE TABLE IF NOT EXISTS qd_nodes (
    id varchar(26) NOT NULL,
    name varchar(64) NOT NULL,
    hostname varchar(255) NOT NULL,
    address varchar(64) NOT NULL,
    version varchar(64) NOT NULL,
    confighash varchar(64) NOT NULL,
    schemaversion bigint NOT NULL,
    startat bigint NOT NULL,
    heartbeatat bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (id)
);

-- The id of the Redis that the node uses for events now; empty for none.
ALTER TABLE qd_nodes ADD COLUMN IF NOT EXISTS bus varchar(64) NOT NULL DEFAULT '';

-- The number of the last batch of each node. It outlasts the node, so that no batch is published twice.
CREATE TABLE IF NOT EXISTS qd_batches (
    node varchar(26) NOT NULL,
    number bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (node)
);

-- Messages of transactions. A number that is taken first may be committed last, so nobody reads by it.
CREATE TABLE IF NOT EXISTS qd_outbox (
    id bigserial,
    node varchar(26) NOT NULL,
    kind varchar(16) NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (id)
);

-- Messages in their order. Positions have no gaps, and a position appears after all lower ones. The mark tells a message
-- from another one that got its position after the database had lost it.
-- A row of the kind 'redis' stands for all messages of batches that are in Redis, and for one without content before them.
-- Its position is that of the last one.
CREATE TABLE IF NOT EXISTS qd_events (
    position bigint NOT NULL,
    mark bigint NOT NULL DEFAULT (random() * 9007199254740991)::bigint,
    at bigint NOT NULL,
    node varchar(26) NOT NULL,
    kind varchar(16) NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (position)
);

CREATE INDEX IF NOT EXISTS idx_qd_events_at ON qd_events (at);

-- The connections of WebSocket clients. From a checkpoint (a position, its mark, and the number of the next event) another
-- node computes the events that a connection got since. There are two: a client may have missed events before the newer one.
-- They hold as long as the database has the same history (qd_timeline). The rule is 0 while no node may go on with the row.
-- Rows are renewed where they stand, so no index but the key may have a column that changes.
CREATE TABLE IF NOT EXISTS qd_sockets (
    id varchar(26) NOT NULL,
    node varchar(26) NOT NULL,
    userid varchar(26) NOT NULL,
    sessionid varchar(26) NOT NULL,
    rule bigint NOT NULL,
    timeline bigint NOT NULL,
    earlierposition bigint NOT NULL,
    earliermark bigint NOT NULL,
    earliernumber bigint NOT NULL,
    position bigint NOT NULL,
    mark bigint NOT NULL,
    number bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (id)
) WITH (fillfactor = 70);

-- The clock of the database, in Unix milliseconds.
CREATE OR REPLACE FUNCTION qd_now() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

-- The history of the database. After a failover or a restore to an earlier moment, which may lose messages that servers
-- had read, it is another one. 0 for a service that does not tell it.
CREATE OR REPLACE FUNCTION qd_timeline() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint;
EXCEPTION WHEN OTHERS THEN
    RETURN 0;
END $$;

-- The channel on which nodes are told of messages. Channels belong to the whole database, so the schema is in the name.
CREATE OR REPLACE FUNCTION qd_channel() RETURNS text LANGUAGE sql STABLE AS
    'SELECT ''qd_'' || left(md5(current_schema()), 16)'
    SET search_path FROM CURRENT;

-- Lets one transaction at a time give positions and advance numbers of batches. Each function takes this lock first, so
-- that none waits for another one that waits for it.
CREATE OR REPLACE FUNCTION qd_lock() RETURNS void LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('quarterdeck bus ' || current_schema(), 0));
END $$;

-- Gives the waiting messages their positions. One transaction at a time does; its lock ends with it, so a frozen node
-- cannot keep it. Each statement of the function sees what was committed before it.
CREATE OR REPLACE FUNCTION qd_move() RETURNS bigint LANGUAGE plpgsql VOLATILE
    SET search_path FROM CURRENT AS $$
DECLARE moved bigint;
BEGIN
    PERFORM qd_lock();
    WITH taken AS (
        DELETE FROM qd_outbox WHERE id IN (SELECT o.id FROM qd_outbox o ORDER BY o.id LIMIT 2000)
        RETURNING id, node, kind, body
    ), placed AS (
        INSERT INTO qd_events (position, at, node, kind, body)
        SELECT (SELECT COALESCE(MAX(e.position), 0) FROM qd_events e) + row_number() OVER (ORDER BY t.id), qd_now(),
            t.node, t.kind, t.body FROM taken t RETURNING 1
    )
    SELECT COUNT(*) INTO moved FROM placed;
    IF moved > 0 THEN
        PERFORM pg_notify(qd_channel(), 'moved');
    END IF;
    RETURN moved;
END $$;

-- Publishes a batch of a node in this order, once: a batch with this number or a lower one was published before.
-- Returns false if the node is not in the list. The messages do not pass through qd_outbox: a backup that reads for long
-- keeps its deleted rows, which every look would read.
CREATE OR REPLACE FUNCTION qd_publish(sender text, given bigint, kinds text[], bodies text[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM qd_nodes WHERE id = sender) THEN
        RETURN false;
    END IF;
    PERFORM qd_lock();
    INSERT INTO qd_batches (node, number, at) VALUES (sender, given, qd_now())
    ON CONFLICT (node) DO UPDATE SET number = excluded.number, at = excluded.at WHERE qd_batches.number < given;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    PERFORM qd_move();
    INSERT INTO qd_events (position, at, node, kind, body)
    SELECT (SELECT COALESCE(MAX(e.position), 0) FROM qd_events e) + m.place, qd_now(), sender, m.kind, m.body
    FROM unnest(kinds, bodies) WITH ORDINALITY AS m(kind, body, place);
    PERFORM pg_notify(qd_channel(), 'moved');
    RETURN true;
END $$;

-- Gives batches that are in Redis their places, in this order and once, with one row for all of them: `reference` names
-- them, and `messages` is their number. Returns 'not shared' and does nothing unless there are several nodes and all use
-- that Redis. Returns 'without' and does nothing if some of them, counted from 1, must be left out: they were published
-- before, or their node is not in the list.
CREATE OR REPLACE FUNCTION qd_publish_range(its_bus text, senders text[], given text[], reference text, messages bigint)
    RETURNS text LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE known text;
BEGIN
    PERFORM qd_lock();
    IF its_bus = '' OR (SELECT COUNT(*) FROM qd_nodes) < 2 OR EXISTS (SELECT 1 FROM qd_nodes n WHERE n.bus <> its_bus) THEN
        RETURN 'not shared';
    END IF;
    SELECT string_agg(s.place::text, ' ' ORDER BY s.place) INTO known
    FROM unnest(senders, given) WITH ORDINALITY AS s(node, number, place)
    WHERE NOT EXISTS (SELECT 1 FROM qd_nodes n WHERE n.id = s.node)
        OR EXISTS (SELECT 1 FROM qd_batches b WHERE b.node = s.node AND b.number >= s.number::bigint);
    IF known IS NOT NULL THEN
        RETURN 'without ' || known;
    END IF;
    INSERT INTO qd_batches (node, number, at)
    SELECT s.node, s.number::bigint, qd_now() FROM unnest(senders, given) AS s(node, number)
    ON CONFLICT (node) DO UPDATE SET number = excluded.number, at = excluded.at;
    PERFORM qd_move();
    INSERT INTO qd_events (position, at, node, kind, body)
    SELECT COALESCE(MAX(e.position), 0) + 1 + messages, qd_now(), '', 'redis', reference FROM qd_events e;
    PERFORM pg_notify(qd_channel(), 'moved');
    RETURN 'published';
END $$;

-- Leaves a message in the transaction that changes a row. The nodes hear of it when that transaction is committed.
-- It runs with the rights of its owner, as the functions of triggers do: whoever may change the row need not know these
-- tables.
CREATE OR REPLACE FUNCTION qd_tell(kind text, body text) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO qd_outbox (node, kind, body) VALUES ('', kind, body);
    PERFORM pg_notify(qd_channel(), 'waiting');
END $$;

-- Leaves messages about these users, or one about all users if they are many.
CREATE OR REPLACE FUNCTION qd_tell_users(kind text, ids text[]) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    IF cardinality(ids) > 5000 THEN
        PERFORM qd_tell(kind, '');
    ELSIF cardinality(ids) > 0 THEN
        INSERT INTO qd_outbox (node, kind, body) SELECT '', kind, string_agg(u.id, ' ')
        FROM unnest(ids) WITH ORDINALITY AS u(id, place) GROUP BY (u.place - 1) / 200;
        PERFORM pg_notify(qd_channel(), 'waiting');
    END IF;
END $$;

-- Only triggers call them: a message could be an event for all clients.
REVOKE EXECUTE ON FUNCTION qd_tell(text, text), qd_tell_users(text, text[]) FROM PUBLIC;

-- Rows with a userid were inserted or deleted; the argument is the kind of the message.
CREATE OR REPLACE FUNCTION qd_tell_of_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM qd_tell_users(TG_ARGV[0], ARRAY(SELECT DISTINCT r.userid FROM changed_rows r LIMIT 5001));
    RETURN NULL;
END $$;

-- One row with a userid was changed; the argument is the kind of the message.
CREATE OR REPLACE FUNCTION qd_tell_of_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM qd_tell(TG_ARGV[0], NEW.userid);
    RETURN NULL;
END $$;

-- Sessions were changed, other than by their use.
CREATE OR REPLACE FUNCTION qd_tell_of_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM qd_tell_users('users', ARRAY(SELECT DISTINCT n.userid FROM new_rows n JOIN old_rows o ON o.id = n.id
        WHERE (n.roles, n.expiresat, n.deviceid, n.props::text, n.token)
        IS DISTINCT FROM (o.roles, o.expiresat, o.deviceid, o.props::text, o.token) LIMIT 5001));
    RETURN NULL;
END $$;

-- An account was changed or deleted.
CREATE OR REPLACE FUNCTION qd_tell_of_account() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM qd_tell('users', OLD.id);
    RETURN NULL;
END $$;

-- A row or a table as a whole was changed; the argument is the kind of the message.
CREATE OR REPLACE FUNCTION qd_tell_of_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM qd_tell(TG_ARGV[0], '');
    RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS qd_sessions_deleted ON sessions;

CREATE TRIGGER qd_sessions_deleted AFTER DELETE ON sessions REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_rows('users');

DROP TRIGGER IF EXISTS qd_sessions_updated ON sessions;

CREATE TRIGGER qd_sessions_updated AFTER UPDATE ON sessions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_sessions();

DROP TRIGGER IF EXISTS qd_users_updated ON users;

CREATE TRIGGER qd_users_updated AFTER UPDATE ON users FOR EACH ROW
    WHEN ((OLD.roles, OLD.deleteat, OLD.mfaactive, OLD.authservice)
    IS DISTINCT FROM (NEW.roles, NEW.deleteat, NEW.mfaactive, NEW.authservice))
    EXECUTE FUNCTION qd_tell_of_account();

DROP TRIGGER IF EXISTS qd_users_deleted ON users;

CREATE TRIGGER qd_users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION qd_tell_of_account();

DROP TRIGGER IF EXISTS qd_teammembers_inserted ON teammembers;

CREATE TRIGGER qd_teammembers_inserted AFTER INSERT ON teammembers REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_rows('members');

DROP TRIGGER IF EXISTS qd_teammembers_deleted ON teammembers;

CREATE TRIGGER qd_teammembers_deleted AFTER DELETE ON teammembers REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_rows('members');

DROP TRIGGER IF EXISTS qd_teammembers_updated ON teammembers;

CREATE TRIGGER qd_teammembers_updated AFTER UPDATE OF deleteat ON teammembers FOR EACH ROW
    WHEN (OLD.deleteat IS DISTINCT FROM NEW.deleteat) EXECUTE FUNCTION qd_tell_of_row('members');

DROP TRIGGER IF EXISTS qd_channelmembers_inserted ON channelmembers;

CREATE TRIGGER qd_channelmembers_inserted AFTER INSERT ON channelmembers
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_rows('members');

DROP TRIGGER IF EXISTS qd_channelmembers_deleted ON channelmembers;

CREATE TRIGGER qd_channelmembers_deleted AFTER DELETE ON channelmembers
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_rows('members');

DROP TRIGGER IF EXISTS qd_roles_changed ON roles;

CREATE TRIGGER qd_roles_changed AFTER INSERT OR UPDATE OR DELETE ON roles
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('roles');

DROP TRIGGER IF EXISTS qd_configurations_changed ON configurations;

CREATE TRIGGER qd_configurations_changed AFTER INSERT OR UPDATE OR DELETE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('config');

DROP TRIGGER IF EXISTS qd_license_stored ON systems;

CREATE TRIGGER qd_license_stored AFTER INSERT OR UPDATE ON systems FOR EACH ROW
    WHEN (NEW.name = 'ActiveLicenseId') EXECUTE FUNCTION qd_tell_of_change('license');

DROP TRIGGER IF EXISTS qd_license_deleted ON systems;

CREATE TRIGGER qd_license_deleted AFTER DELETE ON systems FOR EACH ROW
    WHEN (OLD.name = 'ActiveLicenseId') EXECUTE FUNCTION qd_tell_of_change('license');

DROP TRIGGER IF EXISTS qd_busy_stored ON systems;

CREATE TRIGGER qd_busy_stored AFTER INSERT OR UPDATE ON systems FOR EACH ROW
    WHEN (NEW.name = 'QuarterdeckBusyUntil') EXECUTE FUNCTION qd_tell_of_change('busy');

DROP TRIGGER IF EXISTS qd_busy_deleted ON systems;

CREATE TRIGGER qd_busy_deleted AFTER DELETE ON systems FOR EACH ROW
    WHEN (OLD.name = 'QuarterdeckBusyUntil') EXECUTE FUNCTION qd_tell_of_change('busy');

DROP TRIGGER IF EXISTS qd_sessions_truncated ON sessions;

CREATE TRIGGER qd_sessions_truncated AFTER TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('users');

DROP TRIGGER IF EXISTS qd_users_truncated ON users;

CREATE TRIGGER qd_users_truncated AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('users');

DROP TRIGGER IF EXISTS qd_teammembers_truncated ON teammembers;

CREATE TRIGGER qd_teammembers_truncated AFTER TRUNCATE ON teammembers
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('members');

DROP TRIGGER IF EXISTS qd_channelmembers_truncated ON channelmembers;

CREATE TRIGGER qd_channelmembers_truncated AFTER TRUNCATE ON channelmembers
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('members');

DROP TRIGGER IF EXISTS qd_roles_truncated ON roles;

CREATE TRIGGER qd_roles_truncated AFTER TRUNCATE ON roles
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('roles');

DROP TRIGGER IF EXISTS qd_configurations_truncated ON configurations;

CREATE TRIGGER qd_configurations_truncated AFTER TRUNCATE ON configurations
    FOR EACH STATEMENT EXECUTE FUNCTION qd_tell_of_change('config');

COMMENT ON TABLE qd_outbox IS 'form 4';
