//! Counts failed logins: at unknown names in the database, at locked accounts in the memory of each server.
//!
//! The memory also caches which unknown names have no attempts left. Such a name then costs the same database
//! statements as a locked account.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::unsync::Cache;

use crate::base::keyed::{Key, Keyed};
use crate::store::{Counted, Db, NameKey, StoreError};

/// The memory limit of all counts, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The size of one cache entry, in bytes: key, value, and the links of the cache.
const ENTRY_BYTES: usize = size_of::<(Key, Tally)>() + 48;

/// The period of the budgets for attempts at locked accounts and for mails.
pub(crate) const BUDGET_PERIOD: Duration = Duration::from_hours(1);

/// The number of attempts at one locked account that are hashed in a period, for all callers together.
const MAX_HASHED_PER_ACCOUNT: u32 = 10;

/// The number of attempts of one caller at one locked account that are hashed in a period.
const MAX_HASHED_PER_CALLER: u32 = 3;

/// The number of mails that one caller may have sent in a period.
const MAX_MAILS_PER_CALLER: u32 = 10;

/// The number of invitations that one user may send in a period, as in Mattermost.
const MAX_INVITATIONS_PER_CALLER: u32 = 20;

/// The number of invitations to one team in a period.
const MAX_INVITATIONS_PER_TEAM: u32 = 100;

/// The number of invitations to one address in a period, to any team.
const MAX_INVITATIONS_PER_ADDRESS: u32 = 5;

/// The time after which the failures of an unknown name expire; the same as in the database.
const FAILURES_LIFETIME: Duration = Duration::from_hours(24);

/// Counts by cache key. The least recently used entries are evicted first.
pub(crate) struct Attempts {
    names: NameKey,
    keyed: Keyed,
    started: Instant,
    tallies: Mutex<Cache<Key, Tally>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// The failed attempts at a name without an account, as far as this server knows.
    failures: i64,
    /// The time of the last failure, counted from the start of the server.
    failed_at: Duration,
    /// The period for which `taken` counts.
    period: u64,
    /// The number that was taken from a budget.
    taken: u32,
}

impl Attempts {
    pub(crate) fn new(names: NameKey) -> Self {
        let tallies = Mutex::new(Cache::new(MAX_BYTES / ENTRY_BYTES));
        Self { names, keyed: Keyed::default(), started: Instant::now(), tallies }
    }

    /// Counts a failed attempt at a name without an account. Returns false if there were `max` attempts already.
    ///
    /// If the database table has no row left for the name, this server counts alone. For a name without attempts left,
    /// this runs the statement that finds no account, so that it takes as long as for a locked account.
    pub(super) async fn take_unknown(
        &self,
        db: &Db,
        name: &str,
        max: i64,
        (now, now_ms): (Instant, i64),
    ) -> Result<bool, StoreError> {
        let key = self.keyed.key(&["unknown", name]);
        if self.failures(key, now) >= max {
            db.take_attempt("", max).await?;
            return Ok(false);
        }
        let counted = db.take_attempt_at_name(&self.names.hash(name), max, now_ms).await?;
        Ok(self.note(key, counted, max, now))
    }

    /// Caches how the database counted an attempt, or counts it here if the database did not. Returns false if there
    /// were `max` attempts already.
    fn note(&self, key: Key, counted: Counted, max: i64, now: Instant) -> bool {
        let mut tallies = self.lock();
        let known = self.failures_in(&mut tallies, key, now);
        let (is_left, failures) = match counted {
            Counted::AsNumber(number) => (true, number),
            Counted::Exhausted => (false, max),
            Counted::NoPlace => (known < max, max.min(known + 1)),
        };
        let failed_at = now.saturating_duration_since(self.started);
        tallies.insert(key, Tally { failures, failed_at, ..Tally::default() });
        is_left
    }

    /// Returns the number of failed attempts at an unknown name that this server knows of.
    fn failures(&self, key: Key, now: Instant) -> i64 {
        self.failures_in(&mut self.lock(), key, now)
    }

    fn failures_in(&self, tallies: &mut Cache<Key, Tally>, key: Key, now: Instant) -> i64 {
        let tally = tallies.get(&key).copied().unwrap_or_default();
        let is_old = now.saturating_duration_since(self.started).saturating_sub(tally.failed_at) > FAILURES_LIFETIME;
        if is_old { 0 } else { tally.failures }
    }

    /// Returns true if one more attempt at a locked account, or at an unknown name treated as one, may be hashed.
    pub(super) fn take_locked(&self, account: &str, caller: &str, now: Instant) -> bool {
        let budgets = [
            (self.keyed.key(&["account", account]), MAX_HASHED_PER_ACCOUNT),
            (self.keyed.key(&["caller", account, caller]), MAX_HASHED_PER_CALLER),
        ];
        self.take(&budgets, 1, now)
    }

    /// Returns true if `caller` may have one more mail sent. The mail goes to an address that the caller names.
    pub(crate) fn take_mail(&self, caller: &str, now: Instant) -> bool {
        self.take(&[(self.keyed.key(&["mail", caller]), MAX_MAILS_PER_CALLER)], 1, now)
    }

