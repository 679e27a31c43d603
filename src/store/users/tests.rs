use quarterdeck_actors::sessions::SessionStore;

use super::*;
use crate::store::testing::{RULES, add, execute, fresh, person, session, texts};

#[actix_web::test]
async fn the_first_account_is_the_administrator_and_the_condition_holds_in_the_transaction() {
    let (_folder, db) = fresh().await;
    db.add_bot(&person("robot")).await.unwrap();
    let add = async |name: &str, entry| db.add_user(&person(name), entry, AccountLimit::Unlimited).await.unwrap();
    assert_eq!(add("early", Entry::Further).await, None);
    assert_eq!(add("anna", Entry::First).await.as_deref(), Some("system_admin system_user"));
    assert_eq!(add("late", Entry::First).await, None);
    assert_eq!(add("bert", Entry::Further).await.as_deref(), Some("system_user"));
    assert_eq!((db.user_count().await.unwrap(), db.active_user_count().await.unwrap()), (2, 2));
    assert!(db.preferences("late").await.unwrap().is_empty() && db.preferences("bert").await.unwrap().len() == 3);
    let taken = db.add_user(&User { id: "x".to_owned(), ..person("anna") }, Entry::Any, AccountLimit::Unlimited).await;
    assert!(taken.unwrap_err().is_duplicate_of("username"));
}

#[actix_web::test]
async fn the_limit_for_accounts_holds_in_the_transaction() {
    let (_folder, db) = fresh().await;
    for (name, room, is_added) in [
        ("anna", AccountLimit::Active(1), true),
        ("bert", AccountLimit::Active(1), false),
        ("bert", AccountLimit::Seats(1), false),
        ("bert", AccountLimit::Seats(2), true),
    ] {
        let added = db.add_user(&person(name), Entry::Any, room).await.unwrap();
        assert_eq!(added.is_some(), is_added, "{name}, {room:?}");
    }
    assert!(db.deactivate_user("bert", RULES, 9).await.unwrap());
    assert!(db.add_user(&person("curt"), Entry::Any, AccountLimit::Active(2)).await.unwrap().is_some());
    for (room, is_activated) in
        [(AccountLimit::Active(2), false), (AccountLimit::Seats(2), false), (AccountLimit::Active(3), true)]
    {
        assert_eq!(db.activate_user("bert", 10, room).await.unwrap(), is_activated, "{room:?}");
        let is_active = db.user("bert").await.unwrap().unwrap().delete_at == 0;
        assert_eq!(is_active, is_activated, "{room:?}");
    }
    assert!(db.activate_user("bert", 11, AccountLimit::Active(3)).await.unwrap(), "the account is active already");
    assert!(!db.activate_user("nobody", 11, AccountLimit::Unlimited).await.unwrap());
}

#[actix_web::test]
async fn an_account_is_found_by_id_name_and_address() {
    let (_folder, db) = fresh().await;
    for name in ["bert", "anna"] {
        add(&db, name).await;
    }
    assert_eq!(db.user("anna").await.unwrap().unwrap().email, "anna@chat.example");
    assert_eq!(db.user_named("anna").await.unwrap().unwrap().id, "anna");
    assert_eq!(db.user_with_email("anna@chat.example").await.unwrap().unwrap().id, "anna");
    assert!(db.user("Anna").await.unwrap().is_none());
    let ids: Vec<String> = ["never", "bert", "anna"].map(str::to_owned).into();
    for found in [db.users_with_ids(&ids).await.unwrap(), db.users_named(&ids).await.unwrap()] {
        assert_eq!(found.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ["anna", "bert"]);
    }
}

#[actix_web::test]
async fn the_last_administrator_stays_one_and_new_roles_reach_the_sessions() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert"] {
        add(&db, name).await;
    }
    quarterdeck_actors::sessions::SessionStore::add(&db, session("bert", "one", 1), None).await.unwrap().unwrap();
    let refused = db.set_user_roles("anna", (None, "system_user"), RULES, 5).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(refusal) if refusal.id == "app.user.update.lastAdmin.app_error"));
    assert!(matches!(db.deactivate_user("anna", RULES, 5).await, Err(StoreError::Refused(_))));
    assert!(matches!(db.remove_user("anna", RULES).await, Err(StoreError::Refused(_))));
    assert!(db.set_user_roles("bert", (None, "system_user system_admin"), RULES, 5).await.unwrap().is_some());
    assert_eq!(texts(&db, "SELECT roles FROM sessions").await, ["system_user system_admin"]);
    assert!(db.set_user_roles("anna", (None, "system_user"), RULES, 5).await.unwrap().is_some());
    assert!(db.deactivate_user("anna", RULES, 6).await.unwrap());
    assert!(db.set_user_roles("bert", (None, "system_user"), RULES, 7).await.is_err());
    assert_eq!(texts(&db, "SELECT roles FROM sessions").await, ["system_user system_admin"]);
    assert!(db.set_user_roles("none", (None, "system_user"), RULES, 7).await.unwrap().is_none());
}

