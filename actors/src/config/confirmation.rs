//! A change that is taken back unless its author confirms it in time.
//!
//! A change of an address or of the login can lock every administrator out. So an author can ask that it lasts only if
//! it is confirmed over the new settings. Settings that come into force at a start are confirmed after that start.

mod taking_back;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::ConfigStore;
use super::difference::Change;
use super::proposal::GENERATED;
use super::table::{Applies, settings};
use crate::error::AppError;
pub(super) use taking_back::{TakenBack, taken_back};

/// The shortest time for a confirmation, in seconds.
pub const MIN_CONFIRM_S: u32 = 10;

/// The longest time for a confirmation, in seconds.
pub const MAX_CONFIRM_S: u32 = 3600;

pub(super) const PENDING: &str = "app.config.confirmation.pending.app_error";
pub(super) const MISSING: &str = "app.config.confirmation.missing.app_error";
pub(super) const BEFORE_START: &str = "app.config.confirmation.before_start.app_error";
const OTHER_USER: &str = "app.config.confirmation.other_user.app_error";
const NOT_OWN: &str = "app.config.confirmation.not_own.app_error";

/// The setting whose path comes into force at a start, and the rest at once.
pub const SITE_URL: &str = "ServiceSettings.SiteURL";

/// A confirmation that a change asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm {
    /// The time for it, in seconds.
    pub within_s: u32,
    /// True if a running server makes the change. Otherwise all of it comes into force at the next start.
    pub is_running: bool,
}

/// A change that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The id of the version that made the change.
    pub version: String,
    /// The id of the version before it; `None` if there was none.
    pub replaced: Option<String>,
    /// The user who may confirm it; empty for an operator of the machine.
    pub user_id: String,
    /// The time for the confirmation, in seconds.
    pub within_s: u32,
    /// The time at which it is taken back, in Unix milliseconds. It has no meaning before the start.
    pub until: i64,
    /// The stage that it has reached.
    pub stage: Stage,
    /// True if a part of the change comes into force at the next start.
    pub needs_start: bool,
}

/// The stages of a change that waits for its confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConfirmationStage)]
pub enum Stage {
    /// It is in force since it was stored, at least in part.
    InForce,
    /// It comes into force at the next start. The time for the confirmation begins then.
    BeforeStart,
    /// It is in force since a start.
    Started,
}

/// The effect of a start on a change that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtStart {
    /// The time for the confirmation goes on.
    GoesOn,
    /// The time for the confirmation begins with this start.
    Begins(Confirmation),
    /// The change was not confirmed in time and is taken back.
    IsOver,
}

impl Confirm {
    /// Returns what is stored beside `version`, which makes these changes at `at`, in Unix milliseconds.
    pub(super) fn of(
        self,
        version: &str,
        replaced: Option<String>,
        user_id: &str,
        changes: &[Change],
        at: i64,
    ) -> Confirmation {
        let changes = || changes.iter().filter(|change| !is_generated(&change.path, &change.before));
        let needs_start = !self.is_running || changes().any(needs_start);
        let is_in_force = self.is_running && changes().any(|change| !waits_as_a_whole(change));
        Confirmation {
            version: version.to_owned(),
            replaced,
            user_id: user_id.to_owned(),
            within_s: self.within_s,
            until: at.saturating_add(i64::from(self.within_s) * 1000),
            stage: if is_in_force { Stage::InForce } else { Stage::BeforeStart },
            needs_start,
        }
    }
}

impl Confirmation {
    /// Returns what a start at `now`, in Unix milliseconds, makes of it. A clock that was set back gives no more time
    /// than the author did.
    pub fn at_start(&self, now: i64) -> AtStart {
        let begins = || AtStart::Begins(Self { stage: Stage::Started, until: self.end_from(now), ..self.clone() });
        match self.stage {
            Stage::BeforeStart => begins(),
            Stage::InForce | Stage::Started if self.until <= now => AtStart::IsOver,
            Stage::InForce if self.needs_start => begins(),
            Stage::InForce | Stage::Started if self.until > self.end_from(now) => begins(),
            Stage::InForce | Stage::Started => AtStart::GoesOn,
        }
    }

