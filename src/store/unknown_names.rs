//! The table `qd_unknown_names`: login attempts with names of no account, counted for all servers of the database.
//!
//! The table has a fixed number of rows, and the hash of a name selects its row. So the table cannot grow, and a name
//! replaces another only when the other's last attempt is old.

use quarterdeck_actors::clock::DAY_MS;
use quarterdeck_actors::secret::Secret;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;

use super::{Db, StoreError, statement};

/// The time after its last attempt for which a name is stored, in milliseconds.
const LIFETIME_MS: i64 = DAY_MS;

/// The number of bytes of a name's hash that select its row: two, for the 65,536 rows of `sql/V9__unknown_names.sql`.
const ROW_KEY_BYTES: usize = 2;

/// The number of bytes of a name's hash that are stored.
const HASH_BYTES: usize = 16;

/// The key that hashes names. All servers of the database derive the same one.
pub(crate) struct NameKey(hmac::Key);

/// A hashed name: the row that it belongs to, and the hash that tells names of the same row apart.
pub(crate) struct HashedName {
    place: i64,
    hash: String,
}

/// The result of counting an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The attempt is counted; this is its number for the name.
    AsNumber(i64),
    /// The name has used up its attempts.
    Exhausted,
    /// The attempt is not counted, because another name occupies the row.
    NoPlace,
}

impl NameKey {
    /// Derives the key from a secret of the installation.
    pub(crate) fn of(installation: &Secret) -> Self {
        let installation = hmac::Key::new(hmac::HMAC_SHA256, installation.expose().as_bytes());
        let own = hmac::sign(&installation, b"login attempts for unknown names");
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// Returns the hashed name.
    pub(crate) fn hash(&self, name: &str) -> HashedName {
        let tag = hmac::sign(&self.0, name.as_bytes());
        let (place, hash) = tag.as_ref().split_at_checked(ROW_KEY_BYTES).unwrap_or_default();
        let hash = hash.get(..HASH_BYTES).unwrap_or_default();
        HashedName {
            place: place.iter().fold(0, |place, byte| place << 8 | i64::from(*byte)),
            hash: HEXLOWER.encode(hash),
        }
    }
}

impl Db {
    /// Counts an attempt with a name of no account as failed, unless `max` are counted already.
    pub(crate) async fn take_attempt_at_name(
        &self,
        name: &HashedName,
        max: i64,
        now: i64,
    ) -> Result<Counted, StoreError> {
        // A row with a time beyond tomorrow comes from a wrong clock and would never become old, so it is replaced too.
        let sql = "INSERT INTO qd_unknown_names AS known (place, hash, failures, lastat) VALUES ($1, $2, 1, $3) \
                   ON CONFLICT (place) DO UPDATE SET hash = excluded.hash, lastat = excluded.lastat, failures = \
                   CASE WHEN known.hash = $2 AND known.lastat BETWEEN $5 AND $6 THEN known.failures + 1 ELSE 1 END \
                   WHERE (known.hash = $2 AND known.failures < $4) OR known.lastat NOT BETWEEN $5 AND $6 \
                   RETURNING failures";
        let values = vec![
            name.place.into(),
            name.hash.as_str().into(),
            now.into(),
            max.into(),
            (now - LIFETIME_MS).into(),
            (now + LIFETIME_MS).into(),
        ];
        let counted = self.write_apart(statement(sql, values)).await?;
        if let Some(mut row) = counted.into_iter().next() {
            return row.int().map(Counted::AsNumber);
        }
        let sql = "SELECT hash FROM qd_unknown_names WHERE place = $1";
        let holder = self.read(statement(sql, vec![name.place.into()])).await?;
        let holder = holder.into_iter().next().map(|mut row| row.text()).transpose()?;
        let is_own = holder.is_some_and(|holder| holder == name.hash);
        Ok(if is_own { Counted::Exhausted } else { Counted::NoPlace })
    }

