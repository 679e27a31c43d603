use super::statements::Pieces;
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

/// Adds accounts beyond those that a search reads first. One name in a thousand is rare, and the last ones have one that
/// no account before them has.
async fn many(db: &Db) {
    execute(
        db,
        "INSERT INTO users (id, username, email, nickname, firstname, lastname, updateat, deleteat) \
         WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 1 FROM n WHERE i < 1012000) \
         SELECT 'id' || i, 'u' || i, 'u' || i || '@chat.example', '', '', \
         CASE WHEN i % 1000 = 999 THEN 'ßq' WHEN i > 1008000 THEN 'Late' ELSE 'Abc' END, i, 0 FROM n",
    )
    .await;
    db.compare_names().await.unwrap();
}

#[actix_web::test]
async fn short_words_are_found_by_the_pieces_that_begin_with_them() {
    let (_folder, db) = fresh().await;
    many(&db).await;
    for (term, count) in [("ß", 12), ("ßq", 12), ("q", 12), ("ж", 0), ("жж", 0), ("qx", 0), ("\u{10ffff}", 0)] {
        assert_eq!(found(&db, term).await.len(), count, "{term}");
    }
    rename(&db, "id1000999", |user| User { last_name: "жq".to_owned(), ..user }).await;
    assert_eq!(found(&db, "ж").await, ["u1000999"], "the estimates know of no such account");
    assert_eq!((found(&db, "ß").await.len(), found(&db, "q").await.len()), (11, 12));
    for term in ["жq", "u1000999 ж", "ж u1000999"] {
        assert_eq!(found(&db, term).await, ["u1000999"], "{term}");
    }
}

#[actix_web::test]
async fn a_caller_who_may_not_search_all_names_finds_nothing_by_the_others() {
    let (_folder, db) = fresh().await;
    many(&db).await;
    for (searches_email, searches_full_name, counts) in
        [(false, false, [0, 0, 0]), (true, false, [0, 0, 9]), (false, true, [9, 9, 0])]
    {
        for (term, count) in ["ß", "late", "1@chat"].into_iter().zip(counts) {
            let search = UserSearch { searches_email, searches_full_name, ..search(term) };
            let users = db.search_users(&search, 9).await.unwrap();
            assert_eq!(users.len(), count, "{term}, {searches_email}, {searches_full_name}");
        }
    }
}

/// Returns the steps of SQLite's plan for a statement.
async fn plan(db: &Db, statement: super::Statement) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = db.read(super::statement(sql, statement.values)).await.unwrap();
    let step = |mut row: crate::store::Row| {
        for _ in 0..3 {
            row.int().unwrap();
        }
        row.text().unwrap()
    };
    rows.into_iter().map(step).collect()
}

#[actix_web::test]
async fn each_statement_of_a_search_reads_an_index_and_sorts_bounded_hits_only() {
    let (_folder, db) = fresh().await;
    many(&db).await;
    let words = ["late".to_owned(), "u".to_owned()];
    for (searches_all, index) in [(true, "idx_qd_user_names_everything"), (false, "idx_qd_user_names_username")] {
        let search = UserSearch { searches_email: searches_all, searches_full_name: searches_all, ..search("") };
        let pieces = Pieces::Sqlite(search.with_all(&words[..1]));
        for (until, range) in [(None, "username>?"), (Some("u2"), "username>? AND username<?")] {
            let in_order = plan(&db, search.in_order(EngineKind::Sqlite, &words, ("u1", until), 9)).await;
            assert_eq!(in_order, [format!("SEARCH n USING COVERING INDEX {index} ({range})")]);
        }
        let hits = plan(&db, search.by_index(&pieces, &words, "u1", 9)).await;
        assert!(hits[0].starts_with("SCAN g VIRTUAL TABLE INDEX"), "{hits:?}");
        assert_eq!(&hits[1..], ["SEARCH n USING INTEGER PRIMARY KEY (rowid=?)", "USE TEMP B-TREE FOR ORDER BY"]);
        let counted = plan(&db, UserSearch::counting_hits(&pieces)).await;
        assert!(!counted.iter().any(|step| step.contains("SCAN n")), "{counted:?}");
    }
}

#[actix_web::test]
async fn the_index_yields_a_bounded_number_of_accounts() {
    let (_folder, db) = fresh().await;
    many(&db).await;
    let hits = async |term: &str| {
        let search = search(term);
        let plan = plan::Plan::of(&db.name_frequencies, &search.words(), 100);
        match db.pieces(&search, plan.grams).await.unwrap() {
            search::Found::Nothing => "nothing",
            search::Found::Few(_) => "few",
            search::Found::Many => "many",
        }
    };
    // 3,988 accounts have the name Late, and 12 the other one.
    for (term, expected) in [
        ("late", "many"),
        ("late ßq", "many"),
        ("ßq", "few"),
        ("u1010", "few"),
        ("жжж", "few"),
        ("ж", "nothing"),
        ("u", "many"),
    ] {
        assert_eq!(hits(term).await, expected, "{term}");
    }
    let late = found(&db, "late").await;
    assert_eq!((late.len(), late[0].as_str()), (100, "u1008001"), "read in order, beyond the first accounts");
}

#[actix_web::test]
async fn a_list_knows_the_accounts_with_a_rare_word_by_their_ids() {
    let (_folder, db) = fresh().await;
    assert_eq!(db.few_with("ßq").await.unwrap(), None, "the names are not compared yet");
    many(&db).await;
    let ids = db.few_with(" ßq u1000").await.unwrap().unwrap();
    assert_eq!(ids, ["id1000999"]);
    for (term, count) in [("ßq", Some(12)), ("ж", Some(0)), ("late", None), ("", None)] {
        assert_eq!(db.few_with(term).await.unwrap().map(|ids| ids.len()), count, "{term}");
    }
    assert_eq!(db.few_with(&"x".repeat(2_000)).await.unwrap(), Some(Vec::new()));
}

#[actix_web::test]
async fn tables_of_an_earlier_form_are_made_anew() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    execute(&db, "DROP TABLE qd_user_terms").await;
    db.create_names().await.unwrap();
    assert!(texts(&db, "SELECT userid FROM qd_user_names").await.is_empty());
    assert_eq!((corrected(&db).await, found(&db, "ann").await), (1, vec!["anna".to_owned()]));
    db.create_names().await.unwrap();
    assert_eq!(texts(&db, "SELECT userid FROM qd_user_names").await, ["anna"], "the present form stays");
}
