//! Decides which database holds the accounts, and which setting names it. Every command that opens it uses this.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::given;
use quarterdeck_actors::config::provenance::{Origin, origin};
use quarterdeck_actors::config::table::defaults;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::data_source::is_address;

use super::StartError;
use super::tasks::close_earlier_drafts;
use crate::domain::accounts::{FirstAccount, WhyOffline};
use crate::domain::audit::key_file::ready_keys;
use crate::domain::version_store::Place;
use crate::settings::{DATA_SOURCE, Settings, Sources, is_shipped};
use crate::store::{Db, StoreError, described, when_ready};

/// A database that has this program's schema and an audit trail that continues. All parts of a server are built on one.
pub(super) struct Migrated(pub(super) Db);

impl Migrated {
    /// Brings the schema of a database up to date with which the server can start. Waits until it answers.
    pub(super) async fn open(db: Db, settings: &Settings) -> Result<Self, StartError> {
        let db = db.with_audit_keys(ready_keys(settings));
        db.migrate_when_ready().await?;
        when_ready(async || db.note_audit_key().await).await?;
        close_earlier_drafts(&db).await;
        Ok(Self(db))
    }
}

/// The database in use, in the form that people read. It contains no password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The description of the database.
    pub(crate) name: String,
    /// The source of the setting: file and line, the variable, the configuration file, or a default of the program.
    pub(crate) by: String,
    /// Another database, which the configuration names or is stored in.
    pub(crate) other: Option<Other>,
}

/// A database that is not used for accounts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// The description of the database.
    pub(crate) name: String,
    /// The source that names it.
    pub(crate) by: String,
}

/// Decides which database `config` uses. `place` says where the stored part of the configuration is.
///
/// A default of this program (built in, or from the shipped `config.toml`) never wins over another database that the
/// configuration names: that conflict is refused. A setting of the operator, in a file or a variable, wins.
pub(crate) fn choose(config: &Config, place: &Place) -> Result<Choice, StartError> {
    let used = config.view.sql.data_source.as_str();
    let custom = config.overrides.file_of_default(DATA_SOURCE);
    let (by, default) = match origin(config, DATA_SOURCE) {
        Origin::Default if custom.is_some() => (custom.unwrap_or_default().to_owned(), None),
        Origin::Default => ("the built-in default".to_owned(), Some("no setting names a database, and the default is")),
        // Settings stored in a database cannot name that database: it was chosen before they were read.
        Origin::Stored => (place.file().map_or_else(String::new, |file| file.path().display().to_string()), None),
        Origin::File(line) if is_shipped(&config.overrides) => {
            (format!("{line}, as shipped"), Some("the config.toml names, as it was shipped,"))
        }
        Origin::File(line) => (line.to_owned(), None),
        Origin::Environment(name) => (name.to_owned(), None),
    };
    let other = named_beside(config, place).filter(|(source, _)| source != used);
    let other = other.map(|(source, by)| Other { name: described(&source), by });
    let choice = Choice { name: described(used), by, other };
    match (&choice, default) {
        (Choice { name, other: Some(other), .. }, Some(default)) => {
            Err(StartError::Configuration(refusal(default, name, used, other)))
        }
        _ => Ok(choice),
    }
}

/// Returns true if no operator chose the database: it is the built-in default, or that of the shipped `config.toml`.
pub(crate) fn is_default(config: &Config) -> bool {
    match origin(config, DATA_SOURCE) {
        Origin::Default => config.overrides.file_of_default(DATA_SOURCE).is_none(),
        Origin::File(_) => is_shipped(&config.overrides),
        Origin::Stored | Origin::Environment(_) => false,
    }
}

/// Returns the data source that comes with the configuration, and the file or variable that names it.
fn named_beside(config: &Config, place: &Place) -> Option<(String, String)> {
    match place {
        Place::File(_) => {
            let stored = config.stored.as_ref()?;
            let named = given(&stored.document, DATA_SOURCE)?.as_str().filter(|named| !named.is_empty())?;
            // A configuration file that this server wrote contains the default, which the operator did not choose.
            let is_default = given(&defaults(), DATA_SOURCE).is_some_and(|default| default == named);
            let file = place.file()?.path().display().to_string();
            (!is_default).then(|| (named.to_owned(), file))
        }
        Place::Postgres(address) => Some((address.clone(), "MM_CONFIG".to_owned())),
        Place::Database | Place::Sqlite => None,
    }
}