#[actix_web::test]
async fn a_password_is_replaced_only_while_it_is_the_one_that_was_checked() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    let (old, new) = (Secret::new("hash of anna"), Secret::new("new"));
    for _ in 0..2 {
        assert!(db.take_attempt("anna", 2).await.unwrap());
    }
    assert!(!db.take_attempt("anna", 2).await.unwrap(), "no attempts are left");
    db.give_attempt_back("anna").await.unwrap();
    assert_eq!(db.user("anna").await.unwrap().unwrap().failed_attempts, 1);
    assert!(!db.set_password("anna", &new, Some(&new), EndedSessions::AllBut(None), 5).await.unwrap());
    db.set_last_login("anna", &new, 5).await.unwrap();
    assert_eq!(db.user("anna").await.unwrap().unwrap().failed_attempts, 1, "another hash");
    assert!(db.set_password("anna", &new, Some(&old), EndedSessions::NoSession, 5).await.unwrap());
    let stored = db.user("anna").await.unwrap().unwrap();
    assert_eq!((stored.failed_attempts, stored.last_password_update, stored.password == new), (0, 5, true));
    assert!(!db.renew_password("anna", (&old, &old), 6).await.unwrap());
    assert!(db.renew_password("anna", (&new, &old), 6).await.unwrap());
    assert!(
        db.set_password("anna", &new, None, EndedSessions::AllBut(Some("one")), 7).await.unwrap(),
        "without a check"
    );
}

#[actix_web::test]
async fn each_change_of_an_account_has_a_later_time_also_within_a_millisecond() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    let updated_at = async || db.user("anna").await.unwrap().unwrap().update_at;
    db.set_email_verified("anna", 5).await.unwrap();
    assert_eq!(updated_at().await, 5);
    add(&db, "bert").await;
    db.set_user_roles("bert", (None, "system_user system_admin"), RULES, 5).await.unwrap();
    db.deactivate_user("anna", RULES, 5).await.unwrap();
    assert_eq!(updated_at().await, 6);
    db.activate_user("anna", 3, AccountLimit::Unlimited).await.unwrap();
    assert_eq!(updated_at().await, 7, "the clock was put back");
    assert_eq!(db.user("anna").await.unwrap().unwrap().delete_at, 0);
}

#[actix_web::test]
async fn a_profile_is_changed_as_it_is_stored_or_not_at_all() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    execute(&db, "UPDATE users SET position = 'elsewhere'").await;
    let renamed = |before: &User| Ok(Some(User { nickname: "Änn".to_owned(), ..before.clone() }));
    let Changed::Stored(stored) = db.change_profile("anna", 5, renamed).await.unwrap() else { panic!("not stored") };
    let (before, after) = *stored;
    assert_eq!((before.nickname.as_str(), after.nickname.as_str(), after.position.as_str()), ("", "Änn", "elsewhere"));
    assert!(matches!(db.change_profile("anna", 6, |_| Ok(None)).await.unwrap(), Changed::MovedOn));
    assert!(matches!(db.change_profile("never", 6, renamed).await.unwrap(), Changed::Gone));
    let refuse = |_: &User| Err(quarterdeck_actors::error::AppError::new("test.refused"));
    let Err(refused) = db.change_profile("anna", 6, refuse).await else { panic!("not refused") };
    assert!(matches!(refused, StoreError::Refused(refusal) if refusal.id == "test.refused"));
    assert_eq!(db.user("anna").await.unwrap().unwrap().update_at, 5);
}

#[actix_web::test]
async fn a_removed_account_leaves_nothing_of_its_own() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert"] {
        add(&db, name).await;
        quarterdeck_actors::sessions::SessionStore::add(&db, session(name, name, 1), None).await.unwrap().unwrap();
    }
    assert!(db.remove_user("bert", RULES).await.unwrap());
    assert!(!db.remove_user("bert", RULES).await.unwrap());
    for table in ["sessions", "preferences"] {
        let left = texts(&db, &format!("SELECT DISTINCT userid FROM {table}")).await;
        assert_eq!(left, ["anna"], "{table}");
    }
}

#[test]
fn characters_with_a_meaning_in_a_pattern_are_escaped() {
    assert_eq!(escaped(r"50%_\"), r"50\%\_\\");
}

#[actix_web::test]
async fn a_password_and_a_deactivation_end_sessions_in_their_transaction() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert"] {
        add(&db, name).await;
        for number in 1..=2 {
            SessionStore::add(&db, session(name, &format!("{name}{number}"), 1), None).await.unwrap();
        }
    }
    let left = async || texts(&db, "SELECT id FROM sessions WHERE userid = 'bert' ORDER BY id").await;
    let (old, new) = (Secret::new("hash of bert"), Secret::new("new"));
    assert!(!db.set_password("bert", &new, Some(&new), EndedSessions::AllBut(None), 5).await.unwrap());
    assert_eq!(left().await, ["bert1", "bert2"], "a refused change ends no session");
    assert!(db.set_password("bert", &new, Some(&old), EndedSessions::NoSession, 5).await.unwrap());
    assert_eq!(left().await, ["bert1", "bert2"]);
    assert!(db.set_password("bert", &old, None, EndedSessions::AllBut(Some("bert2")), 6).await.unwrap());
    assert_eq!(left().await, ["bert2"]);
    assert!(db.deactivate_user("bert", RULES, 7).await.unwrap());
    assert!(left().await.is_empty());
    assert!(db.activate_user("bert", 8, AccountLimit::Unlimited).await.unwrap());
    SessionStore::add(&db, session("bert", "bert3", 1), None).await.unwrap();
    let known = db.user("bert").await.unwrap().unwrap();
    let stale = User { password: Secret::new("earlier"), ..known.clone() };
    assert!(!db.reset_password(&stale, &new, 9).await.unwrap());
    assert_eq!(left().await, ["bert3"]);
    assert!(db.reset_password(&known, &new, 9).await.unwrap());
    assert!(left().await.is_empty());
    assert_eq!(texts(&db, "SELECT id FROM sessions").await.len(), 2, "another account keeps its sessions");
}
