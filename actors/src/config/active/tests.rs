use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use serde_json::json;

use super::super::overrides::Overrides;
use super::super::saving::UNREADABLE;
use super::super::testing::{Shared, limited, named, patch, start};
use super::super::{ConfigHandle, Override, Stored, Version};
use super::*;

fn context() -> DecisionContext {
    named("").context
}

fn site_name(server: &ConfigHandle) -> String {
    server.current().view.team.site_name.clone()
}

#[actix_rt::test]
async fn a_version_of_another_server_comes_into_force_and_its_subscribers_are_told() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    let mut events = other.events();
    one.write(named("one")).await.unwrap();
    assert_eq!(site_name(&other), "Mattermost");
    let refreshed = other.refresh(context()).await.unwrap();
    assert_eq!((refreshed.version(), site_name(&other).as_str()), (one.current().version(), "one"));
    assert_eq!(events.try_recv().unwrap().after.view.team.site_name, "one");
    assert!(Arc::ptr_eq(&other.refresh(context()).await.unwrap(), &refreshed), "it is in force already");
    assert!(events.try_recv().is_err());
}

#[actix_rt::test]
async fn overrides_stay_on_top_of_the_version_and_are_not_read_again() {
    let store = Shared::default();
    let one = start(&store);
    let pinned = Override { value: json!("pinned"), place: String::new() };
    let overrides: Overrides = [("TeamSettings.SiteName".to_owned(), pinned)].into_iter().collect();
    let config = Config::compose(None, overrides).unwrap();
    // As a source, the store has no overrides.
    let other = ConfigHandle::start(config, Arc::new(store.clone()), Arc::new(store.clone()));
    one.write(patch(json!({ "TeamSettings": { "SiteName": "one", "MaxUsersPerTeam": 7 } }))).await.unwrap();
    other.refresh(context()).await.unwrap();
    assert_eq!((site_name(&other).as_str(), other.current().view.team.max_users_per_team), ("pinned", 7));
}

#[actix_rt::test]
async fn a_version_that_cannot_be_used_leaves_the_earlier_one_in_force() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    other.refresh(context()).await.unwrap();
    one.write(named("two")).await.unwrap();
    *store.is_unreadable.lock().unwrap() = true;
    for _ in 0..2 {
        assert_eq!(other.refresh(context()).await.unwrap_err().id, UNREADABLE);
    }
    assert_eq!(site_name(&other), "one");
    *store.is_unreadable.lock().unwrap() = false;
    let refuses = DecisionContext { is_served: Arc::new(|_| true), ..context() };
    let refused = other.refresh(refuses).await.unwrap_err();
    assert_eq!(refused.id, "app.config.served_place.app_error");
    assert_eq!(site_name(&other), "one");
    other.refresh(context()).await.unwrap();
    assert_eq!(site_name(&other), "two");
}

#[actix_rt::test]
async fn a_version_that_was_replaced_here_does_not_come_back() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    for name in ["one", "two"] {
        one.write(named(name)).await.unwrap();
        other.refresh(context()).await.unwrap();
    }
    let lost = store.versions.lock().unwrap().pop();
    assert_eq!(other.refresh(context()).await.unwrap_err().id, LOAD_FAILED);
    assert_eq!(site_name(&other), "two");
    // A reload puts it in force, and a new server has seen no later one.
    let late = start(&store);
    late.refresh(context()).await.unwrap();
    assert_eq!(site_name(&late), "one");
    other.reload(context()).await.unwrap();
    assert_eq!(site_name(&other), "one");
    store.versions.lock().unwrap().extend(lost);
    assert_eq!(other.refresh(context()).await.unwrap_err().id, LOAD_FAILED, "the reload replaced that one");
}

#[test]
fn the_versions_that_were_replaced_are_bounded_in_number_and_length() {
    let avoided = Avoided::default();
    let version = |id: &str| {
        let stored = Stored::new(id.to_owned(), json!({ "TeamSettings": {} }).as_object().unwrap().clone());
        Config::compose(Some(stored), Overrides::new()).unwrap()
    };
    avoided.note(&version(&"x".repeat(MAX_ID_BYTES + 1)), &version("0"));
    for number in 0..MAX_REPLACED + 3 {
        avoided.note(&version(&number.to_string()), &version(&(number + 1).to_string()));
    }
    let replaced: Vec<String> = avoided.versions().replaced.iter().cloned().collect();
    assert_eq!((replaced.len(), replaced[0].as_str()), (MAX_REPLACED, "3"));
}

/// A store that fails once when its active version is read, and once after it stored a version.
struct Failing {
    store: Shared,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl ConfigStore for Failing {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        ConfigStore::load(&self.store)
    }

    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        if self.fails.swap(false, Ordering::SeqCst) {
            return async { Err(AppError::new("test.away")) }.boxed();
        }
        self.store.active_id()
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let (saving, panics) = (self.store.save(version), self.panics.swap(false, Ordering::SeqCst));
        async move {
            saving.await?;
            assert!(!panics, "a fault after the version was stored");
            Ok(())
        }
        .boxed()
    }
}

#[actix_rt::test]
async fn a_crash_between_store_and_publication_is_made_up_for_by_the_next_refresh() {
    let shared = Shared::default();
    let store = Failing { store: shared.clone(), fails: false.into(), panics: true.into() };
    let server = ConfigHandle::start(Config::from_overrides([]).unwrap(), Arc::new(shared.clone()), Arc::new(store));
    assert_eq!(server.write(named("one")).await.unwrap_err().id, "app.actor.ended.app_error");
    assert_eq!(site_name(&server), "Mattermost");
    server.refresh(context()).await.unwrap();
    assert_eq!(site_name(&server), "one");
}

#[actix_rt::test]
async fn a_store_that_cannot_be_reached_is_an_error_and_the_next_refresh_succeeds() {
    let shared = Shared::default();
    start(&shared).write(named("one")).await.unwrap();
    let store = Arc::new(Failing { store: shared.clone(), fails: true.into(), panics: false.into() });
    let server = ConfigHandle::start(Config::from_overrides([]).unwrap(), Arc::new(shared.clone()), store);
    assert_eq!(server.refresh(context()).await.unwrap_err().id, "test.away");
    assert_eq!(site_name(&server), "Mattermost");
    server.refresh(context()).await.unwrap();
    assert_eq!(site_name(&server), "one");
}

#[actix_rt::test]
async fn a_refresh_beside_writes_never_puts_an_older_version_in_force() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    let mut events = other.events();
    for users in (10..40).step_by(2) {
        one.write(limited(users)).await.unwrap();
        let (refreshed, written) = join(other.refresh(context()), other.write(limited(users + 1))).await;
        refreshed.unwrap();
        written.unwrap();
    }
    let published = std::iter::from_fn(|| events.try_recv().ok());
    let seen: Vec<i64> = published.map(|change| change.after.view.team.max_users_per_team).collect();
    assert!(seen.is_sorted() && seen.last() == Some(&39), "{seen:?}");
}
