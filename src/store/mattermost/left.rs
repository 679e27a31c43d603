//! The tables of a database that are not moved, with the numbers of their rows and the reasons.

use super::super::{Snapshot, StoreError, statement};
use super::tables::moved_tables;
use super::{MATTERMOST_MIGRATIONS, MIGRATIONS_TABLE};

/// A table whose rows stay behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftBehind {
    pub(crate) table: String,
    /// The number of rows; `None` if the role may not read the table.
    pub(crate) rows: Option<i64>,
    /// True if `rows` is an estimate of the database.
    pub(crate) is_estimate: bool,
    pub(crate) reason: &'static str,
}

/// The number of rows from which the estimate of the database is enough.
const MAX_COUNTED: i64 = 1_000_000;

const MESSAGES: &str = "messages are not served here";
const PLUGINS: &str = "plugins do not run here";
const HOOKS: &str = "webhooks and slash commands are not served here";
const OAUTH: &str = "OAuth applications are not served here";
const SCHEMES: &str = "permission schemes hold on the database of a Mattermost only";
const GROUPS: &str = "groups of a directory are not served here";
const FILES: &str = "files of messages are not served here";
const JOBS: &str = "jobs of the other server";
const SHARED: &str = "shared channels are not served here";
const RETENTION: &str = "retention policies are not served here";
const OTHER: &str = "no part of this server uses it";
const UNREADABLE: &str = "not counted, because the role may not read it";
const OWN: &str = "of a Quarterdeck that used this database; its trail stays there";

/// The reasons, by the beginnings of the names of tables. The first one that fits is the reason.
const REASONS: [(&str, &str); 32] = [
    ("posts", MESSAGES),
    ("posta", MESSAGES),
    ("postr", MESSAGES),
    ("thread", MESSAGES),
    ("reactions", MESSAGES),
    ("drafts", MESSAGES),
    ("scheduledposts", MESSAGES),
    ("temporaryposts", MESSAGES),
    ("persistentnotifications", MESSAGES),
    ("recentsearches", MESSAGES),
    ("readreceipts", MESSAGES),
    ("translations", MESSAGES),
    ("sidebar", MESSAGES),
    ("linkmetadata", MESSAGES),
    ("emoji", MESSAGES),
    ("recap", MESSAGES),
    ("pluginkeyvaluestore", PLUGINS),
    ("command", HOOKS),
    ("incomingwebhooks", HOOKS),
    ("outgoingwebhooks", HOOKS),
    ("oauth", OAUTH),
    ("outgoingoauth", OAUTH),
    ("schemes", SCHEMES),
    ("group", GROUPS),
    ("usergroups", GROUPS),
    ("fileinfo", FILES),
    ("uploadsessions", FILES),
    ("jobs", JOBS),
    ("shared", SHARED),
    ("remoteclusters", SHARED),
    ("retention", RETENTION),
    ("qd_", OWN),
];

/// The tables with the migrations and locks of Mattermost, which hold nothing that could be left behind.
const BOOKKEEPING: [&str; 3] = [MATTERMOST_MIGRATIONS, "db_config_migrations", "db_lock"];

const TABLES: &str = "SELECT c.relname::text, c.reltuples::bigint, quote_ident(c.relname), \
     has_any_column_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c \
     WHERE c.relkind IN ('r', 'p') AND c.oid = to_regclass(quote_ident(c.relname)) AND c.relnamespace = ANY (ARRAY( \
     SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (current_schemas(false)))) ORDER BY c.relname";

/// Returns the tables with rows that are not moved.
pub(crate) async fn left_behind(snapshot: &mut Snapshot) -> Result<Vec<LeftBehind>, StoreError> {
    let moved = moved_tables()?;
    let mut left = Vec::new();
    for mut row in snapshot.query(statement(TABLES, Vec::new())).await? {
        let (table, estimate, quoted) = (row.text()?, row.int()?, row.text()?);
        let is_moved = moved.iter().any(|moved| moved.table.name == table);
        if is_moved || BOOKKEEPING.contains(&table.as_str()) || table == MIGRATIONS_TABLE {
            continue;
        }
        if !row.bool()? {
            left.push(LeftBehind { table, rows: None, is_estimate: false, reason: UNREADABLE });
            continue;
        }
        let is_estimate = estimate > MAX_COUNTED;
        let rows = if is_estimate { estimate } else { count(snapshot, &quoted).await? };
        if rows > 0 {
            let reason = reason(&table);
            left.push(LeftBehind { table, rows: Some(rows), is_estimate, reason });
        }
    }
    Ok(left)
}

async fn count(snapshot: &mut Snapshot, quoted: &str) -> Result<i64, StoreError> {
    let rows = snapshot.query(statement(format!("SELECT COUNT(*) FROM {quoted}"), Vec::new())).await?;
    rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
}

pub(super) fn reason(table: &str) -> &'static str {
    REASONS.iter().find(|(beginning, _)| table.starts_with(beginning)).map_or(OTHER, |(_, reason)| reason)
}