    /// Begins the time for the confirmation at `now`, in Unix milliseconds.
    pub fn begin_at(&mut self, now: i64) {
        self.until = self.end_from(now);
    }

    /// Returns the time that is left at `now`, in Unix milliseconds; `None` while the change waits for a start.
    pub fn left(&self, now: i64) -> Option<Duration> {
        let left = self.until.min(self.end_from(now)).saturating_sub(now);
        (self.stage != Stage::BeforeStart).then(|| Duration::from_millis(u64::try_from(left).unwrap_or_default()))
    }

    /// Returns what is stored after a confirmation by `user_id`; `None` if nothing waits any longer. An operator of the
    /// machine may confirm every change.
    ///
    /// Refuses a change that is not in force yet, because its author has not reached the server over it.
    pub(super) fn confirmed(&self, user_id: &str, is_local: bool) -> Result<Option<Self>, AppError> {
        if !is_local && user_id != self.user_id {
            return Err(AppError::new(OTHER_USER));
        }
        match self.stage {
            Stage::BeforeStart => Err(AppError::new(BEFORE_START)),
            Stage::InForce if self.needs_start => Ok(Some(Self { stage: Stage::BeforeStart, ..self.clone() })),
            Stage::InForce | Stage::Started => Ok(None),
        }
    }

    /// Refuses a user who may not take the change back before its time is over. Its author may, and a caller who ends
    /// every change.
    pub fn check_end_by(&self, user_id: &str, ends_every_change: bool) -> Result<(), AppError> {
        if ends_every_change || user_id == self.user_id { Ok(()) } else { Err(AppError::new(NOT_OWN)) }
    }

    fn end_from(&self, now: i64) -> i64 {
        now.saturating_add(i64::from(self.within_s) * 1000)
    }
}

/// Confirms the change that `version` made, in its store. An operator of the machine may confirm every change. Returns
/// what still waits for a confirmation.
pub async fn confirm(
    store: &dyn ConfigStore,
    version: &str,
    user_id: &str,
    is_local: bool,
) -> Result<Option<Confirmation>, AppError> {
    let waiting = of_version(store.confirmation().await?, version)?;
    let after = waiting.confirmed(user_id, is_local)?;
    let is_stored = store.set_confirmation(waiting, after.clone()).await?;
    if is_stored { Ok(after) } else { Err(missing()) }
}

/// Returns the change that waits, if `version` made it. Otherwise that version does not wait.
pub fn of_version(waiting: Option<Confirmation>, version: &str) -> Result<Confirmation, AppError> {
    waiting.filter(|waiting| waiting.version == version).ok_or_else(missing)
}

/// Returns the error for a version that does not wait for a confirmation.
pub fn missing() -> AppError {
    AppError::new(MISSING)
}

/// Returns true for a key that the server generated because there was none. It is no part of what the author changed.
pub(super) fn is_generated(path: &str, before: &Value) -> bool {
    let was_empty = before.is_null() || before.as_str() == Some("");
    was_empty && GENERATED.contains(&path)
}

/// Returns true if a part of the change comes into force at a start only.
fn needs_start(change: &Change) -> bool {
    waits_as_a_whole(change) || changes_site_path(change)
}

/// Returns true if nothing of the change is in force before a start.
fn waits_as_a_whole(change: &Change) -> bool {
    settings().get(&change.path).is_some_and(|setting| setting.acted_on && setting.applies == Applies::Restart)
}