/// Refuses a database without accounts if a configuration file exists that no setting names.
pub(crate) async fn refuse_beside_unnamed(
    sources: &Sources,
    sql: &SqlSettings,
    accounts: impl AsyncFnOnce() -> Result<i64, StoreError>,
) -> Result<(), StartError> {
    let Some(file) = sources.unwanted_file() else { return Ok(()) };
    let is_empty = accounts().await? == 0;
    if is_empty { Err(StartError::Configuration(file.refusal(&described(&sql.data_source)))) } else { Ok(()) }
}

/// Returns the database that a stored configuration names for the accounts, if it is not the one in use. A Mattermost that
/// reads this configuration has its accounts there.
pub(crate) fn named_elsewhere(config: &Config, place: &Place) -> Option<String> {
    let stored = match place {
        Place::Database | Place::Postgres(_) => config.stored.as_ref()?,
        Place::File(_) | Place::Sqlite => return None,
    };
    let named = given(&stored.document, DATA_SOURCE)?.as_str().filter(|named| is_address(named))?;
    let (named, used) = (described(named), described(&config.view.sql.data_source));
    (named != used).then_some(named)
}

/// The maximum number of characters of a configured text in a line.
pub(super) const MAX_TEXT_CHARACTERS: usize = 256;

/// Cuts a text of the configuration to a length that fits a line of the log.
pub(super) fn cut(text: &str) -> String {
    let end = text.char_indices().nth(MAX_TEXT_CHARACTERS).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).map_or_else(|| text.to_owned(), |beginning| format!("{beginning}…"))
}

/// Describes a database of Mattermost without accounts whose configuration names another one for them.
pub(super) async fn accounts_elsewhere(db: &Db, config: &Config, place: &Place) -> Result<Option<String>, StoreError> {
    let Some(named) = named_elsewhere(config, place) else { return Ok(None) };
    let has_no_accounts = db.is_of_mattermost().await? && db.accounts_found().await? == 0;
    let used = cut(&described(&config.view.sql.data_source));
    let named = cut(&named);
    Ok(has_no_accounts.then(|| format!("the configuration names {named} for the accounts, and {used} has none")))
}

/// Refuses the first change to such a database. The two addresses may be those of one database in two spellings, so the
/// operator can say that it is the right one.
pub(super) async fn refuse_named_elsewhere(db: &Db, config: &Config, place: &Place) -> Result<(), StoreError> {
    let Some(problem) = accounts_elsewhere(db, config, place).await? else { return Ok(()) };
    Err(StoreError::Setting(format!(
        "{problem}; nothing was changed: name the database with the accounts in MM_SQLSETTINGS_DATASOURCE, correct \
         SqlSettings.DataSource in the configuration, or start with `quarterdeck serve --new` if it is right without accounts"
    )))
}

/// Decides which caller may create the first account in `db`. `place` says where the configuration is. Writes nothing.
///
/// If a used configuration or the tables of a Mattermost exist without accounts, the accounts are in another database.
/// Then no caller over the network may create one, because the first account is an administrator.
pub(crate) async fn first_account(db: &Db, place: &Place, sql: &SqlSettings) -> Result<FirstAccount, StoreError> {
    let accounts = db.accounts_found().await?;
    if accounts > 0 {
        return Ok(FirstAccount::made(accounts));
    }
    if db.holds_mattermost().await? {
        return Ok(FirstAccount::offline(WhyOffline::Mattermost));
    }
    let versions = match place {
        Place::File(_) => place.file().map_or(0, |file| file.version_count()),
        Place::Database | Place::Sqlite => db.versions_found().await?,
        Place::Postgres(address) => {
            let other = SqlSettings { data_source: address.clone(), ..sql.clone() };
            Db::new(&other)?.versions_found().await?
        }
    };
    Ok(if versions > 0 { FirstAccount::offline(WhyOffline::Versions(versions)) } else { FirstAccount::open() })
}

