//! Changes of a stored picture: its file and the time in the row of its account or team.
//!
//! The file and the row are in two places, and several servers may change them at once. So a change reads the row, acts
//! on the file, and stores the time only if the row is still the one that it read; otherwise it does all of it again.
//! Of changes at the same time the last one to store its time wins, and its file is the one that stays: any other
//! change that touched the file after it finds the row changed, and starts again.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::storage::FileBackend;

use super::{place_of, place_of_team};
use crate::base::team::Team;
use crate::base::user::User;
use crate::domain::accounts::known;
use crate::store::Db;

/// The error of a store that takes no change.
pub(crate) const UNSTORED: &str = "api.user.upload_profile_user.upload_profile.app_error";

/// The error of a store that takes no change of a team's picture.
pub(crate) const ICON_UNSTORED: &str = "api.team.set_team_icon.write_file.app_error";

/// The largest number of times that a change is tried.
const MAX_TRIES: usize = 8;

/// The owner of a picture.
#[derive(Debug, Clone, Copy)]
enum Owner<'a> {
    User(&'a str),
    Team(&'a str),
}

/// The times in the row of an owner.
struct Times {
    picture_at: i64,
    update_at: i64,
}

impl Owner<'_> {
    fn place(self) -> String {
        match self {
            Self::User(id) => place_of(id),
            Self::Team(id) => place_of_team(id),
        }
    }

    async fn times(self, db: &Db) -> Result<Option<Times>, AppError> {
        match self {
            Self::User(id) => {
                let user = db.user(id).await.or_fail("app.user.get.app_error")?;
                Ok(user.map(|user| Times { picture_at: user.last_picture_update, update_at: user.update_at }))
            }
            Self::Team(id) => {
                let team = db.team(id).await.or_fail("app.team.get.finding.app_error")?;
                Ok(team.map(|team| Times { picture_at: team.last_team_icon_update, update_at: team.update_at }))
            }
        }
    }

    /// Stores the time of the picture. Returns false if the row is not as it was at `read`.
    async fn store(self, db: &Db, at: i64, read: i64) -> Result<bool, AppError> {
        match self {
            Self::User(id) => db.set_picture_time(id, at, read, wall_ms()).await.or_fail("app.user.update.app_error"),
            Self::Team(id) => {
                db.set_icon_time(id, at, read, wall_ms()).await.or_fail("api.team.team_icon.update.app_error")
            }
        }
    }

    /// Returns the error ids of an owner who does not exist, of a store that takes no change, and of a row that changed
    /// again and again.
    fn failures(self) -> [&'static str; 3] {
        match self {
            Self::User(_) => ["app.user.missing_account.const", UNSTORED, "app.user.update.app_error"],
            Self::Team(_) => ["app.team.get.find.app_error", ICON_UNSTORED, "api.team.team_icon.update.app_error"],
        }
    }
}

/// Stores a picture for an account, or removes it if there is none. Returns the account.
///
/// An account that was deleted meanwhile keeps no file. Without its last step the file is changed and the row is not;
/// the pipeline completes a change although its client hangs up.
pub(crate) async fn change(
    db: &Db,
    store: &dyn FileBackend,
    user_id: &str,
    picture: Option<Vec<u8>>,
) -> Result<User, AppError> {
    replace(db, store, Owner::User(user_id), picture).await?;
    known(db, user_id).await
}

/// Stores a picture for a team, or removes it if there is none, under the rules of [`change`]. Returns the team.
pub(crate) async fn change_icon(
    db: &Db,
    store: &dyn FileBackend,
    team_id: &str,
    picture: Option<Vec<u8>>,
) -> Result<Team, AppError> {
    replace(db, store, Owner::Team(team_id), picture).await?;
    let team = db.team(team_id).await.or_fail("app.team.get.finding.app_error")?;
    team.ok_or_else(|| AppError::new("app.team.get.find.app_error"))
}

