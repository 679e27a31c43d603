//! Finds the engine that a data source belongs to, and describes a data source without its password.

use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::data_source::is_address;

use super::{DataSource, StoreError};

/// The number of the advisory lock that lets one server at a time migrate the database.
pub(super) const LOCK_KEY: i64 = 0x7164_6563_6b00_0001;

/// The table that records the applied migrations.
pub(super) const MIGRATIONS_TABLE: &str = "qd_migrations";

/// One of the two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineKind {
    Postgres,
    Sqlite,
}

/// Words that mark a PostgreSQL data source of the form `key=value`; file names are not expected to contain them.
const POSTGRES_WORDS: [&str; 5] = ["host=", "password=", "user=", "dbname=", "sslmode="];

/// Substrings that mark a `MySQL` data source, which has no scheme.
const MYSQL_PARTS: [&str; 2] = ["@tcp(", "@unix("];

/// Returns the engine that the settings mean. A PostgreSQL address is never used as a file name.
///
/// Error texts do not quote the data source, because it can contain a password.
pub(super) fn kind(settings: &SqlSettings) -> Result<EngineKind, StoreError> {
    let source = settings.data_source.as_str();
    if is_address(source) {
        return Ok(EngineKind::Postgres);
    }
    match settings.driver_name.as_str() {
        "postgres" => Ok(EngineKind::Postgres),
        "sqlite" => match why_no_file(source) {
            None => Ok(EngineKind::Sqlite),
            Some(why) => Err(StoreError::Setting(format!("SqlSettings.DriverName is \"sqlite\", but {why}"))),
        },
        other => Err(StoreError::Setting(format!(
            "SqlSettings.DriverName is {other:?}; it must be \"postgres\" or \"sqlite\""
        ))),
    }
}

/// Returns the reason why a data source cannot be a file name, or `None` when it can.
fn why_no_file(source: &str) -> Option<&'static str> {
    if source.trim().is_empty() {
        Some("SqlSettings.DataSource is empty: it must name a file")
    } else if source.contains("://") {
        Some("SqlSettings.DataSource is a URL (not shown): it must name a file, or begin with postgres://")
    } else if holds(source, &POSTGRES_WORDS) {
        Some(
            "SqlSettings.DataSource looks like a PostgreSQL data source (not shown): set \
             SqlSettings.DriverName to \"postgres\"",
        )
    } else if holds(source, &MYSQL_PARTS) {
        Some("SqlSettings.DataSource looks like a MySQL data source (not shown); this server does not support MySQL")
    } else if source.chars().all(|character| character == '*') {
        Some("SqlSettings.DataSource is the placeholder of a hidden value: it must name a file")
    } else {
        None
    }
}

/// Describes a database for people: the file, or the hosts and the database name on PostgreSQL. User and password are
/// left out.
pub(crate) fn described(data_source: &str) -> String {
    let is_postgres = is_address(data_source) || holds(data_source, &POSTGRES_WORDS);
    if is_postgres {
        return match DataSource::parse(data_source) {
            Ok(source) => format!("PostgreSQL at {}", source.place()),
            Err(_) => "a PostgreSQL database".to_owned(),
        };
    }
    match why_no_file(data_source) {
        None => format!("the file {data_source}"),
        Some(_) => "a database (not shown)".to_owned(),
    }
}

fn holds(source: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| source.contains(part))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use serde_json::Value;

    use super::*;

    fn engine_of(driver: &str, source: &str) -> Result<EngineKind, String> {
        let settings = [("DriverName", driver), ("DataSource", source)];
        let pinned = settings.map(|(name, value)| (format!("SqlSettings.{name}"), Value::from(value)));
        kind(&Config::from_overrides(pinned).unwrap().view.sql).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_scheme_says_which_engine_it_is() {
        for driver in ["sqlite", "postgres", "mysql"] {
            for scheme in ["postgres", "postgresql"] {
                assert_eq!(engine_of(driver, &format!("{scheme}://db/chat")), Ok(EngineKind::Postgres));
            }
        }
        assert_eq!(engine_of("sqlite", "data/quarterdeck.db"), Ok(EngineKind::Sqlite));
        assert_eq!(engine_of("postgres", "host=db dbname=chat"), Ok(EngineKind::Postgres));
        assert!(engine_of("mysql", "chat").unwrap_err().contains("must be"));
    }

    #[test]
    fn what_is_no_name_of_a_file_is_refused_without_being_shown() {
        for source in [
            "mysql://me:canary@db/chat",
            "POSTGRES://me:canary@db/chat",
            "file:///canary/chat.db",
            "host=db user=me password=canary dbname=chat",
            "me:canary@tcp(db:3306)/chat?charset=utf8mb4",
            "********************************",
            "",
            " ",
        ] {
            let refused = engine_of("sqlite", source).unwrap_err();
            assert!(refused.contains("SqlSettings.DataSource"), "{refused}");
            assert!(!refused.contains("canary") && !described(source).contains("canary"), "{source}");
        }
    }

    #[test]
    fn a_database_is_described_without_user_and_password() {
        for (source, expected) in [
            ("data/quarterdeck.db", "the file data/quarterdeck.db"),
            ("postgres://me:canary@db:5432/chat?sslmode=disable", "PostgreSQL at db:5432/chat"),
            ("host=db user=me password=canary dbname=chat", "PostgreSQL at db:5432/chat"),
        ] {
            assert_eq!(described(source), expected);
        }
        for hidden in [
            "postgres://me:can@ary@db/chat",
            "postgres://me:can/ary@db/chat",
            "postgres://me:can?ary@db/chat",
            "postgres://me:can#ary@db/chat",
            "postgres://me:canary",
            "postgres:///chat?user=me&password=canary",
            "postgres://db/chat?password=can@ary",
        ] {
            let shown = described(hidden);
            assert!(!shown.contains("can") && !shown.contains("ary"), "{hidden}: {shown}");
        }
    }
}
