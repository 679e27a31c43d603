-- A Mattermost with :accounts accounts, each with a session, a membership of a team and of a channel, a status and a
-- preference. `import.sh` runs it after the tables.

INSERT INTO users (id, createat, updateat, deleteat, username, password, authservice, email, emailverified, nickname,
    firstname, lastname, roles, props, notifyprops, locale, mfaactive, timezone)
SELECT lpad(n::text, 26, '0'), n, n, 0, 'crew' || n, '', '', 'crew' || n || '@chat.example', true, '', '', '',
    'system_user', '{}', '{"email": "true"}', 'en', false, '{}' FROM generate_series(1, :accounts) AS n;

INSERT INTO sessions
SELECT lpad(n::text, 26, 's'), lpad(n::text, 26, 't'), n, 0, n, lpad(n::text, 26, '0'), '', 'system_user', false, '{}', false
FROM generate_series(1, :accounts) AS n;

INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, type, email, allowopeninvite)
VALUES (repeat('t', 26), 1, 1, 0, 'Crew', 'crew', 'O', '', true);
INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest, createat)
SELECT repeat('t', 26), lpad(n::text, 26, '0'), '', 0, true, false, false, n FROM generate_series(1, :accounts) AS n;

INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name)
VALUES (repeat('c', 26), 1, 1, 0, repeat('t', 26), 'O', 'Town', 'town-square');
INSERT INTO channelmembers (channelid, userid, notifyprops, schemeuser)
SELECT repeat('c', 26), lpad(n::text, 26, '0'), '{}', true FROM generate_series(1, :accounts) AS n;

INSERT INTO status (userid, status, manual, lastactivityat)
SELECT lpad(n::text, 26, '0'), 'away', false, n FROM generate_series(1, :accounts) AS n;
INSERT INTO preferences SELECT lpad(n::text, 26, '0'), 'theme', '', '{}' FROM generate_series(1, :accounts) AS n;