async fn replace(db: &Db, store: &dyn FileBackend, owner: Owner<'_>, picture: Option<Vec<u8>>) -> Result<(), AppError> {
    let place = owner.place();
    let [missing, unstored, overtaken] = owner.failures();
    for _ in 0..MAX_TRIES {
        let Some(times) = owner.times(db).await? else {
            store.remove(&place).await.or_fail(unstored)?;
            return Err(AppError::new(missing));
        };
        let (acting, at) = match &picture {
            // With an earlier time, browsers would keep the earlier picture.
            Some(picture) => (store.write(&place, picture.clone()), wall_ms().max(times.picture_at + 1)),
            None => (store.remove(&place), 0),
        };
        acting.await.or_fail(unstored)?;
        if owner.store(db, at, times.update_at).await? {
            return Ok(());
        }
    }
    Err(AppError::new(overtaken).because("other changes came first, many times"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use futures_util::future::{BoxFuture, pending, ready};
    use quarterdeck_actors::storage::progress::Progress;
    use quarterdeck_actors::storage::report::{Report, StepFailure};

    use super::*;
    use crate::store::testing::{RULES, add, fresh};

    type Files = Arc<Mutex<HashMap<String, Vec<u8>>>>;

    /// Files in memory. What happens `before` and `after` a file changes happens once.
    #[derive(Default)]
    struct Store {
        files: Files,
        before: Mutex<Option<BoxFuture<'static, ()>>>,
        after: Mutex<Option<BoxFuture<'static, ()>>>,
    }

    impl Store {
        fn act(&self, work: impl FnOnce(&Files) + Send + 'static) -> BoxFuture<'static, Result<(), StepFailure>> {
            let take = |hook: &Mutex<Option<_>>| hook.lock().unwrap().take().unwrap_or_else(|| ready(()).boxed());
            let (before, after, files) = (take(&self.before), take(&self.after), self.files.clone());
            async move {
                before.await;
                work(&files);
                after.await;
                Ok(())
            }
            .boxed()
        }
    }

    impl FileBackend for Store {
        fn probe(&self, _: Progress) -> BoxFuture<'static, Report> {
            pending().boxed()
        }

        fn read(&self, _: &str) -> BoxFuture<'static, Result<Vec<u8>, StepFailure>> {
            pending().boxed()
        }

        fn write(&self, path: &str, content: Vec<u8>) -> BoxFuture<'static, Result<(), StepFailure>> {
            let path = path.to_owned();
            self.act(move |files| drop(files.lock().unwrap().insert(path, content)))
        }

        fn remove(&self, path: &str) -> BoxFuture<'static, Result<(), StepFailure>> {
            let path = path.to_owned();
            self.act(move |files| drop(files.lock().unwrap().remove(&path)))
        }
    }

    /// Returns a store in which `meanwhile` happens before or after the first change of a file.
    fn beside(files: &Files, is_before: bool, meanwhile: BoxFuture<'static, ()>) -> Store {
        let (before, after) = if is_before { (Some(meanwhile), None) } else { (None, Some(meanwhile)) };
        Store { files: files.clone(), before: Mutex::new(before), after: Mutex::new(after) }
    }

    #[actix_web::test]
    async fn an_account_that_is_deleted_during_an_upload_keeps_no_file() {
        for is_before in [true, false] {
            let (_folder, db) = fresh().await;
            // The first account is an administrator, and the last one is not deleted.
            add(&db, "admin").await;
            add(&db, "anna").await;
            let (files, other) = (Files::default(), db.clone());
            let plain = Store { files: files.clone(), ..Store::default() };
            let deletion = async move {
                assert!(other.remove_user("anna", RULES).await.unwrap());
                plain.remove(&place_of("anna")).await.unwrap();
            };
            let store = beside(&files, is_before, deletion.boxed());
            let failure = change(&db, &store, "anna", Some(vec![1])).await.unwrap_err();
            assert_eq!(failure.id, "app.user.missing_account.const");
            assert!(files.lock().unwrap().is_empty(), "before: {is_before}");
        }
    }

    #[actix_web::test]
    async fn of_two_changes_at_once_the_row_and_the_file_have_the_same() {
        let (one, other) = (Some(vec![1]), Some(vec![2]));
        for (first, second) in [(one.clone(), None), (None, one.clone()), (one, other), (None, None)] {
            for is_before in [true, false] {
                let (_folder, db) = fresh().await;
                add(&db, "anna").await;
                let (files, same) = (Files::default(), db.clone());
                let plain = Store { files: files.clone(), ..Store::default() };
                change(&db, &plain, "anna", Some(vec![0])).await.unwrap();
                let second = second.clone();
                let meanwhile = async move { drop(change(&same, &plain, "anna", second).await.unwrap()) };
                let store = beside(&files, is_before, meanwhile.boxed());
                let user = change(&db, &store, "anna", first.clone()).await.unwrap();
                let file = files.lock().unwrap().get(&place_of("anna")).cloned();
                assert_eq!(user.last_picture_update > 0, file.is_some(), "{first:?}, before: {is_before}");
                assert_eq!(file, first, "the last one to store its time wins");
            }
        }
    }

    #[actix_web::test]
    async fn each_upload_has_a_later_time_than_the_earlier_one() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let ahead = wall_ms() + 3_600_000;
        let read = db.user("anna").await.unwrap().unwrap().update_at;
        assert!(db.set_picture_time("anna", ahead, read, 1).await.unwrap());
        let user = change(&db, &Store::default(), "anna", Some(vec![1])).await.unwrap();
        assert_eq!(user.last_picture_update, ahead + 1);
    }

    #[actix_web::test]
    async fn a_team_that_is_deleted_during_an_upload_keeps_no_file() {
        let (_folder, db) = fresh().await;
        let team = Team { id: "crew".to_owned(), name: "crew".to_owned(), kind: "O".to_owned(), ..Team::default() };
        assert!(db.add_team(&team, &[], None).await.unwrap());
        let (files, other) = (Files::default(), db.clone());
        let plain = Store { files: files.clone(), ..Store::default() };
        let shown = change_icon(&db, &plain, "crew", Some(vec![1])).await.unwrap();
        assert!(shown.last_team_icon_update > 0 && shown.update_at > 0);
        assert_eq!(files.lock().unwrap().get("teams/crew/teamIcon.png"), Some(&vec![1]));
        let deletion = async move {
            assert!(other.remove_team("crew").await.unwrap());
            plain.remove("teams/crew/teamIcon.png").await.unwrap();
        };
        let store = beside(&files, false, deletion.boxed());
        let failure = change_icon(&db, &store, "crew", Some(vec![2])).await.unwrap_err();
        assert_eq!(failure.id, "app.team.get.find.app_error");
        assert!(files.lock().unwrap().is_empty());
    }
}
