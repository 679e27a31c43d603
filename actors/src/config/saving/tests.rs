use std::sync::Mutex;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::json;

use super::*;
use crate::config::ConfigHandle;
use crate::config::testing::{Shared, document, limited, named, patch, proposed, start, write};
use crate::id::new_id;

#[actix_rt::test]
async fn two_servers_on_one_store_keep_the_changes_of_each_other() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    let saved = other.write(limited(7)).await.unwrap();
    assert!(saved.is_stored);
    let stored = store.last().unwrap().document;
    assert_eq!(
        (&stored["TeamSettings"]["SiteName"], &stored["TeamSettings"]["MaxUsersPerTeam"]),
        (&json!("one"), &json!(7))
    );
    assert_eq!(other.current().view.team.site_name, "one");
    let late = one.write(Write { expected: Some(vec![one.current().version().to_owned()]), ..named("late") }).await;
    assert_eq!(late.unwrap_err().id, CONFLICT);
}

#[actix_rt::test]
async fn a_change_that_alters_nothing_here_is_stored_where_another_server_stored_otherwise() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    other.write(named("other")).await.unwrap();
    assert!(one.write(named("one")).await.unwrap().is_stored);
    assert_eq!(store.site_name(), "one");
    // A version that another server stored already comes into force here and is not stored again.
    assert!(!other.write(named("one")).await.unwrap().is_stored);
    assert_eq!(other.current().version(), store.last().unwrap().id);
}

#[actix_rt::test]
async fn an_unreadable_version_is_replaced_by_a_rollback_only() {
    let store = Shared::default();
    let server = start(&store);
    server.write(named("one")).await.unwrap();
    let earlier = store.last().unwrap().document;
    server.write(named("two")).await.unwrap();
    *store.is_unreadable.lock().unwrap() = true;
    assert_eq!(server.write(named("three")).await.unwrap_err().id, UNREADABLE);
    assert_eq!(server.write(write(Wanted::Copy(earlier.clone()))).await.unwrap_err().id, UNREADABLE);
    assert_eq!(store.versions.lock().unwrap().len(), 2);
    assert!(server.write(proposed(ChangeMode::Restore, earlier)).await.unwrap().is_stored);
    assert_eq!((store.site_name(), server.current().view.team.site_name.as_str()), (json!("one"), "one"));
}

#[actix_rt::test]
async fn a_rollback_replaces_no_version_that_became_readable_meanwhile_unseen() {
    let store = Shared::default();
    let (server, other) = (start(&store), start(&store));
    server.write(named("one")).await.unwrap();
    let earlier = store.last().unwrap().document;
    other.write(named("two")).await.unwrap();
    *store.is_unreadable.lock().unwrap() = true;
    *store.is_repaired_next.lock().unwrap() = true;
    assert!(server.write(proposed(ChangeMode::Restore, earlier)).await.unwrap().is_stored);
    let versions = store.versions.lock().unwrap();
    let changes = &versions.last().unwrap().changes;
    assert_eq!((changes.len(), &changes[0].before, &changes[0].after), (1, &json!("two"), &json!("one")));
}

#[actix_rt::test]
async fn a_command_restores_a_version_where_none_is_readable() {
    let store = Shared::default();
    start(&store).write(named("one")).await.unwrap();
    let earlier = store.last().unwrap().document;
    *store.is_unreadable.lock().unwrap() = true;
    let patched = change_stored(&store, &Overrides::new(), Arc::new(named("two"))).await;
    assert_eq!(patched.unwrap_err().id, UNREADABLE);
    let restored = change_stored(&store, &Overrides::new(), Arc::new(proposed(ChangeMode::Restore, earlier))).await;
    assert!(restored.unwrap().is_stored);
    assert_eq!(store.site_name(), "one");
}

#[actix_rt::test]
async fn a_copy_is_stored_as_it_is_and_once() {
    let store = Shared::default();
    let server = start(&store);
    let copied = document(json!({ "TeamSettings": { "SiteName": "copied" }, "com.example": { "kept": true } }));
    assert!(server.write(write(Wanted::Copy(copied.clone()))).await.unwrap().is_stored);
    assert_eq!(store.last().unwrap().document, copied);
    assert_eq!(server.current().view.team.site_name, "copied");
    assert!(!server.write(write(Wanted::Copy(copied))).await.unwrap().is_stored);
    let broken = document(json!({ "TeamSettings": { "MaxUsersPerTeam": 0 } }));
    let refused = server.write(write(Wanted::Copy(broken))).await.unwrap_err();
    assert_eq!(refused.id, "model.config.is_valid.max_users.app_error");
    assert_eq!(store.versions.lock().unwrap().len(), 1);
}

