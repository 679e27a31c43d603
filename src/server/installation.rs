//! The defaults of an installation, which its database tells. If the configuration is not in it, such as a `config.json`,
//! it is asked only if settings depend on the defaults, and for a short time, because commands must work while it is down.

use std::fmt;
use std::time::Duration;

use quarterdeck_actors::config::difference::changes;
use quarterdeck_actors::config::{Config, Defaults, Overrides, Stored};
use tokio::time::timeout;

use crate::domain::config_access::defaults_of;
use crate::domain::version_store::has_tables;
use crate::store::{Db, StoreError};

/// The time in which the database must answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Settings whose values are uncertain, because the database did not tell the defaults of the installation.
#[derive(Debug)]
pub(crate) struct UncertainSettings {
    /// The reason why the defaults are unknown.
    why: String,
    /// The paths of the settings.
    pub(crate) settings: Vec<String>,
}

impl fmt::Display for UncertainSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, settings } = self;
        let settings = settings.join(", ");
        write!(
            formatter,
            "{why}, and it tells if an earlier version made this installation, which keeps its defaults; these settings \
             have no stored value and are taken with the defaults of this version: {settings}"
        )
    }
}

/// Returns the defaults of the installation in this database. Creates nothing.
pub(crate) async fn made_with(db: &Db) -> Result<Defaults, StoreError> {
    if has_tables(db).await? { defaults_of(db).await } else { Ok(Defaults::Today) }
}

/// Returns the defaults of the installation in `db`. If they matter for settings that begin with `prefix` and `db` does
/// not answer, returns those of this version and these settings.
pub(crate) async fn defaults_elsewhere(
    db: &Db,
    stored: Option<&Stored>,
    overrides: &Overrides,
    prefix: &str,
) -> (Defaults, Option<UncertainSettings>) {
    let mut settings = depending(stored, overrides);
    settings.retain(|path| path.starts_with(prefix));
    if settings.is_empty() {
        return (Defaults::Today, None);
    }
    match within_limit(made_with(db)).await {
        Ok(defaults) => (defaults, None),
        Err(why) => (Defaults::Today, Some(UncertainSettings { why, settings })),
    }
}

/// Returns what is read from the database, or the reason why it cannot be read in a short time.
pub(crate) async fn within_limit<T>(reading: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match timeout(ANSWER_TIMEOUT, reading).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(cause)) => Err(format!("the database cannot be read: {cause}")),
        Err(_) => Err(format!("the database has not answered for {} s", ANSWER_TIMEOUT.as_secs())),
    }
}

/// Returns the reason why the database does not answer in a short time. Any other error is reported where the
/// database is used.
pub(crate) async fn answering(db: &Db) -> Result<(), String> {
    let reading = async {
        match db.pending_migrations().await {
            Err(cause @ StoreError::Unavailable(_)) => Err(cause),
            Ok(_) | Err(_) => Ok(()),
        }
    };
    within_limit(reading).await
}

/// Returns the settings whose values depend on the defaults of the installation. A configuration that cannot be used has
/// none, because its error comes first.
fn depending(stored: Option<&Stored>, overrides: &Overrides) -> Vec<String> {
    let composed = |defaults| Config::compose_with(defaults, stored.cloned(), overrides.clone());
    let (Ok(today), Ok(earlier)) = (composed(Defaults::Today), composed(Defaults::Earlier)) else { return Vec::new() };
    let changes = changes(&today.document, &earlier.document, &|_, secret| secret.to_string());
    changes.into_iter().map(|change| change.path).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_settings_without_a_stored_value_depend_on_the_installation() {
        let whole = Stored::new("one".to_owned(), Config::compose(None, Overrides::default()).unwrap().document);
        assert_eq!(depending(Some(&whole), &Overrides::default()), Vec::<String>::new());
        let part = json!({ "ServiceSettings": { "SiteURL": "https://chat.example", "SessionLengthWebInDays": 7 } });
        let part = Stored::new("two".to_owned(), part.as_object().unwrap().clone());
        let depending = depending(Some(&part), &Overrides::default());
        assert!(depending.contains(&"ServiceSettings.SessionLengthWebInHours".to_owned()), "{depending:?}");
        assert!(!depending.contains(&"ServiceSettings.SessionLengthWebInDays".to_owned()), "{depending:?}");
        assert!(!depending.iter().any(|path| path.starts_with("FileSettings.")), "{depending:?}");
    }
}
