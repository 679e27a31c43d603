//! The statements whose cost may grow with a table, and those that have no plan of their own.

/// Files whose statements read or write whole tables on purpose.
pub const WHOLE: [(&str, &str); 8] = [
    ("analytics.rs", "statistics count everything; they are read from memory and counted again in the background"),
    ("copying/", "a backup, a restore or an import copies whole tables"),
    ("foreign.rs", "an attached database is counted once, at its first start"),
    ("foreign/", "a database of Mattermost is attached or detached, once"),
    ("integrity.rs", "an operator asks for a check of everything"),
    ("mattermost/", "a Mattermost moves in or out, with everything"),
    ("support_packet.rs", "an administrator asks for counts of everything"),
    ("users/emptying.rs", "an operator deletes all accounts"),
];

/// Statements whose cost grows: the file, a part of the text, and the reason why it may.
pub const GROWING: [(&str, &str, &str); 31] = [
    ("audits.rs", "NOT EXISTS (SELECT 1 FROM qd_audits q", "rows of Mattermost come after all others"),
    ("audits/open.rs", "FROM qd_audits_open", "drafts are those of changes under way"),
    ("audits/prune.rs", "DELETE FROM audits WHERE id IN", "a portion of old rows, whose place no planner knows"),
    ("audits/verify.rs", "hash = $1", "a row was moved by hand"),
    ("audits/of_request.rs", ") newest JOIN qd_audits", "a bounded number of the newest rows"),
    ("bots.rs", "FROM bots b JOIN users u", "bots are few"),
    ("cluster/bus.rs", "EXISTS (SELECT 1 FROM qd_outbox)", "the first row is enough"),
    ("cluster/nodes.rs", "DELETE FROM qd_sockets", "sockets of ended nodes are deleted by a task"),
    ("cluster/questions.rs", "closesat <= qd_now()", "questions are open for some seconds"),
    ("licenses.rs", "SELECT COUNT(*)", "seats are counted by a task"),
    ("notices.rs", "FROM posts", "messages are counted by a task"),
    ("notices.rs", "DELETE FROM productnoticeviewstate", "a task deletes what was seen of old notices"),
    ("sessions.rs", "DELETE FROM sessions", "all sessions end"),
    ("tokens.rs", "FROM useraccesstokens t", "the beginning of statements, which are planned as a whole"),
    ("unknown_names.rs", "DELETE FROM qd_unknown_names", "at most 65,536 rows, by a task"),
    ("user_names.rs", "DELETE FROM", "all accounts are deleted"),
    ("user_names/comparing.rs", "FROM qd_user_names n", "a task compares all names in portions"),
    (
        "users.rs",
        "FROM users u LEFT JOIN bots b ON b.userid = u.id",
        "accounts are counted, or a beginning of statements",
    ),
    ("users.rs", "INSERT INTO users", "accounts are counted for their limit"),
    ("users/guests.rs", "SELECT u.id FROM users u", "a task looks for guests while guest accounts are off"),
    ("users/site.rs", "SELECT COUNT(*)", "accounts are counted for their limit"),
    ("(made of parts)", "COUNT(*) FROM users u", "accounts are counted for an administrator"),
    ("(made of parts)", "configurations c ORDER BY", "an index of the versions, without their documents"),
    (
        "(made of parts)",
        "lastactivityat FROM status s WHERE s.userid = u.id), 0) DESC",
        "the order is that of another table",
    ),
    (
        "(made of parts)",
        "(SELECT COUNT(*) FROM bots b WHERE b.userid = u.id) = 0 ORDER BY",
        "the first accounts in the order of an index",
    ),
    (
        "(made of parts)",
        "m.teamid = $1) ORDER BY u.createat DESC",
        "accounts are read in their order until the page is full of members",
    ),
    ("(made of parts)", "m.deleteat = 0) ORDER BY u.username LIMIT", "accounts without a team, for an administrator"),
    ("(made of parts)", "FROM status s JOIN users u", "statistics count users in the background"),
    ("(made of parts)", "FROM teams t", "teams are sorted by the name that is shown"),
    ("(made of parts)", "FROM channels c JOIN teams t", "all channels, for an administrator"),
    ("(made of parts)", "FROM posts WHERE createat", "statistics count messages in the background"),
];

/// Statements of parts that the walk does not run: the file, a part of the text, and the reason why it has no plan.
pub const OF_PARTS: [(&str, &str, &str); 11] = [
    ("channels.rs", "COALESCE(m.msgcount", "the channels of one user"),
    ("channels.rs", "SELECT c.teamid, m.roles", "one channel, one member and one team by their ids"),
    ("config_versions.rs", "SELECT c.id, c.value FROM ", "the page is that of the records, which the walk reads"),
    ("systems.rs", "FROM pg_locks", "the locks of the database"),
    ("user_names.rs", "INSERT INTO qd_user_grams", "one account by its id, on the embedded engine"),
    ("user_names/statements.rs", "SELECT 1 FROM qd_user_names n", INDEXED),
    ("user_names/statements.rs", "SELECT COUNT(*) FROM (", INDEXED),
    ("user_names/statements.rs", "qd_user_grams MATCH", INDEXED),
    ("user_names/statements.rs", "WITH hits AS MATERIALIZED", INDEXED),
    ("users.rs", "UPDATE users SET lastpictureupdate", "one account by its id"),
    ("users/operator.rs", "roles = $3 WHERE id", "one account by its id"),
];

const INDEXED: &str = "other tests hold the plans of the index of names, which is read where many accounts are";

/// Parts of statements that only PostgreSQL understands. The test on PostgreSQL plans them.
pub const OF_POSTGRES: [&str; 8] =
    ["::", "clock_timestamp()", "pg_", "text[]", "FOR UPDATE", "qd_now()", "qd_answers", "current_schema()"];

/// Parts that do not matter for a plan, with a text for each.
pub const SUBSTITUTES: [(&str, &str); 1] = [("updateat = {}", "updateat = updateat")];