#[actix_rt::test]
async fn a_store_that_never_settles_is_a_conflict_in_the_end() {
    /// A store in which each read finds another version.
    struct Restless;
    impl ConfigStore for Restless {
        fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
            async { Ok(Some(Stored::new(new_id(), document(json!({ "TeamSettings": {} }))))) }.boxed()
        }

        fn save(&self, _: Version) -> BoxFuture<'static, Result<(), AppError>> {
            async { Err(AppError::new(CONFLICT).with("Current", "")) }.boxed()
        }
    }
    let refused = change_stored(&Restless, &Overrides::new(), Arc::new(named("one"))).await.unwrap_err();
    assert_eq!(refused.id, CONFLICT);
}

fn unconfirmed(name: &str) -> Write {
    Write { confirm: Some(Confirm { within_s: 60, is_running: true }), ..named(name) }
}

#[actix_rt::test]
async fn a_change_is_either_confirmed_or_taken_back() {
    let store = Shared::default();
    let server = start(&store);
    server.write(named("before")).await.unwrap();
    server.write(unconfirmed("new")).await.unwrap();
    assert_eq!(server.write(unconfirmed("newer")).await.unwrap_err().id, PENDING);
    let waiting = server.confirmation().await.unwrap().unwrap();
    let context = || named("").context;
    let admitted = server.current().version().to_owned();
    let author = || (String::new(), false);
    let early = server.confirm(waiting.version.clone(), author(), "before".to_owned(), context()).await.unwrap_err();
    assert_eq!(early.id, "app.config.confirmation.before_start.app_error", "it was admitted before the change");
    server.confirm(waiting.version.clone(), author(), admitted, context()).await.unwrap();
    assert!(server.take_back(waiting.clone(), None, context()).await.unwrap().is_none());
    assert_eq!(store.site_name(), "new");
    server.write(unconfirmed("newest")).await.unwrap();
    let waiting = server.confirmation().await.unwrap().unwrap();
    server.write(limited(7)).await.unwrap();
    assert!(server.take_back(waiting.clone(), None, context()).await.unwrap().unwrap().is_stored);
    assert_eq!((store.site_name(), server.current().view.team.site_name.as_str()), (json!("new"), "new"));
    assert_eq!(store.last().unwrap().document["TeamSettings"]["MaxUsersPerTeam"], 7);
    let late = server.confirm(waiting.version, (String::new(), true), String::new(), context()).await.unwrap_err();
    assert_eq!(late.id, "app.config.confirmation.missing.app_error");
}

#[actix_rt::test]
async fn two_servers_take_a_change_back_once() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(unconfirmed("new")).await.unwrap();
    let waiting = one.confirmation().await.unwrap().unwrap();
    let context = || named("").context;
    assert!(other.take_back(waiting.clone(), None, context()).await.unwrap().is_some());
    assert!(one.take_back(waiting, None, context()).await.unwrap().is_none());
    assert_eq!(store.site_name(), "Mattermost");
    assert_eq!(store.versions.lock().unwrap().len(), 2);
}

/// A store in which something else happens after the waiting change was read, and before a version is saved.
struct Overtaken {
    store: Shared,
    meanwhile: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Overtaken {
    async fn take_back(store: &Shared, meanwhile: BoxFuture<'static, ()>) -> Option<Saved> {
        let waiting = store.confirmation().await.unwrap().unwrap();
        let overtaken = Self { store: store.clone(), meanwhile: Mutex::new(Some(meanwhile)) };
        take_back_stored(&overtaken, &Overrides::new(), waiting, None, named("").context).await.unwrap()
    }
}

impl ConfigStore for Overtaken {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        ConfigStore::load(&self.store)
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let (meanwhile, store) = (self.meanwhile.lock().unwrap().take(), self.store.clone());
        async move {
            if let Some(meanwhile) = meanwhile {
                meanwhile.await;
            }
            store.save(version).await
        }
        .boxed()
    }