/// Returns true if the change gives `SiteURL` another path. Its other parts are in force at once.
fn changes_site_path(change: &Change) -> bool {
    let path = |value: &Value| {
        let address = value.as_str().unwrap_or_default();
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        rest.split_once('/').map_or("", |(_, path)| path).trim_matches('/').to_owned()
    };
    change.path == SITE_URL && path(&change.before) != path(&change.after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn change(path: &str, before: Value, after: Value) -> Change {
        Change { path: path.to_owned(), before, after }
    }

    fn pending(is_running: bool, changes: &[Change]) -> Confirmation {
        Confirm { within_s: 60, is_running }.of("two", Some("one".to_owned()), "anna", changes, NOW)
    }

    fn renamed() -> Change {
        change("TeamSettings.SiteName", json!("one"), json!("two"))
    }

    fn moved() -> Change {
        change("ServiceSettings.ListenAddress", json!(":8065"), json!(":8066"))
    }

    #[test]
    fn the_time_begins_at_once_for_what_is_in_force_and_at_the_start_for_the_rest() {
        let at_once = pending(true, &[renamed()]);
        assert_eq!((at_once.stage, at_once.needs_start, at_once.until), (Stage::InForce, false, NOW + 60_000));
        let later = pending(true, &[moved()]);
        assert_eq!((later.stage, later.needs_start, later.left(NOW)), (Stage::BeforeStart, true, None));
        let both = pending(true, &[renamed(), moved()]);
        assert_eq!((both.stage, both.needs_start), (Stage::InForce, true));
        let without_server = pending(false, &[renamed()]);
        assert_eq!((without_server.stage, without_server.needs_start), (Stage::BeforeStart, true));
    }

    #[test]
    fn another_path_of_the_site_needs_a_start_and_another_host_does_not() {
        let site = |after: &str| change(SITE_URL, json!("https://a.example/team"), json!(after));
        assert!(!pending(true, &[site("https://b.example/team/")]).needs_start);
        let path = pending(true, &[site("https://a.example/crew")]);
        assert_eq!((path.stage, path.needs_start), (Stage::InForce, true));
    }

    #[test]
    fn a_start_begins_the_time_once_and_ends_what_is_over() {
        let waits = pending(true, &[moved()]);
        let AtStart::Begins(started) = waits.at_start(NOW + 500_000) else { panic!("it begins") };
        assert_eq!((started.stage, started.until), (Stage::Started, NOW + 560_000));
        assert_eq!(started.at_start(NOW + 559_999), AtStart::GoesOn);
        assert_eq!(started.at_start(NOW + 560_000), AtStart::IsOver);
        let at_once = pending(true, &[renamed()]);
        assert_eq!(at_once.at_start(NOW + 59_999), AtStart::GoesOn);
        assert_eq!(at_once.at_start(NOW + 60_000), AtStart::IsOver);
        let both = pending(true, &[renamed(), moved()]);
        let AtStart::Begins(started) = both.at_start(NOW + 1) else { panic!("it begins") };
        assert_eq!(started.until, NOW + 60_001);
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_more_time() {
        let at_once = pending(true, &[renamed()]);
        assert_eq!(at_once.left(NOW - 900_000), Some(Duration::from_mins(1)));
        assert_eq!(at_once.left(NOW + 90_000), Some(Duration::ZERO));
        let AtStart::Begins(begun) = at_once.at_start(NOW - 900_000) else { panic!("it begins") };
        assert_eq!(begun.until, NOW - 840_000);
    }

    #[test]
    fn only_its_author_confirms_a_change_and_only_once_it_is_in_force() {
        let at_once = pending(true, &[renamed()]);
        assert_eq!(at_once.confirmed("anna", false).unwrap(), None);
        assert_eq!(at_once.confirmed("", true).unwrap(), None);
        assert_eq!(at_once.confirmed("ben", false).unwrap_err().id, OTHER_USER);
        let waits = pending(true, &[moved()]);
        assert_eq!(waits.confirmed("anna", false).unwrap_err().id, BEFORE_START);
        let both = pending(true, &[renamed(), moved()]);
        let rest = both.confirmed("anna", false).unwrap().unwrap();
        assert_eq!(rest.stage, Stage::BeforeStart);
    }

    #[test]
    fn its_author_and_a_caller_who_ends_every_change_may_take_it_back() {
        let waits = pending(true, &[renamed()]);
        waits.check_end_by("anna", false).unwrap();
        waits.check_end_by("ben", true).unwrap();
        waits.check_end_by("", true).unwrap();
        assert_eq!(waits.check_end_by("ben", false).unwrap_err().id, NOT_OWN);
    }

    #[test]
    fn a_key_that_the_server_generated_is_no_part_of_the_change() {
        let generated = change("FileSettings.PublicLinkSalt", json!(""), json!("fingerprint 1"));
        assert_eq!(pending(true, &[generated, moved()]).stage, Stage::BeforeStart);
    }
}
