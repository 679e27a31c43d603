use super::*;
use crate::store::testing::{RULES, add, execute, fresh, person, texts};
use crate::store::users::{AccountLimit, Changed, Entry};

fn search(term: &str) -> UserSearch {
    let term = term.to_owned();
    UserSearch { term, searches_email: true, searches_full_name: true, ..UserSearch::default() }
}

async fn found(db: &Db, term: &str) -> Vec<String> {
    let users = db.search_users(&search(term), 100).await.unwrap();
    users.into_iter().map(|user| user.username).collect()
}

async fn rename(db: &Db, id: &str, user: impl Fn(User) -> User + Send + Sync + 'static) {
    let changed = db.change_profile(id, 5, move |before| Ok(Some(user(before.clone())))).await.unwrap();
    assert!(matches!(changed, Changed::Stored(_)));
}

/// Returns the number of accounts whose names were wrong.
async fn corrected(db: &Db) -> usize {
    db.compare_names().await.unwrap()
}

#[actix_web::test]
async fn each_change_of_an_account_keeps_its_names_in_the_same_transaction() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert", "carl"] {
        add(&db, name).await;
    }
    db.add_bot(&person("robot")).await.unwrap();
    db.add_bot(&User { username: "anna".to_owned(), ..person("thief") }).await.unwrap();
    assert_eq!(db.add_user(&person("late"), Entry::First, AccountLimit::Unlimited).await.unwrap(), None);
    let taken = User { id: "x".to_owned(), ..person("anna") };
    db.add_user(&taken, Entry::Any, AccountLimit::Unlimited).await.unwrap_err();
    let names = |user: User| User { first_name: "Änne".to_owned(), last_name: "O'Hara".to_owned(), ..user };
    rename(&db, "anna", names).await;
    rename(&db, "bert", |user| User { username: "norbert".to_owned(), ..user }).await;
    assert!(db.remove_user("carl", RULES).await.unwrap());
    assert_eq!(corrected(&db).await, 0);
    let stored = texts(&db, "SELECT userid FROM qd_user_names ORDER BY userid").await;
    assert_eq!(stored, ["anna", "bert", "robot"]);
    let indexed =
        texts(&db, "SELECT CAST(COUNT(*) AS text) FROM qd_user_grams WHERE qd_user_grams MATCH '\"chat\"'").await;
    assert_eq!(indexed, ["3"]);
}

#[actix_web::test]
async fn accounts_are_found_by_every_part_of_their_names_before_and_after_the_comparison() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert", "susanna"] {
        add(&db, name).await;
    }
    rename(&db, "bert", |user| User {
        nickname: "Große Ärztin".to_owned(), last_name: "Van Dyke_".to_owned(), ..user
    })
    .await;
    for is_compared in [false, true] {
        if is_compared {
            assert_eq!(corrected(&db).await, 0);
        }
        for (term, expected) in [
            ("anna", vec!["anna", "susanna"]),
            ("nn", vec!["anna", "susanna"]),
            ("s", vec!["susanna"]),
            ("e", vec!["anna", "bert", "susanna"]),
            ("ÄRZ", vec!["bert"]),
            ("roße dyke", vec!["bert"]),
            ("dyke_", vec!["bert"]),
            ("d_ke", vec![]),
            ("%", vec![]),
            ("usa ann @chat.ex", vec!["susanna"]),
            ("chat.example", vec!["anna", "bert", "susanna"]),
            ("annaann", vec![]),
            ("\"", vec![]),
            ("a AND b", vec![]),
        ] {
            assert_eq!(found(&db, term).await, expected, "{term}, compared: {is_compared}");
        }
        let some = UserSearch { term: "chat.ex".to_owned(), ..UserSearch::default() };
        assert!(db.search_users(&some, 9).await.unwrap().is_empty(), "addresses are hidden");
        assert_eq!(db.search_users(&search("n"), 1).await.unwrap().len(), 1);
    }
}

#[actix_web::test]
async fn names_that_another_program_wrote_are_noticed_and_corrected() {
    let (_folder, db) = fresh().await;
    for name in ["anna", "bert", "carl"] {
        add(&db, name).await;
    }
    execute(&db, "UPDATE users SET lastname = 'Quixote', updateat = 70 WHERE id = 'anna'").await;
    execute(&db, "DELETE FROM users WHERE id = 'bert'").await;
    execute(&db, "INSERT INTO users (id, username, updateat, deleteat) VALUES ('dora', 'dora', 80, 0)").await;
    assert_eq!(db.compare_changed_names(71).await.unwrap(), 1);
    assert_eq!(db.compare_changed_names(60).await.unwrap(), 1);
    assert_eq!(db.compare_changed_names(60).await.unwrap(), 0);
    assert_eq!(corrected(&db).await, 1, "the one that is gone");
    assert_eq!((found(&db, "quix").await, found(&db, "dor").await), (vec!["anna".to_owned()], vec!["dora".to_owned()]));
    assert_eq!(texts(&db, "SELECT userid FROM qd_user_names ORDER BY userid").await, ["anna", "carl", "dora"]);
    execute(&db, "UPDATE users SET email = 'x@y' WHERE id = 'carl'").await;
    assert_eq!((corrected(&db).await, corrected(&db).await), (1, 0), "a row without a new time of change");
}

#[actix_web::test]
async fn rare_words_are_found_among_thousands_of_accounts() {
    let (_folder, db) = fresh().await;
    // Usernames in which every part of six digits occurs once, and one that all of them have.
    execute(
        &db,
        "INSERT INTO users (id, username, email, nickname, firstname, lastname, updateat, deleteat) \
         WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1012000) \
         SELECT 'id' || i, 'u' || i, 'u' || i || '@chat.example', '', '', \
         CASE WHEN i % 2000 = 0 THEN 'Zyx' ELSE 'Abc' END, i, i % 2 FROM n",
    )
    .await;
    assert_eq!(corrected(&db).await, 12_001);
    assert_eq!(found(&db, "u1006499").await, ["u1006499"]);
    let rare = ["u1000000", "u1002000", "u1004000", "u1006000", "u1008000", "u1010000", "u1012000"];
    assert_eq!(found(&db, "zyx").await, rare, "some are among the first accounts, the index has the others");
    assert_eq!(found(&db, "yx").await, rare, "too short for the index");
    assert_eq!(found(&db, "u1011999@chat.example").await, ["u1011999"]);
    assert_eq!(found(&db, "u1011999@chat.examplf").await, [""; 0]);
    for term in ["u100", "u101"] {
        assert_eq!(found(&db, term).await.len(), 100, "{term}");
    }
    let filter = crate::store::Filter { is_active: Some(true), ..crate::store::Filter::default() };
    let active = |term: &str| UserSearch {
        filter: crate::store::Filter { is_active: filter.is_active, ..crate::store::Filter::default() },
        ..search(term)
    };
    for term in ["abc", "u100", "c"] {
        let users = db.search_users(&active(term), 1_000).await.unwrap();
        assert!(users.len() == 1_000 && users.iter().all(|user| user.delete_at == 0), "{term}");
        assert!(users.windows(2).all(|pair| pair[0].username < pair[1].username), "{term}");
    }
    assert_eq!(db.search_users(&active("abc chat.example"), 9_000).await.unwrap().len(), 5_994);
    assert_eq!(db.search_users(&active("u1006499"), 9).await.unwrap().len(), 0, "a deactivated one");
}