    fn version(&self, id: &str) -> BoxFuture<'static, Result<Option<Document>, AppError>> {
        self.store.version(id)
    }

    fn confirmation(&self) -> BoxFuture<'static, Result<Option<Confirmation>, AppError>> {
        self.store.confirmation()
    }

    fn set_confirmation(
        &self,
        before: Confirmation,
        after: Option<Confirmation>,
    ) -> BoxFuture<'static, Result<bool, AppError>> {
        self.store.set_confirmation(before, after)
    }
}

#[actix_rt::test]
async fn two_servers_that_take_a_change_back_at_once_report_it_once() {
    let store = Shared::default();
    let one = start(&store);
    one.write(unconfirmed("new")).await.unwrap();
    let (waiting, context) = (one.confirmation().await.unwrap().unwrap(), named("").context);
    let first = async move { assert!(one.take_back(waiting, None, context).await.unwrap().is_some()) }.boxed();
    assert!(Overtaken::take_back(&store, first).await.is_none());
    assert_eq!((store.site_name(), store.versions.lock().unwrap().len()), (json!("Mattermost"), 2));
}

#[actix_rt::test]
async fn a_change_that_is_confirmed_for_the_first_time_meanwhile_is_not_taken_back() {
    let store = Shared::default();
    let server = start(&store);
    let both = json!({ "TeamSettings": { "SiteName": "new" }, "ServiceSettings": { "ListenAddress": ":9999" } });
    let confirm = Some(Confirm { within_s: 60, is_running: true });
    server.write(Write { confirm, ..patch(both) }).await.unwrap();
    let version = store.last().unwrap().id;
    let other = store.clone();
    let confirm = async move {
        assert!(crate::config::confirmation::confirm(&other, &version, "", false).await.unwrap().is_some());
    };
    assert!(Overtaken::take_back(&store, confirm.boxed()).await.is_none());
    assert_eq!(store.site_name(), "new");
    assert!(server.confirmation().await.unwrap().is_some(), "it waits for the start");
}

#[actix_rt::test]
async fn a_change_that_is_undone_meanwhile_is_not_reported_as_taken_back_twice() {
    let store = Shared::default();
    let one = start(&store);
    one.write(named("before")).await.unwrap();
    one.write(unconfirmed("new")).await.unwrap();
    let (waiting, context) = (one.confirmation().await.unwrap().unwrap(), named("").context);
    // The version moves on as well, so that the change is decided again and nothing of it is left.
    let first = async move {
        one.write(named("before")).await.unwrap();
        assert!(!one.take_back(waiting, None, context).await.unwrap().unwrap().is_stored);
    };
    assert!(Overtaken::take_back(&store, first.boxed()).await.is_none());
}

#[actix_rt::test]
async fn of_a_change_of_which_nothing_is_left_only_the_confirmation_ends() {
    let store = Shared::default();
    let server = start(&store);
    server.write(named("before")).await.unwrap();
    server.write(unconfirmed("new")).await.unwrap();
    let waiting = server.confirmation().await.unwrap().unwrap();
    server.write(named("before")).await.unwrap();
    let saved = server.take_back(waiting, None, named("").context).await.unwrap().unwrap();
    assert!(!saved.is_stored && server.confirmation().await.unwrap().is_none());
}

#[actix_rt::test]
async fn a_change_that_a_user_takes_back_names_the_user() {
    let store = Shared::default();
    let server = start(&store);
    server.write(unconfirmed("new")).await.unwrap();
    let waiting = server.confirmation().await.unwrap().unwrap();
    let author = Author { user_id: "anna".to_owned(), ..Author::without_user("api") };
    let refuses: Admits = Arc::new(|_| Err(AppError::new("not admitted")));
    let by = |admits: Option<Admits>| Some(TakenBackBy { author: author.clone(), admits });
    let refused = server.take_back(waiting.clone(), by(Some(refuses)), named("").context).await.unwrap_err();
    assert_eq!(refused.id, "not admitted");
    assert_eq!(store.site_name(), "new");
    server.take_back(waiting.clone(), by(None), named("").context).await.unwrap().unwrap();
    let taken = store.versions.lock().unwrap().last().unwrap().author.clone();
    assert_eq!((taken.source, taken.user_id.as_str(), taken.comment), ("taken_back", "anna", waiting.version));
}