fn refusal(default: &str, name: &str, used: &str, other: &Other) -> String {
    let Other { name: other, by } = other;
    format!(
        "{default} {name}, but {by} names {other}\n\
         to use what {by} names, delete the section [SqlSettings] from config.toml\n\
         to use {name} all the same, say so: MM_SQLSETTINGS_DATASOURCE={used} quarterdeck"
    )
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::{Override, Stored};
    use serde_json::{Value, json};

    use super::*;

    const OTHER: &str = "postgres://me:canary@db/chat";

    fn config(pinned: &[(&str, &str, &str)], stored: Option<&str>) -> Config {
        let pin = |(path, value, place): &(&str, &str, &str)| {
            ((*path).to_owned(), Override { value: Value::from(*value), place: (*place).to_owned() })
        };
        let stored = stored.map(|source| {
            let document = json!({ "SqlSettings": { "DataSource": source } }).as_object().unwrap().clone();
            Stored::new("one".to_owned(), document)
        });
        Config::compose(stored, pinned.iter().map(pin).collect()).unwrap()
    }

    fn in_file() -> Place {
        Place::File("/etc/chat/config.json".into())
    }

    const SHIPPED: [(&str, &str, &str); 2] = [
        ("SqlSettings.DriverName", "sqlite", "config.toml:11"),
        (DATA_SOURCE, "data/quarterdeck.db", "config.toml:12"),
    ];

    #[test]
    fn a_default_of_ours_beside_another_database_is_refused() {
        for place in [in_file(), Place::Postgres(OTHER.to_owned())] {
            let refused = choose(&config(&SHIPPED, Some(OTHER)), &place).unwrap_err().to_string();
            assert!(refused.contains("PostgreSQL at db:5432/chat"), "{refused}");
            assert!(refused.contains("MM_SQLSETTINGS_DATASOURCE=data/quarterdeck.db"), "{refused}");
            assert!(!refused.contains("canary"), "{refused}");
        }
        let built_in = choose(&config(&[], None), &Place::Postgres(OTHER.to_owned()));
        assert!(built_in.unwrap_err().to_string().contains("the default is the file data/quarterdeck.db"));
    }

    #[test]
    fn what_the_operator_wrote_wins_and_both_are_named() {
        for (place, by) in [("config.toml:3", "config.toml:3"), ("environment variable MM_X", "MM_X")] {
            let choice = choose(&config(&[(DATA_SOURCE, "own.db", place)], Some(OTHER)), &in_file()).unwrap();
            assert_eq!((choice.name.as_str(), choice.by.as_str()), ("the file own.db", by));
            let other = choice.other.unwrap();
            assert_eq!(other.name, "PostgreSQL at db:5432/chat");
            assert_eq!(other.by, "/etc/chat/config.json");
        }
        let variable = (DATA_SOURCE, "data/quarterdeck.db", "environment variable MM_SQLSETTINGS_DATASOURCE");
        assert!(choose(&config(&[SHIPPED[0], variable], Some(OTHER)), &in_file()).is_ok());
    }

    #[test]
    fn a_configuration_file_says_which_database_it_is_and_its_default_says_nothing() {
        let choice = choose(&config(&[], Some(OTHER)), &in_file()).unwrap();
        assert_eq!((choice.by.as_str(), &choice.other), ("/etc/chat/config.json", &None));
        assert!(choose(&config(&SHIPPED, Some("data/quarterdeck.db")), &in_file()).is_ok());
        assert!(choose(&config(&SHIPPED, None), &in_file()).is_ok());
    }

    #[test]
    fn what_is_stored_in_a_database_does_not_say_which_one_it_is() {
        let stored = config(&SHIPPED, Some(OTHER));
        assert_eq!(choose(&stored, &Place::Database).unwrap().other, None);
    }
}