    /// Deletes names whose last attempt is old.
    pub(crate) async fn prune_unknown_names(&self, now: i64) -> Result<(), StoreError> {
        let sql = "DELETE FROM qd_unknown_names WHERE lastat NOT BETWEEN $1 AND $2";
        let values = vec![(now - LIFETIME_MS).into(), (now + LIFETIME_MS).into()];
        self.write_apart(statement(sql, values)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use serde_json::Value;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    async fn fresh(folder: &std::path::Path) -> Db {
        let source = ("SqlSettings.DataSource".to_owned(), Value::from(folder.join("test.db").display().to_string()));
        let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
        db.migrate().await.unwrap();
        db
    }

    fn at_place_seven(hash: &str) -> HashedName {
        HashedName { place: 7, hash: hash.to_owned() }
    }

    async fn count(db: &Db) -> usize {
        db.read(statement("SELECT place FROM qd_unknown_names", Vec::new())).await.unwrap().len()
    }

    #[actix_web::test]
    async fn a_name_is_counted_up_to_the_limit_and_anew_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        let name = at_place_seven("one");
        let take = async |max, now| db.take_attempt_at_name(&name, max, now).await.unwrap();
        for counted in [Counted::AsNumber(1), Counted::AsNumber(2), Counted::Exhausted, Counted::Exhausted] {
            assert_eq!(take(2, NOW).await, counted);
        }
        assert_eq!(take(3, NOW).await, Counted::AsNumber(3));
        assert_eq!(take(3, NOW + LIFETIME_MS).await, Counted::Exhausted);
        assert_eq!(take(3, NOW + LIFETIME_MS + 1).await, Counted::AsNumber(1));
        // After a clock that was ahead is set back, the row is not kept for longer.
        assert_eq!(take(3, NOW).await, Counted::AsNumber(1));
    }

    #[actix_web::test]
    async fn a_name_takes_the_place_of_another_only_when_that_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        let (first, second) = (at_place_seven("one"), at_place_seven("two"));
        let take = async |name, now| db.take_attempt_at_name(name, 1, now).await.unwrap();
        assert_eq!(take(&first, NOW).await, Counted::AsNumber(1));
        assert_eq!(take(&second, NOW).await, Counted::NoPlace);
        assert_eq!(take(&first, NOW).await, Counted::Exhausted);
        assert_eq!(take(&second, NOW + LIFETIME_MS + 1).await, Counted::AsNumber(1));
        assert_eq!(take(&first, NOW + LIFETIME_MS + 1).await, Counted::NoPlace);
        assert_eq!(count(&db).await, 1);
    }

    #[actix_web::test]
    async fn old_names_are_deleted_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        for (place, at) in [(1, NOW - LIFETIME_MS - 1), (2, NOW - LIFETIME_MS), (3, NOW), (4, NOW + LIFETIME_MS + 1)] {
            let name = HashedName { place, hash: "x".to_owned() };
            assert_eq!(db.take_attempt_at_name(&name, 5, at).await.unwrap(), Counted::AsNumber(1));
        }
        db.prune_unknown_names(NOW).await.unwrap();
        assert_eq!(count(&db).await, 2);
    }

    #[actix_web::test]
    async fn there_is_no_place_beyond_those_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        for (place, is_there) in [(0, true), (65_535, true), (65_536, false), (-1, false)] {
            let name = HashedName { place, hash: "x".to_owned() };
            assert_eq!(db.take_attempt_at_name(&name, 5, NOW).await.is_ok(), is_there, "{place}");
        }
    }

    #[test]
    fn hashes_depend_on_the_whole_name_and_on_the_installation() {
        let (key, other) = (NameKey::of(&Secret::new("one")), NameKey::of(&Secret::new("two")));
        let text = |key: &NameKey, name| {
            let HashedName { place, hash } = key.hash(name);
            assert!((0..=65_535).contains(&place) && hash.len() == 2 * HASH_BYTES);
            format!("{place} {hash}")
        };
        assert_eq!(text(&key, "nobody"), text(&NameKey::of(&Secret::new("one")), "nobody"));
        assert_ne!(text(&key, "nobody"), text(&key, "nobody2"));
        assert_ne!(text(&key, "nobody"), text(&other, "nobody"));
    }
}