#[actix_rt::test]
async fn a_decision_that_stores_nothing_puts_the_version_of_another_server_in_force() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    let dry = other.write(Write { is_dry_run: true, ..named("tried") }).await.unwrap();
    assert_eq!(dry.decision.changes[0].before, json!("one"));
    assert_eq!(other.current().version(), one.current().version());
    let old = one.current().version().to_owned();
    one.write(named("two")).await.unwrap();
    let refused = other.write(Write { expected: Some(vec![old]), ..named("late") }).await.unwrap_err();
    assert_eq!((refused.id.as_ref(), refused.params[0].1.as_str()), (CONFLICT, one.current().version()));
    assert_eq!(other.current().view.team.site_name, "two");
    one.write(named("three")).await.unwrap();
    let broken = patch(json!({ "TeamSettings": { "MaxUsersPerTeam": 0 } }));
    assert_eq!(other.write(broken).await.unwrap_err().id, "model.config.is_valid.max_users.app_error");
    assert_eq!(other.current().view.team.site_name, "three");
}

#[actix_rt::test]
async fn a_version_that_breaks_a_rule_here_is_repaired_by_a_change_and_not_put_in_force_before() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    store.versions.lock().unwrap()[0].stored.document["TeamSettings"]["MaxUsersPerTeam"] = json!(0);
    assert_eq!(other.write(named("two")).await.unwrap_err().id, "model.config.is_valid.max_users.app_error");
    assert_eq!(other.current().view.team.site_name, "Mattermost");
    assert!(other.write(limited(7)).await.unwrap().is_stored);
    assert_eq!(
        (other.current().view.team.site_name.as_str(), other.current().view.team.max_users_per_team),
        ("one", 7)
    );
}

/// Makes a document that replaces the configuration, as a reader of `base` sends it.
fn replacing(base: &ConfigHandle, name: &str) -> Write {
    let mut body = base.current().masked();
    body["TeamSettings"]["SiteName"] = json!(name);
    Write { base: Some(base.current().version().to_owned()), ..proposed(ChangeMode::Replace, body) }
}

#[actix_rt::test]
async fn a_document_is_merged_with_what_changed_since_its_base() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    // Its base is the configuration of which no version was stored.
    let first = replacing(&one, "one");
    other.write(limited(6)).await.unwrap();
    one.write(first).await.unwrap();
    let current = one.current();
    assert_eq!((current.view.team.site_name.as_str(), current.view.team.max_users_per_team), ("one", 6));
    let second = replacing(&one, "two");
    other.write(limited(7)).await.unwrap();
    let dry = Write { is_dry_run: true, ..replacing(&one, "two") };
    assert_eq!(one.write(dry).await.unwrap().decision.changes.len(), 1);
    let saved = one.write(second).await.unwrap();
    assert_eq!(saved.merged, ["TeamSettings.MaxUsersPerTeam"]);
    assert_eq!(store.last().unwrap().document["TeamSettings"]["MaxUsersPerTeam"], 7);
}

#[actix_rt::test]
async fn a_document_whose_base_is_unknown_replaces_the_active_version() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    let (deleted, unknown) = (replacing(&one, "two"), Write { base: None, ..replacing(&one, "three") });
    other.write(limited(7)).await.unwrap();
    store.versions.lock().unwrap().remove(0);
    one.write(deleted).await.unwrap();
    assert_eq!(store.last().unwrap().document["TeamSettings"]["MaxUsersPerTeam"], 50);
    other.write(limited(7)).await.unwrap();
    one.write(unknown).await.unwrap();
    assert_eq!(store.last().unwrap().document["TeamSettings"]["MaxUsersPerTeam"], 50);
}

#[actix_rt::test]
async fn a_restriction_of_administrators_in_the_active_version_holds_for_a_caller_who_had_none() {
    let store = Shared::default();
    let (one, other) = (start(&store), start(&store));
    one.write(named("one")).await.unwrap();
    let earlier = store.last().unwrap().document;
    one.write(patch(json!({ "ExperimentalSettings": { "RestrictSystemAdmin": true } }))).await.unwrap();
    let remote = |mode, body| {
        let proposal = Proposal { is_local: false, ..Proposal::unlimited(mode, body) };
        Write { wanted: Wanted::Proposal(proposal), ..named("") }
    };
    let body = document(json!({ "ServiceSettings": { "MaximumLoginAttempts": 77 } }));
    let saved = other.write(remote(ChangeMode::Patch, body)).await.unwrap();
    assert!(!saved.is_stored && saved.decision.ineffective.len() == 1);
    let refused = other.write(remote(ChangeMode::Restore, earlier)).await.unwrap_err();
    assert_eq!(refused.id, "api.context.permissions.app_error");
}