    /// Returns true if `caller` may send `count` invitations to a team. The local socket has no budget of its own.
    pub(super) fn take_invitations(&self, caller: Option<&str>, team_id: &str, count: u32, now: Instant) -> bool {
        let of_caller = caller.map(|caller| (self.keyed.key(&["invitations", caller]), MAX_INVITATIONS_PER_CALLER));
        let of_team = (self.keyed.key(&["invitations to team", team_id]), MAX_INVITATIONS_PER_TEAM);
        let budgets: Vec<(Key, u32)> = of_caller.into_iter().chain([of_team]).collect();
        self.take(&budgets, count, now)
    }

    /// Returns true if one more invitation may be sent to this address.
    pub(super) fn take_invitation_to(&self, email: &str, now: Instant) -> bool {
        self.take(&[(self.keyed.key(&["invitation to", email]), MAX_INVITATIONS_PER_ADDRESS)], 1, now)
    }

    /// Takes `count` from each budget of the current period. Returns false, and takes nothing, if one has less left.
    fn take(&self, budgets: &[(Key, u32)], count: u32, now: Instant) -> bool {
        let period = now.saturating_duration_since(self.started).as_secs() / BUDGET_PERIOD.as_secs();
        let mut tallies = self.lock();
        let used = |tallies: &mut Cache<Key, Tally>, key: &Key| {
            let tally = tallies.get(key).copied().unwrap_or_default();
            if tally.period == period { tally.taken } else { 0 }
        };
        let is_left = budgets.iter().all(|(key, max)| used(&mut tallies, key).saturating_add(count) <= *max);
        if is_left {
            for (key, _) in budgets {
                let taken = used(&mut tallies, key) + count;
                tallies.insert(*key, Tally { period, taken, ..Tally::default() });
            }
        }
        is_left
    }

    fn lock(&self) -> MutexGuard<'_, Cache<Key, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use quarterdeck_actors::secret::Secret;
    use serde_json::Value;

    use super::*;

    fn fresh() -> Attempts {
        Attempts::new(NameKey::of(&Secret::new("installation")))
    }

    async fn database(folder: &std::path::Path) -> Db {
        let source = ("SqlSettings.DataSource".to_owned(), Value::from(folder.join("test.db").display().to_string()));
        let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
        db.migrate().await.unwrap();
        db
    }

    #[actix_web::test]
    async fn an_unknown_name_has_as_many_attempts_as_an_account_on_all_servers_together() {
        let folder = tempfile::tempdir().unwrap();
        let (db, now) = (database(folder.path()).await, Instant::now());
        let servers = [fresh(), fresh()];
        let mut taken = Vec::new();
        for at in 0..8 {
            taken.push(servers[at % 2].take_unknown(&db, "nobody", 3, (now, 1)).await.unwrap());
        }
        assert_eq!(taken, [true, true, true, false, false, false, false, false]);
        assert!(!fresh().take_unknown(&db, "nobody", 3, (now, 1)).await.unwrap(), "a restart makes attempts free");
        assert!(servers[0].take_unknown(&db, "nobody else", 3, (now, 1)).await.unwrap());
    }

    #[actix_web::test]
    async fn a_name_without_attempts_left_is_not_counted_again_by_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let (db, attempts, now) = (database(folder.path()).await, fresh(), Instant::now());
        assert!(attempts.take_unknown(&db, "nobody", 1, (now, 1)).await.unwrap());
        db.prune_unknown_names(i64::MAX / 2).await.unwrap();
        assert!(!attempts.take_unknown(&db, "nobody", 1, (now, 1)).await.unwrap());
        assert!(
            attempts.take_unknown(&db, "nobody", 1, (now + FAILURES_LIFETIME * 2, 1)).await.unwrap(),
            "memory keeps it for ever"
        );
    }

    #[test]
    fn a_name_without_a_place_is_counted_by_each_server() {
        let (attempts, now) = (fresh(), Instant::now());
        let taken = [(); 4].map(|()| attempts.note(7, Counted::NoPlace, 2, now));
        assert_eq!(taken, [true, true, false, false]);
    }

    #[test]
    fn a_locked_account_is_hashed_a_few_times_for_each_caller_and_in_all() {
        let (attempts, now) = (fresh(), Instant::now());
        assert_eq!([(); 4].map(|()| attempts.take_locked("anna", "192.0.2.1", now)), [true, true, true, false]);
        let hashed = (2..100).filter(|number| attempts.take_locked("anna", &format!("192.0.2.{number}"), now));
        assert_eq!(hashed.count(), 7);
        assert!(attempts.take_locked("bert", "192.0.2.1", now));
        assert!(attempts.take_locked("anna", "192.0.2.1", now + BUDGET_PERIOD));
    }

    #[test]
    fn a_caller_has_ten_mails_sent_in_an_hour() {
        let (attempts, now) = (fresh(), Instant::now());
        assert_eq!((0..20).filter(|_| attempts.take_mail("192.0.2.1", now)).count(), 10);
        assert!(attempts.take_mail("192.0.2.2", now) && attempts.take_mail("192.0.2.1", now + BUDGET_PERIOD));
    }

    #[test]
    fn names_without_end_take_a_bounded_number_of_bytes() {
        let (attempts, now) = (fresh(), Instant::now());
        for number in 0..50_000 {
            attempts.note(number, Counted::NoPlace, 10, now);
        }
        assert!(attempts.lock().len() * ENTRY_BYTES <= MAX_BYTES);
    }
}
